package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// rows is a stream that is being put together. It is not changed: each stage
// makes a copy.
type rows struct {
	from  plan.Source
	burns bool // of the meter that it stands in
	bad   bool // what follows is looked at, but there will be no value

	unknown bool // where bad rows come from
	steps   []plan.Written
	name    string     // of the `let` that it is
	at      plan.Place // where it begins

	distinct *plan.Place // the first `distinct` of what its rows come from
	by       []*plan.Expr

	window    plan.Window // of burns
	fromFirst int64       // of burns
}

// with returns the rows after one more stage.
func (r *rows) with(w plan.Written) *rows {
	out := *r
	out.name = ""
	out.steps = append(r.steps[:len(r.steps):len(r.steps)], w)
	return &out
}

// sourceRows says what `events`, `all_events` and `burns` are.
func (c *checker) sourceRows(en *env, id *ast.Ident) result {
	at := en.at(id)
	r := result{kind: isRows, rows: &rows{at: at}, at: at}
	switch {
	case en.stage:
		return c.scopeError(en, at, "scope", "say it beside the stream: `(… |> any) and (…)`", "`%s` has no meaning inside of a stage, which looks at one row", id.Name)
	case en.place == inConstant:
		return c.scopeError(en, at, "constant", "", "`%s` has no meaning in %s", id.Name, placeNames[en.place])
	case id.Name == "burns" && en.place != inBurns && en.place != anywhere:
		return c.scopeError(en, at, "scope", "such as `meter monthly (limit: 5) = burns |> per month |> distinct item`", "`burns` is the stream of a meter: it has no meaning in %s", placeNames[en.place])
	case id.Name == "all_events" && en.place != inMetric && en.place != anywhere:
		return c.scopeError(en, at, "scope", "write `events`: of a reader's own rows none are left out", "`all_events` is for metrics: it has no meaning in %s", placeNames[en.place])
	case id.Name != "burns" && en.place == inBurns:
		return c.scopeError(en, at, "meter", "write `burns`", "a meter counts `burns`, found `%s`", id.Name)
	case id.Name == "burns":
		r.rows.burns = true
	case id.Name == "all_events":
		r.rows.from = plan.AllEvents
	}
	return r
}

// pipe says what a pipeline is.
func (c *checker) pipe(en *env, e *ast.Pipe) result {
	r := c.eval(en, e.X)
	if r.kind == isBad { // errors in the stages are found as well
		r = result{kind: isRows, rows: &rows{bad: true, unknown: true, at: en.at(e.X)}, at: en.at(e.X)}
	}
	for _, s := range e.Stages {
		if s == nil {
			c.gaps = true
			return result{}
		}
		r = c.stage(en, r, s)
		r.at = plan.Place{File: en.file, Span: e.X.Range().To(s.Range())}
	}
	return r
}

// stage says what comes out of a stage.
func (c *checker) stage(en *env, x result, s ast.Stage) result {
	if a, ok := s.(*ast.Apply); ok {
		return c.apply(en, x, a)
	}
	if x.kind == isBad {
		x = result{kind: isRows, rows: &rows{bad: true, unknown: true, at: x.at}, at: x.at}
	}
	if x.kind != isRows {
		hint := hintFor(&x, value.Any)
		if x.kind == isValue && x.expr.Op == plan.FoldValue || x.kind == isValue && x.expr.Op == plan.Not {
			hint = "what makes a value of the rows stands last"
		}
		c.fail(en, s, "type", hint, "`%s` works on rows, found %s", word(s), x.found())
		x = result{kind: isRows, rows: &rows{bad: true, unknown: true, at: x.at}, at: x.at}
	}
	r := x.rows
	if r.burns && !r.bad {
		return c.burnsStage(en, r, s)
	}
	switch s := s.(type) {
	case *ast.Where:
		return c.where(en, r, s)
	case *ast.Last:
		return c.lastStage(en, r, s)
	case *ast.Since:
		return c.since(en, r, s)
	case *ast.Per:
		return c.per(en, r, s)
	case *ast.Distinct:
		return c.distinct(en, r, s)
	case *ast.By:
		return c.by(en, r, s)
	case *ast.Then:
		return c.pattern(en, r, s, plan.Then, s.Stream, s.Within)
	case *ast.Unless:
		return c.pattern(en, r, s, plan.Unless, s.Stream, s.Within)
	case *ast.End:
		return c.end(en, r, s)
	default:
		c.fail(en, s, "scope", "for events write `last 7d` or `per month`", "`from_first` is for the `burns` of a meter only")
		return badRows(r)
	}
}

// word returns the word of a stage.
func word(s ast.Stage) string {
	switch s := s.(type) {
	case *ast.Where:
		return "where"
	case *ast.Last:
		return "last"
	case *ast.Since:
		return "since"
	case *ast.Per:
		return "per"
	case *ast.FromFirst:
		return "from_first"
	case *ast.Distinct:
		return "distinct"
	case *ast.By:
		return "by"
	case *ast.Then:
		return "then"
	case *ast.Unless:
		return "unless"
	case *ast.End:
		return s.Op.String()
	default:
		return ""
	}
}

// badRows returns rows after a stage with an error.
func badRows(r *rows) result {
	out := *r
	out.bad = true
	return result{kind: isRows, rows: &out, at: r.at}
}

// after returns rows after one more stage.
func after(r *rows, w plan.Written) result {
	return result{kind: isRows, rows: r.with(w), at: r.at}
}

func (c *checker) apply(en *env, x result, a *ast.Apply) result {
	c.look.offer(a, c.functionChoices)
	fun := &ast.Ident{Span: a.Fun.Span, Name: a.Fun.Text}
	if a.Fun.Text == "" {
		c.gaps = true
		return result{}
	}
	return c.callName(en, a, fun, &x, a.Args)
}

