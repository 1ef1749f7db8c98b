// Package explain says why: why an access block decided as it did, why a reader
// is in a segment or not, and what a whole program means, in plain English and as
// values that go out as JSON.
//
// It reads the plan and asks the fold, so that what it says is what was decided.
package explain

import (
	"slices"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Fact is one condition that decided, with what it looked at. Code is how the
// program writes it, Says how English does.
type Fact struct {
	Code   string  `json:"code"`
	Says   string  `json:"says"`
	Holds  bool    `json:"holds"`
	Values []Value `json:"values,omitempty"`
}

// Value is what a part of a condition was. Value is a Boolean, number or text, a
// list of such, or null where it is missing; times are RFC 3339 in the site's
// zone, durations as a program writes them.
type Value struct {
	Of    string `json:"of"`
	Value any    `json:"value"`
}

// because appends the facts that make a condition what it is: of a conjunction
// that does not hold the first that does not, of one that holds all of them.
func (x *explainer) because(e *plan.Expr, facts []Fact) []Fact {
	holds := x.view.Expr(e).True()
	switch e.Op {
	case plan.Not:
		known := len(facts)
		facts = x.because(e.Args[0], facts)
		if len(facts) > known && e.Place == e.Args[0].Place { // `a != b` is written as one
			facts[known].Holds = holds
		}
		return facts
	case plan.And, plan.Or:
		if holds != (e.Op == plan.And) {
			i := slices.IndexFunc(e.Args, func(a *plan.Expr) bool { return x.view.Expr(a).True() == holds })
			return x.because(e.Args[i], facts)
		}
		for _, a := range e.Args {
			facts = x.because(a, facts)
		}
		return facts
	case plan.If:
		facts = x.because(e.Args[0], facts)
		if x.view.Expr(e.Args[0]).True() {
			return x.because(e.Args[1], facts)
		}
		return x.because(e.Args[2], facts)
	case plan.Const:
		return facts
	}
	f := Fact{Code: x.code(e), Says: x.says(e, holds), Holds: holds, Values: x.values(e)}
	if missing := x.missing(e); !holds && missing != nil {
		f.Says = x.noun(missing) + " is not known"
	}
	if slices.ContainsFunc(facts, func(o Fact) bool { return o.Says == f.Says }) {
		return facts
	}
	return append(facts, f)
}

// code is how an expression is written. What a `let` has put in its place is
// written where the `let` stands.
func (x *explainer) code(e *plan.Expr) string {
	if len(x.p.Files) == 0 || e.End == 0 {
		return e.String()
	}
	return x.p.Text(e.Place)
}

// missing returns a side of a comparison that has no value, nil if both have.
func (x *explainer) missing(e *plan.Expr) *plan.Expr {
	switch e.Op {
	case plan.Equal, plan.Less, plan.LessSame, plan.In:
		for _, a := range e.Args {
			if x.view.Expr(a).IsMissing() {
				return a
			}
		}
	}
	return nil
}

// values returns the parts of a condition that are looked up, each once.
func (x *explainer) values(e *plan.Expr) []Value {
	var out []Value
	met := map[int]bool{e.Key: true} // whether the condition holds is said
	e.Each(func(part *plan.Expr) {
		if part.Op == plan.Const || part.Op >= plan.Not || met[part.Key] {
			return
		}
		met[part.Key] = true
		out = append(out, Value{x.part(part), x.plain(x.view.Expr(part))})
	})
	return out
}

// part is the name of a part that is looked up.
func (x *explainer) part(e *plan.Expr) string {
	switch e.Op {
	case plan.SegmentMember:
		return x.p.Segments[e.Ref].Name
	case plan.MeterUsed, plan.MeterLeft, plan.MeterLimit, plan.MeterResetsAt:
		return x.p.Meters[e.Ref].Name + e.Op.String()[len("meter"):]
	case plan.FoldValue:
		return x.noun(e)
	default:
		return x.code(e)
	}
}

// plain is a value as JSON has it.
func (x *explainer) plain(v value.Value) any {
	switch v.Type {
	case value.Missing:
		return nil
	case value.Bool:
		return v.True()
	case value.Int:
		return v.N
	case value.Decimal:
		return decimal(v.N)
	case value.Time:
		return x.stamp(v.N)
	case value.Duration:
		return v.String()
	case value.List:
		out := []any{}
		for _, item := range v.Items() {
			out = append(out, x.plain(item))
		}
		return out
	default:
		return v.S
	}
}

// decimal is a number of micro-units that goes out without loss.
type decimal int64

// MarshalJSON writes the number.
func (d decimal) MarshalJSON() ([]byte, error) { return []byte(value.FormatMicro(int64(d))), nil }

// explainer explains what one view says.
type explainer struct {
	speaker
	view *fold.View
}

func newExplainer(v *fold.View) *explainer { return &explainer{speaker{v.Program}, v} }
