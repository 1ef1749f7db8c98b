package check_test

import (
	"testing"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

// Ask says of what stands behind `expect` what it is, whatever it is, and what is
// wrong with it where it is nothing.
func TestAsk(t *testing.T) {
	for _, tt := range []struct {
		expr string
		kind check.AnswerKind
		typ  string // of a value; "" for what is none
	}{
		{"m.left + 1", check.OfValue, "integer"},
		{"reader.first_seen", check.OfValue, "time"},
		{"s", check.OfValue, "boolean"},
		{`["a", "b"]`, check.OfValue, "list"},
		{"events |> last 3d", check.OfRows, "integer"},
		{"m", check.OfMeter, ""},
		{"story(a)", check.OfDecision, "text"},
	} {
		p, a, diagnostics := ask(tt.expr)
		if p == nil {
			t.Errorf("%s: %v", tt.expr, diagnostics)
			continue
		}
		typ := ""
		if a.Expr != nil {
			typ = a.Expr.Type.String()
		}
		if a.Kind != tt.kind || typ != tt.typ {
			t.Errorf("%s: kind %d, type %q", tt.expr, a.Kind, typ)
		}
	}
	for _, wrong := range []string{"reader", "allow all", "item.kind", "x", "events |> by item", "[1, reader.traits.n]", "all_events"} {
		if p, a, diagnostics := ask(wrong); p != nil || a != nil || !source.HasErrors(diagnostics) {
			t.Errorf("%s: %+v, %v", wrong, a, diagnostics)
		}
	}
}

func ask(expr string) (*plan.Program, *check.Answer, []source.Diagnostic) {
	f := source.NewFile("main", `segment s = events |> any
meter m (limit: 5) = burns |> per month |> distinct item
access story { allow all }
test "t" {
  item a {}
  at 2026-03-01 expect `+expr+`
}`)
	tree, diagnostics := parse.File(f)
	if source.HasErrors(diagnostics) {
		return nil, nil, diagnostics
	}
	step := tree.Decls[3].(*ast.Test).Steps[0].(*ast.ExpectStep)
	return check.Ask([]*ast.Program{tree}, schema.Default(), 0, step.Cond)
}
