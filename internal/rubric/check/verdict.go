package check

import (
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// verdict says what `allow NAME` is.
func (c *checker) verdict(en *env, e *ast.Verdict) result {
	return result{kind: isVerdict, at: en.at(e), items: []result{{expr: &plan.Expr{Outcome: plan.Outcome(e.Outcome), Name: e.Clause.Text}}}}
}

// decision says what `ACCESS(ITEM)` is.
func (c *checker) decision(en *env, n ast.Node, fun *ast.Ident, d *definition, piped *result, args []*ast.Arg) result {
	if en.place != inTest || en.stage {
		return c.defined(en, fun, d)
	}
	call := &called{name: fun.Name, node: n}
	if !c.bind(en, call, function{params: []string{"item"}}, piped, args) || !c.there(en, &call.args[0], value.Text, "as the item") {
		return result{}
	}
	if !c.resolve(d) {
		return result{}
	}
	return result{kind: isDecision, def: d, items: call.args, at: en.at(n)}
}

// compareVerdict takes `story(a1) == allow again` and its like.
func (c *checker) compareVerdict(en *env, e *ast.Binary, x, y result) result {
	if x.kind == isVerdict {
		x, y = y, x
	}
	if x.kind != isDecision || y.kind != isVerdict || e.Op != ast.Eq && e.Op != ast.Ne {
		hint := ""
		if x.kind == isDecision {
			hint = "such as `" + c.text(&x) + " == allow " + x.def.access.Clauses[0].Name + "`"
		}
		return c.fail(en, e, "type", hint, "expected `ACCESS(ITEM) == OUTCOME CLAUSE`, found %s and %s", x.found(), y.found())
	}
	verdict := y.items[0].expr
	if !c.hasClause(en, x.def.access, verdict, y.at) {
		return result{}
	}
	r := c.value(plan.Expr{Op: plan.VerdictIs, Type: value.Bool, Ref: x.def.index, Outcome: verdict.Outcome, Name: verdict.Name, Args: []*plan.Expr{x.items[0].expr}, Place: en.at(e)})
	if e.Op == ast.Ne {
		return c.value(plan.Expr{Op: plan.Not, Type: value.Bool, Args: []*plan.Expr{r.expr}, Place: en.at(e)})
	}
	return r
}

// hasClause makes sure that an access block has a clause.
func (c *checker) hasClause(en *env, a *plan.Access, v *plan.Expr, at plan.Place) bool {
	var names, same []string
	for _, clause := range a.Clauses {
		if clause.Name == v.Name && clause.Outcome == v.Outcome {
			return true
		}
		if clause.Name == v.Name {
			same = append(same, "`"+clause.Outcome.String()+" "+clause.Name+"`")
		}
		names = append(names, clause.Outcome.String()+" "+clause.Name)
	}
	hint := c.near(v.Outcome.String()+" "+v.Name, these(names))
	if len(same) > 0 {
		hint = "it has " + strings.Join(same, " and ")
	}
	c.failAt(en, at, "unknown_name", hint, "the access block `%s` has no clause `%s %s`", a.Name, v.Outcome, v.Name)
	return false
}