func (c *checker) where(en *env, r *rows, s *ast.Where) result {
	cond := c.eval(en.stageOf(), s.Cond)
	if !c.there(en, &cond, value.Bool, "behind `where`") {
		return badRows(r)
	}
	return after(r, plan.Written{Kind: plan.Filter, Where: []*plan.Expr{cond.expr}, Place: en.at(s)})
}

// keys returns the keys of a `distinct` or `by`.
func (c *checker) keys(en *env, keys []ast.Expr, what string) ([]*plan.Expr, bool) {
	var out []*plan.Expr
	ok := true
	for _, k := range keys {
		x := c.eval(en, k)
		isVisit := x.kind == isValue && x.expr.Op == plan.RowColumn && x.expr.Column == plan.ColVisit
		isList := x.kind == isValue && x.typ() == value.List
		switch {
		case x.bad():
			ok = false
		case isVisit && what == "distinct", isList && what == "by" && !x.expr.IsConst():
			out = append(out, x.expr)
		case isVisit:
			c.failAt(en, x.at, "type", "count visits with `distinct visit |> count`", "`visit` is a key of `distinct` only")
			ok = false
		case isList:
			c.failAt(en, x.at, "type", "", "expected a single value as a key of `%s`, found a list", what)
			ok = false
		case !c.isScalar(en, &x, "as a key of `"+what+"`"):
			ok = false
		case x.expr.IsConst():
			c.failAt(en, x.at, "constant", "such as `"+what+" item`", "expected what differs from row to row as a key of `%s`, found a constant", what)
			ok = false
		default:
			out = append(out, x.expr)
		}
	}
	return out, ok
}

func (c *checker) distinct(en *env, r *rows, s *ast.Distinct) result {
	keys, ok := c.keys(en.stageOf(), s.Keys, "distinct")
	if !ok {
		return badRows(r)
	}
	out := after(r, plan.Written{Kind: plan.Distinct, Keys: keys, Place: en.at(s)})
	if r.distinct == nil {
		at := en.at(s)
		out.rows.distinct = &at
	}
	return out
}

func (c *checker) by(en *env, r *rows, s *ast.By) result {
	var rest []ast.Expr
	place := -1
	for i, k := range s.Keys {
		c.look.offer(k, func() []Choice { return []Choice{{"segment", Word, value.List}} })
		if id, ok := k.(*ast.Ident); ok && id.Name == "segment" {
			place = i
			continue
		}
		rest = append(rest, k)
	}
	keys, ok := c.keys(en.stageOf(), rest, "by")
	switch {
	case en.place != inMetric && en.place != anywhere:
		c.scopeError(en, en.at(s), "scope", "write `distinct …` to count each key once", "`by` is for metrics: it has no meaning in %s", placeNames[en.place])
		return badRows(r)
	case !ok:
		return badRows(r)
	case r.by != nil:
		c.fail(en, s, "type", "write all keys behind one `by`", "rows are grouped once, this is the second `by`")
		return badRows(r)
	}
	if place >= 0 {
		segment := c.b.Expr(plan.Expr{Op: plan.RowSegments, Type: value.List, Elem: value.Text, Place: en.at(s.Keys[place])})
		keys = append(keys[:place:place], append([]*plan.Expr{segment}, keys[place:]...)...)
	}
	out := after(r, plan.Written{Kind: plan.By, Keys: keys, Place: en.at(s)})
	out.rows.by = keys
	return out
}

// pattern takes `then S within D` and `unless S within D`.
func (c *checker) pattern(en *env, r *rows, s ast.Stage, kind plan.StageKind, stream, within ast.Expr) result {
	o := c.eval(en, stream)
	if !o.bad() && o.kind != isRows {
		c.failAt(en, o.at, "type", "", "expected rows behind `%s`, found %s", kind, o.found())
		o = result{}
	}
	ms, ok := c.duration(en, within, "behind `within`")
	if ok && ms > c.schema.Window {
		c.fail(en, within, "window", "", "`within` is at most %s, as long as the site keeps events; found %s", value.FormatDuration(c.schema.Window), value.FormatDuration(ms))
		ok = false
	}
	if o.bad() || !ok || r.bad {
		return badRows(r)
	}
	if o.rows.by != nil || r.by != nil {
		c.fail(en, s, "type", "write `by` last", "`by` stands behind `%s`", kind)
		return badRows(r)
	}
	if o.rows.from != r.from || o.rows.burns {
		c.failAt(en, o.at, "type", "", "both streams of `%s` begin with the same rows, found `%s` and `%s`", kind, r.from, o.rows.source())
		return badRows(r)
	}
	out := after(r, plan.Written{Kind: kind, Other: c.stream(o.rows), Within: ms, Place: en.at(s)})
	if kind == plan.Then {
		out.rows.distinct = o.rows.distinct
	}
	if !c.small(en, s, out.rows) {
		return badRows(r)
	}
	return out
}

func (r *rows) source() string {
	if r.burns {
		return "burns"
	}
	return r.from.String()
}

// stream adds the rows to the plan and returns the stream's number.
func (c *checker) stream(r *rows) int { return c.b.Stream(r.from, r.steps, r.name, r.at) }

// small makes sure that a stream, written out, has not too many stages.
func (c *checker) small(en *env, s ast.Stage, r *rows) bool {
	n := int64(len(r.steps))
	for i := range r.steps {
		if k := r.steps[i].Kind; k == plan.Then || k == plan.Unless {
			n += c.b.StreamSize(r.steps[i].Other)
		}
	}
	if n > c.limits.Stages {
		c.fail(en, s, "too_large", "", "written out, these rows go through more than %d stages", c.limits.Stages)
		return false
	}
	return true
}
