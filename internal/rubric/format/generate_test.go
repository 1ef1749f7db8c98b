package format_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/token"
	"pgregory.net/rapid"
)

// gen draws syntax trees without spans: all that a program without errors can
// consist of.
type gen struct {
	t    *rapid.T
	test bool // in a test block
}

func (g gen) int(most int) int { return rapid.IntRange(0, most).Draw(g.t, "n") }
func (g gen) yes() bool        { return rapid.Bool().Draw(g.t, "yes") }

// words are names that have a role somewhere, and some that have none.
var words = slices.Concat(ast.Ends, ast.Periods, []string{
	"a", "item", "site", "reader", "where", "last", "by", "price", "offers", "allow", "deny", "at", "within", "per", "take",
	"blend", "rubric", "d", "m", "limit", "long_name_of_what_is_defined_somewhere_else", "x1", "through", "read", "unless",
})

func (g gen) word() string { return rapid.SampledFrom(words).Draw(g.t, "word") }

func (g gen) name() *ast.Name { return &ast.Name{Text: g.word()} }

// free draws a name that is no outcome: clauses cannot be called so.
func (g gen) free() *ast.Name {
	n := g.name()
	if slices.Contains(ast.Outcomes, n.Text) || n.Text == "price" || n.Text == "offers" {
		n.Text = "metered"
	}
	return n
}

// field draws a name behind a point, where reserved words are names too.
func (g gen) field() *ast.Name {
	if g.int(5) == 0 {
		return &ast.Name{Text: rapid.SampledFrom([]string{"segment", "test", "in", "if", "let", "true"}).Draw(g.t, "reserved")}
	}
	return g.name()
}

func (g gen) text() *ast.Text { return &ast.Text{Value: rapid.String().Draw(g.t, "text")} }

func (g gen) duration() *ast.Duration {
	n := rapid.Int64Range(0, 999).Draw(g.t, "n")
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 168 * time.Hour}
	unit := rapid.SampledFrom([]string{"ms", "s", "m", "h", "d", "w"}).Draw(g.t, "unit")
	return &ast.Duration{Value: time.Duration(n) * units[unit], Raw: fmt.Sprint(n, unit)}
}

func (g gen) time() *ast.Time {
	at := time.Date(2026, 3, g.int(30)+1, g.int(23), g.int(59), 0, 0, time.UTC)
	switch g.int(2) {
	case 0:
		at = at.Truncate(24 * time.Hour)
		return &ast.Time{Value: at, Raw: at.Format("2006-01-02")}
	case 1:
		return &ast.Time{Value: at, Raw: at.Format("2006-01-02T15:04")}
	default:
		local := at.In(time.FixedZone("", -3*3600))
		return &ast.Time{Value: at, Offset: true, Raw: local.Format("2006-01-02T15:04:05Z07:00")}
	}
}

func (g gen) literal() ast.Expr {
	switch g.int(6) {
	case 0:
		return g.text()
	case 1:
		return &ast.Integer{Value: rapid.Int64Range(0, 1<<62).Draw(g.t, "integer")}
	case 2:
		return &ast.Decimal{Digits: rapid.Int64Range(0, 999_999_999).Draw(g.t, "digits"), Scale: g.int(11) + 1}
	case 3:
		return g.duration()
	case 4:
		return g.time()
	default:
		return &ast.Bool{Value: g.yes()}
	}
}

func (g gen) ident() *ast.Ident {
	if g.int(3) == 0 {
		return &ast.Ident{Name: rapid.SampledFrom([]string{"events", "all_events", "burns", "now"}).Draw(g.t, "reserved")}
	}
	return &ast.Ident{Name: g.word()}
}

// expr draws an expression of a depth.
func (g gen) expr(depth int) ast.Expr {
	if depth == 0 {
		if g.yes() {
			return g.literal()
		}
		return g.ident()
	}
	depth--
	switch g.int(9) {
	case 0:
		return g.expr(0)
	case 1:
		return &ast.Select{X: g.expr(depth), Name: g.field()}
	case 2:
		return g.call(depth)
	case 3:
		return &ast.List{Items: several(g, 3, func() ast.Expr { return g.expr(depth) })}
	case 4:
		return &ast.Unary{Op: ast.UnaryOp(g.int(int(ast.Has))), X: g.expr(depth)}
	case 5:
		return &ast.If{Cond: g.expr(depth), Then: g.expr(depth), Else: g.expr(depth)}
	case 6, 7:
		x := g.expr(depth)
		if _, ok := x.(*ast.Pipe); ok { // pipes of pipes are one pipe
			x = g.ident()
		}
		stages := several(g, 3, func() ast.Stage { return g.stage(depth) })
		return &ast.Pipe{X: x, Stages: append(stages, g.stage(depth))}
	default:
		y := g.expr(depth)
		if g.test && g.int(4) == 0 {
			y = &ast.Verdict{Outcome: ast.Outcome(g.int(2)), Clause: &ast.Name{Text: "metered"}}
		}
		return &ast.Binary{Op: ast.BinaryOp(g.int(int(ast.Div))), X: g.expr(depth), Y: y}
	}
}

func several[T any](g gen, most int, one func() T) []T {
	var out []T
	for range g.int(most) {
		out = append(out, one())
	}
	return out
}

func (g gen) call(depth int) *ast.Call {
	var fun ast.Expr = g.ident()
	if g.yes() {
		fun = &ast.Select{X: g.expr(depth), Name: g.field()}
	}
	return &ast.Call{Fun: fun, Args: g.args(depth)}
}

func (g gen) args(depth int) []*ast.Arg {
	return several(g, 3, func() *ast.Arg {
		a := &ast.Arg{Value: g.expr(depth)}
		if g.int(3) == 0 {
			a.Name = g.name()
		}
		return a
	})
}

