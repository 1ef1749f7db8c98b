package explain

import (
	"fmt"
	"strings"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Program says in plain English what a program means.
func Program(p *plan.Program) string {
	s := speaker{p}
	var b strings.Builder
	if len(p.Segments) > 0 {
		b.WriteString("Segments: a reader is in\n")
	}
	for _, g := range p.Segments {
		fmt.Fprintf(&b, "  %s\n      if %s.\n", g.Name, s.says(g.Expr, true))
	}
	for _, m := range p.Meters {
		s.writeMeter(&b, m)
	}
	for _, a := range p.Accesses {
		s.writeAccess(&b, a)
	}
	if len(p.Metrics) > 0 {
		b.WriteString("Metrics, over all readers\n")
	}
	for _, m := range p.Metrics {
		fmt.Fprintf(&b, "  %s\n      is %s.\n", m.Name, s.metric(m))
	}
	for i, t := range p.Tests {
		if i == 0 {
			b.WriteString("Tests\n")
		}
		fmt.Fprintf(&b, "  %s\n", t.Title)
	}
	return b.String()
}

// OfSegment says in plain English who is in a segment.
func OfSegment(p *plan.Program, g *plan.Segment) string {
	return "A reader is in it if " + speaker{p}.says(g.Expr, true) + "."
}

// OfMeter says in plain English what a meter counts.
func OfMeter(p *plan.Program, m *plan.Meter) string {
	var b strings.Builder
	speaker{p}.writeMeter(&b, m)
	return b.String()
}

// OfAccess says in plain English what an access block decides.
func OfAccess(p *plan.Program, a *plan.Access) string {
	var b strings.Builder
	speaker{p}.writeAccess(&b, a)
	return b.String()
}

// OfMetric says in plain English what a metric is.
func OfMetric(p *plan.Program, m *plan.Metric) string { return "It is " + speaker{p}.metric(m) + "." }

// OfExpr says in plain English what an expression is.
func OfExpr(p *plan.Program, e *plan.Expr) string {
	s := speaker{p}
	said := s.noun(e)
	if e.Type == value.Bool {
		said = "whether " + s.says(e, true)
	}
	return "It is " + strings.TrimSuffix(said, ",") + "." // the comma joins what follows
}

func (s speaker) metric(m *plan.Metric) string {
	if len(m.Keys) == 0 {
		return s.noun(m.Expr)
	}
	return s.noun(m.Expr) + ", for each " + s.keys(m.Keys)
}

var mergeWords = [...]string{plan.MergeUnion: "the articles of the device and of the account count together", plan.MergeMax: "the larger of the device's and the account's articles counts",
	plan.MergeAccount: "only the account's articles count"}

func (s speaker) writeMeter(b *strings.Builder, m *plan.Meter) {
	window := s.window(m.Window)
	if m.FromFirst > 0 {
		window = "within " + duration(m.FromFirst) + " from the first one"
	}
	fmt.Fprintf(b, "Meter %s\n  counts the articles %s that were let through on it, each once.\n  The limit is %s", m.Name, window, s.noun(m.Limit))
	if m.Sticky {
		b.WriteString("; the one at the first article stays until the window ends")
	}
	fmt.Fprintf(b, ".\n  After a login %s.\n", mergeWords[m.Merge])
}

var verbs = [...]string{plan.Allow: "let through", plan.Deny: "stop", plan.Charge: "charge"}

func (s speaker) writeAccess(b *strings.Builder, a *plan.Access) {
	fmt.Fprintf(b, "Access %s: the first that holds decides\n", a.Name)
	for i, c := range a.Clauses {
		said := verbs[c.Outcome]
		if c.Price != nil {
			said += " " + s.noun(c.Price) + " " + c.Currency
		}
		if c.Cond == nil {
			said += ", whatever else"
		} else {
			said += " if " + s.says(c.Cond, true)
		}
		if c.Burns >= 0 {
			said += "; the article counts on `" + s.p.Meters[c.Burns].Name + "`"
		}
		if c.Offers != "" {
			said += "; the page `" + c.Offers + "` is shown"
		}
		fmt.Fprintf(b, "  %2d. %s: %s.\n", i+1, c.Name, said)
	}
	fmt.Fprintf(b, "  An article counts when it %s. Without an answer within %s the reader is %s.\n", s.counts(a), duration(a.Deadline), map[bool]string{false: "let through", true: "stopped"}[a.Closed])
}

func (s speaker) counts(a *plan.Access) string {
	switch a.Counts {
	case plan.CountsRequest:
		return "is asked for"
	case plan.CountsRendered:
		return "is shown"
	case plan.CountsEngaged:
		return "was read for " + duration(a.Amount)
	default:
		return fmt.Sprintf("was scrolled to %d %%", a.Amount)
	}
}
