package explain

import (
	"fmt"
	"strings"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Decision explains a decision. Facts are those of the clause that held, Tried
// the clauses above it with the facts for which they did not hold.
type Decision struct {
	Access   string  `json:"access"`
	Version  int64   `json:"program_version,omitempty"`
	At       string  `json:"at"` // RFC 3339 in the site's zone
	Item     string  `json:"item"`
	Decision string  `json:"decision"` // allow, deny or charge
	Clause   string  `json:"clause"`
	Offer    string  `json:"offer,omitempty"`
	Price    string  `json:"price,omitempty"` // with its currency
	Facts    []Fact  `json:"facts,omitempty"`
	Tried    []Tried `json:"tried,omitempty"`
	Meter    *Meter  `json:"meter,omitempty"`
	Sentence string  `json:"sentence"`
}

// Tried is a clause that did not hold.
type Tried struct {
	Clause string `json:"clause"`
	Facts  []Fact `json:"facts"`
}

// Meter explains the state of a meter.
type Meter struct {
	Name     string  `json:"name"`
	Used     int64   `json:"used"`
	Limit    int64   `json:"limit"`
	Left     int64   `json:"left"`
	ResetsAt string  `json:"resets_at,omitempty"`
	Window   string  `json:"window"`
	Entries  []Entry `json:"entries"`
	Older    int64   `json:"older,omitempty"` // how many more there are, that were not recorded
	Sentence string  `json:"sentence"`
}

// Entry is an item in a meter and when it was first read.
type Entry struct {
	Item string `json:"item"`
	At   string `json:"at"`
}

// Decide explains the decision of an access block about the item that a view
// asks for. version is the program's, 0 if it has none.
func Decide(v *fold.View, access int, version int64) *Decision {
	return Decided(v, v.Decide(access), version)
}

// Decided explains a decision that was made on a view.
func Decided(v *fold.View, d fold.Decision, version int64) *Decision {
	x := newExplainer(v)
	out := &Decision{Access: d.Access.Name, Version: version, At: x.stamp(v.Now), Item: v.Item, Decision: d.Clause.Outcome.String(), Clause: d.Clause.Name, Offer: d.Clause.Offers}
	if d.Clause.Outcome == plan.Charge {
		out.Price = d.Price.String() + " " + d.Clause.Currency
	}
	for _, c := range d.Access.Clauses[:d.Index] {
		out.Tried = append(out.Tried, Tried{c.Name, x.because(c.Cond, nil)})
	}
	if d.Clause.Cond != nil {
		out.Facts = x.because(d.Clause.Cond, nil)
	}
	if d.Meter != fold.NoMeter {
		out.Meter = x.meter(d.Meter)
	}
	out.Sentence = x.sentence(d, out)
	return out
}

var outcomeWords = [...]string{plan.Allow: "Allowed", plan.Deny: "Stopped", plan.Charge: "Charged"}

// sentence says a decision. Where a meter decided, its count says why; else the
// facts do.
func (x *explainer) sentence(d fold.Decision, out *Decision) string {
	said := outcomeWords[d.Clause.Outcome]
	if out.Price != "" {
		said += " " + out.Price
	}
	said += " by `" + d.Clause.Name + "`: "
	if d.Meter != fold.NoMeter {
		if inMeter := facts(out.Facts, "in the meter"); d.Clause.Outcome == plan.Allow && inMeter != "" {
			said += inMeter + "; "
		}
		return said + out.Meter.Sentence + "."
	}
	if why := facts(out.Facts, ""); why != "" {
		return said + why + "."
	}
	return said + "no clause above it holds."
}

// facts lists those of the facts that say something.
func facts(list []Fact, with string) string {
	var parts []string
	for _, f := range list {
		if strings.Contains(f.Says, with) {
			parts = append(parts, f.Says)
		}
	}
	return enumerate(parts, "and")
}

// MeterState explains the state of a meter.
func MeterState(v *fold.View, meter int) *Meter { return newExplainer(v).meter(meter) }

func (x *explainer) meter(id int) *Meter {
	m := x.view.Meter(id)
	out := &Meter{Name: m.Name, Used: m.Used(), Limit: m.Limit, Left: m.Left(), Entries: []Entry{}, Older: m.Older}
	from := x.view.Now
	for _, b := range m.Entries {
		from = min(from, b.Time)
		out.Entries = append(out.Entries, Entry{b.Item, x.stamp(b.Time)})
	}
	if m.ResetsAt.Type == value.Time {
		out.ResetsAt = x.stamp(m.ResetsAt.N)
	}
	out.Window = x.span(m.Meter, x.view.Now, from)
	verb := "are"
	if m.Used() == 1 {
		verb = "is"
	}
	out.Sentence = fmt.Sprintf("%d of %d articles %s %s used; the limit is %d%s", m.Used(), m.Limit, out.Window, verb, m.Limit, x.whyLimit(m))
	return out
}

// whyLimit says what the limit follows from, and what it would be otherwise:
// " because this reader is not registered (10 if registered)".
func (x *explainer) whyLimit(m *fold.Meter) string {
	if m.Limit != m.Today {
		return fmt.Sprintf(" since the first of them (%d today)", m.Today)
	}
	var reasons, others []string
	e := m.Meter.Limit
	for e.Op == plan.If {
		cond, other := e.Args[0], e.Args[2]
		holds := x.view.Expr(cond).True()
		e = e.Args[1]
		if !holds {
			e, other = other, e
		}
		reasons = append(reasons, x.says(cond, holds))
		others = append(others, fmt.Sprintf("%s if %s", x.noun(other), strings.TrimPrefix(x.says(cond, !holds), "this reader is ")))
	}
	switch {
	case len(reasons) > 0:
		return fmt.Sprintf(" because %s (%s)", enumerate(reasons, "and"), strings.Join(others, ", "))
	case e.IsConst():
		return ""
	default:
		return ", which is " + x.noun(e)
	}
}