func (g gen) keys(depth int) []ast.Expr {
	keys := several(g, 2, func() ast.Expr { return g.expr(depth) })
	if g.int(4) == 0 {
		keys = append(keys, &ast.Ident{Name: "segment"})
	}
	return append(keys, g.expr(depth))
}

func (g gen) stage(depth int) ast.Stage {
	switch g.int(11) {
	case 0, 1:
		return &ast.Where{Cond: g.expr(depth)}
	case 2:
		return &ast.Last{Duration: g.expr(depth)}
	case 3:
		return &ast.Since{Time: g.expr(depth)}
	case 4:
		return &ast.Per{Period: ast.Period(g.int(2))}
	case 5:
		return &ast.FromFirst{Duration: g.expr(depth)}
	case 6:
		return &ast.Distinct{Keys: g.keys(depth)}
	case 7:
		return &ast.By{Keys: g.keys(depth)}
	case 8:
		return &ast.Then{Stream: g.expr(depth), Within: g.expr(depth)}
	case 9:
		return &ast.Unless{Stream: g.expr(depth), Within: g.expr(depth)}
	case 10:
		end := &ast.End{Op: ast.EndOp(g.int(int(ast.Latest)))}
		if end.Op.HasOperand() {
			end.Of = g.expr(depth)
		}
		return end
	default:
		return &ast.Apply{Fun: &ast.Name{Text: rapid.SampledFrom([]string{"sport", "lower", "take", "item"}).Draw(g.t, "function")}, Args: g.args(depth)}
	}
}

func (g gen) ranking() ast.Stage {
	switch g.int(4) {
	case 0:
		return &ast.Where{Cond: g.expr(2)}
	case 1:
		return &ast.Boost{Factor: g.expr(1), Cond: g.expr(2)}
	case 2:
		return &ast.AtMost{Count: g.expr(1), Key: g.expr(1)}
	case 3:
		return &ast.Pin{Item: g.expr(1), Place: g.expr(1)}
	default:
		return &ast.Take{Count: g.expr(1)}
	}
}

func (g gen) options() []*ast.Option {
	return several(g, 3, func() *ast.Option {
		o := &ast.Option{Name: g.name(), Value: g.expr(2)}
		if _, ok := o.Value.(*ast.Ident); ok && g.yes() {
			o.Arg = g.duration()
		}
		return o
	})
}

func (g gen) clause() *ast.Clause {
	c := &ast.Clause{Outcome: ast.Outcome(g.int(2)), Name: g.free()}
	if g.yes() {
		c.Cond = g.expr(2)
	}
	if g.int(3) == 0 {
		c.Burns = g.free()
	}
	if g.int(3) == 0 {
		c.Price = &ast.Price{Amount: g.expr(1), Currency: &ast.Name{Text: "EUR"}}
	}
	if g.int(3) == 0 {
		c.Offers = g.free()
	}
	return c
}

func (g gen) entries() []*ast.Entry {
	return several(g, 3, func() *ast.Entry { return &ast.Entry{Key: g.field(), Value: g.expr(1)} })
}

func (g gen) setup() ast.Setup {
	switch g.int(2) {
	case 0:
		return &ast.SiteSetup{Entries: g.entries()}
	case 1:
		return &ast.ReaderSetup{Entries: g.entries()}
	default:
		s := &ast.ItemSetup{First: g.free(), Entries: g.entries()}
		if g.yes() {
			s.Last = g.free()
		}
		return s
	}
}

func (g gen) step() ast.Step {
	at := g.time()
	switch g.int(4) {
	case 0:
		s := &ast.ReadStep{At: at, Items: append(several(g, 2, g.free), g.free())}
		if g.yes() {
			s.Through = g.free()
		}
		return s
	case 1:
		return &ast.EventStep{At: at, Type: g.text(), Entries: g.entries()}
	case 2:
		return &ast.LoginStep{At: at, Account: g.text()}
	case 3:
		return &ast.LogoutStep{At: at}
	default:
		g.test = true
		return &ast.ExpectStep{At: at, Cond: g.expr(2)}
	}
}

func (g gen) decl() ast.Decl {
	switch rapid.SampledFrom(token.Declarations).Draw(g.t, "declaration") {
	case "use":
		return &ast.Use{File: g.text()}
	case "let":
		return &ast.Let{Name: g.name(), Params: several(g, 2, g.name), Body: g.expr(3)}
	case "segment":
		return &ast.Segment{Name: g.name(), Body: g.expr(3)}
	case "meter":
		return &ast.Meter{Name: g.name(), Options: g.options(), Body: g.expr(2)}
	case "access":
		return &ast.Access{Name: g.name(), Options: g.options(), Clauses: several(g, 4, g.clause)}
	case "metric":
		return &ast.Metric{Name: g.name(), Body: g.expr(3)}
	case "strategy":
		s := &ast.Strategy{Name: g.name(), Stages: several(g, 4, g.ranking)}
		candidate := func() *ast.Candidate {
			c := &ast.Candidate{Source: g.call(1)}
			if g.yes() {
				c.Weight = g.expr(1)
			}
			return c
		}
		s.Candidates = append(several(g, 3, candidate), candidate())
		return s
	default:
		return &ast.Test{Title: g.text(), Setup: several(g, 3, g.setup), Steps: several(g, 4, g.step)}
	}
}

func (g gen) program() *ast.Program {
	p := &ast.Program{Decls: several(g, 5, g.decl)}
	if g.int(4) == 0 {
		p.Version = &ast.Version{Number: 1}
	}
	return p
}
