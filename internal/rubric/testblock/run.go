// Package testblock runs the `test` blocks of programs, each in a world of its
// own in memory, on the plain evaluator.
package testblock

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

// Code is that of the diagnostics of tests that fail.
const Code = "test_failed"

// Result is what became of a test.
type Result struct {
	Title    string
	Expects  int                 // lines with `expect` that ran
	Failures []source.Diagnostic // of those that were not as expected; with errors of the test itself
}

// OK tells whether all was as expected.
func (r *Result) OK() bool { return len(r.Failures) == 0 }

// MaxRows bounds the events and reads of one test.
const MaxRows = 1000

// Run runs all tests of a program that is OK, in their order. It fails only when
// ctx ends, which it looks at before every step.
func Run(ctx context.Context, p *rubric.Program) ([]Result, error) {
	out := make([]Result, len(p.Plan.Tests))
	for n, t := range p.Plan.Tests {
		out[n].Title = t.Title
		made, diagnostics := p.Test(n)
		if made == nil {
			out[n].Failures = diagnostics
			continue
		}
		if err := runOne(ctx, made, &out[n]); err != nil {
			return nil, fmt.Errorf("run test %q: %w", t.Title, err)
		}
	}
	return out, nil
}

// runOne runs the only test of a plan.
func runOne(ctx context.Context, p *plan.Program, out *Result) error {
	w := NewWorld(p.Tests[0])
	rows := 0
	for i := range p.Tests[0].Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &p.Tests[0].Steps[i]
		if rows += Rows(s); rows > MaxRows {
			f := p.Files[s.File]
			out.Failures = append(out.Failures, f.Diagnose(source.Error, s.Span, Code, fmt.Sprintf("a test has %d events and reads at most", MaxRows), "write several tests"))
			return nil
		}
		if s.Kind != plan.Expect {
			w.Step(p, s)
			continue
		}
		out.Expects++
		if failure, ok := w.Expect(p, s); !ok {
			out.Failures = append(out.Failures, failure)
		}
	}
	return nil
}

// Rows is how many events and reads a step has.
func Rows(s *plan.Step) int {
	switch s.Kind {
	case plan.Read:
		return len(s.Items)
	case plan.Event:
		return 1
	default:
		return 0
	}
}

// Expect tells whether the condition of a step holds, and if not what was found.
func (w *World) Expect(p *plan.Program, s *plan.Step) (source.Diagnostic, bool) {
	if v := w.View(p, s.At, ""); !v.Expr(s.Cond).True() {
		return failure(v, s), false
	}
	return source.Diagnostic{}, true
}

// failure says what was found in place of what was expected, at the condition.
func failure(v *fold.View, s *plan.Step) source.Diagnostic {
	part := unmet(v, s.Cond)
	if part.File != s.File || part.Start < s.Start || part.End > s.End { // within a let
		part = s.Cond
	}
	f, at := v.Program.Files[s.File], part.Span
	found, why := differs(v, part, true)
	message := fmt.Sprintf("expected `%s`, found %s", strings.Join(strings.Fields(f.Slice(at)), " "), found)
	return f.Diagnose(source.Error, at, Code, message, why)
}

// unmet returns the first part of a conjunction that does not hold.
func unmet(v *fold.View, e *plan.Expr) *plan.Expr {
	if e.Op != plan.And {
		return e
	}
	i := slices.IndexFunc(e.Args, func(a *plan.Expr) bool { return !v.Expr(a).True() })
	return unmet(v, e.Args[i])
}

// differs says what was found where a condition was to hold or not to hold, and
// why.
func differs(v *fold.View, e *plan.Expr, want bool) (found, why string) {
	switch e.Op {
	case plan.Not:
		return differs(v, e.Args[0], !want)
	case plan.And, plan.Or:
		for _, a := range e.Args {
			if v.Expr(a).True() != want {
				return differs(v, a, want)
			}
		}
	case plan.VerdictIs:
		d := explain.Decide(v.About(v.Expr(e.Args[0]).S), e.Ref, 0)
		return fmt.Sprintf("`%s %s`", d.Decision, d.Clause), d.Sentence
	case plan.SegmentMember:
		m := explain.Member(v, e.Ref, 0)
		return fmt.Sprintf("that the reader is%s in it", map[bool]string{false: " not"}[m.Member]), m.Sentence
	case plan.Equal, plan.Less, plan.LessSame:
		return sides(v, e), meters(v, e)
	}
	return fmt.Sprintf("`%s`", v.Expr(e)), meters(v, e)
}

// sides says what the sides of a comparison are that are not written down.
func sides(v *fold.View, e *plan.Expr) string {
	var parts []string
	for _, a := range e.Args {
		if a.IsConst() {
			continue
		}
		x := v.Expr(a)
		shown := x.String()
		if x.Type == value.Time {
			shown = v.Program.At(x.N).Format("2006-01-02T15:04:05.999Z07:00")
		}
		parts = append(parts, fmt.Sprintf("`%s`", shown))
	}
	return strings.Join(parts, " and ")
}

// meters explains the first meter that a condition names.
func meters(v *fold.View, e *plan.Expr) (why string) {
	e.Each(func(part *plan.Expr) {
		if why == "" && part.Op >= plan.MeterUsed && part.Op <= plan.InMeter {
			m := explain.MeterState(v, part.Ref)
			why = m.Sentence
			for _, entry := range m.Entries {
				why += fmt.Sprintf("; %s at %s", entry.Item, entry.At)
			}
		}
	})
	return why
}
