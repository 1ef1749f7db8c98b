package explain

import (
	"fmt"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Membership explains why a reader is in a segment or not.
type Membership struct {
	Segment  string `json:"segment"`
	Version  int64  `json:"program_version,omitempty"`
	At       string `json:"at"` // RFC 3339 in the site's zone
	Member   bool   `json:"member"`
	Facts    []Fact `json:"facts,omitempty"`
	Sentence string `json:"sentence"`
}

// Member explains a segment. version is the program's, 0 if it has none.
func Member(v *fold.View, segment int, version int64) *Membership {
	x := newExplainer(v)
	s := v.Program.Segments[segment]
	out := &Membership{Segment: s.Name, Version: version, At: x.stamp(v.Now), Member: v.Segment(segment), Facts: x.because(s.Expr, nil)}
	word := "In"
	if !out.Member {
		word = "Not in"
	}
	out.Sentence = fmt.Sprintf("%s `%s`: %s.", word, s.Name, x.counted(out.Facts))
	return out
}

// Condition says why a condition holds or does not.
func Condition(v *fold.View, e *plan.Expr) string {
	x := newExplainer(v)
	return x.counted(x.because(e, nil))
}

// counted lists facts, with the number that was compared.
func (x *explainer) counted(list []Fact) string {
	if len(list) == 0 {
		return "the condition is always the same"
	}
	var parts []string
	for _, f := range list {
		said := f.Says
		if len(f.Values) == 1 {
			switch n := f.Values[0].Value.(type) {
			case int64:
				said += fmt.Sprintf(" (it is %d)", n)
			case decimal:
				said += fmt.Sprintf(" (it is %s)", value.FormatMicro(int64(n)))
			}
		}
		parts = append(parts, said)
	}
	return enumerate(parts, "and")
}
