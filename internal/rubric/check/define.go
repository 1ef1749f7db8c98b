package check

import (
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

func (c *checker) segment(d *definition, s *ast.Segment) bool {
	en := &env{position: position{place: inSegment}, file: d.file}
	x := c.eval(en, s.Body)
	if !c.there(en, &x, value.Bool, "in a segment") {
		return false
	}
	seg := c.b.AddSegment(&plan.Segment{Name: d.name.Text, Place: en.at(s), Expr: x.expr})
	d.index = seg.ID
	return true
}

// metric takes a number over all readers.
func (c *checker) metric(d *definition, m *ast.Metric) bool {
	en := &env{position: position{place: inMetric}, file: d.file}
	x := c.eval(en, m.Body)
	if x.kind == isValue && x.typ() == value.Duration {
		if !c.present(en, &x, "in a metric") {
			return false
		}
	} else if !c.there(en, &x, value.Decimal, "in a metric") {
		return false
	}
	out := &plan.Metric{Name: d.name.Text, Place: en.at(m), Expr: x.expr}
	folds := c.b.FoldsOf(x.expr)
	if len(folds) == 0 {
		c.fail(en, m.Body, "metric", "such as `events |> where type == \"page_view\" |> count`", "a metric is made of rows, found a constant")
		return false
	}
	for i, f := range folds {
		keys := c.b.KeysOf(f)
		if i > 0 && !slices.EqualFunc(keys, out.Keys, func(a, b *plan.Expr) bool { return a.Key == b.Key }) {
			c.errorAt(f.Place, "metric", "write the same `by` in all of them", "the parts of a metric are grouped by the same keys, this one by others than the first")
			return false
		}
		out.Keys = keys
	}
	d.index = c.b.AddMetric(out).ID
	return true
}
