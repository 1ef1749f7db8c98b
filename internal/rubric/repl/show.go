package repl

import (
	"fmt"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// shownRows is how many rows are shown at most, the newest ones.
const shownRows = 10

// show says the value of an expression, its type, why it is so and what it
// costs.
func (s *Session) show(p *plan.Program, a *check.Answer) string {
	v := s.world.View(p, s.now, "")
	var b strings.Builder
	switch a.Kind {
	case check.OfMeter:
		m := explain.MeterState(v, a.Ref)
		fmt.Fprintf(&b, "%d of %d : meter\n  %s.\n", m.Used, m.Limit, m.Sentence)
		for _, e := range m.Entries {
			fmt.Fprintf(&b, "  %s at %s\n", e.Item, e.At)
		}
		b.WriteString(costs(&p.Meters[a.Ref].Cost))
		return b.String()
	case check.OfDecision:
		d := explain.Decide(v.About(v.Expr(a.Expr).S), a.Ref, 0)
		fmt.Fprintf(&b, "%s %s : decision\n  %s\n%s", d.Decision, d.Clause, d.Sentence, costs(&p.Accesses[a.Ref].Cost))
		return b.String()
	case check.OfRows:
		rows := v.Stream(a.Ref)
		fmt.Fprintf(&b, "%s\n", plural(len(rows), "row"))
		if n := len(rows) - shownRows; n > 0 {
			fmt.Fprintf(&b, "  … %d earlier ones\n", n)
			rows = rows[n:]
		}
		for _, r := range rows {
			fmt.Fprintf(&b, "  %s\n", shownRow(p, r))
		}
	default:
		x, t := v.Expr(a.Expr), a.Expr.Type
		if t == value.Any && !x.IsMissing() {
			t = x.Type
		}
		fmt.Fprintf(&b, "%s : %s\n%s", shown(p, x), t, why(v, a.Expr))
	}
	b.WriteString(costs(&a.Cost))
	return b.String()
}

// why explains a value, "" for what is written down.
func why(v *fold.View, e *plan.Expr) string {
	switch {
	case e.IsConst():
		return ""
	case e.Op == plan.SegmentMember:
		return "  " + explain.Member(v, e.Ref, 0).Sentence + "\n"
	case e.Type == value.Bool:
		return fmt.Sprintf("  Because %s.\n", explain.Condition(v, e))
	default:
		return "  " + explain.OfExpr(v.Program, e) + "\n"
	}
}

// costs says what is estimated, "" for what looks at no rows.
func costs(c *plan.Cost) string {
	if c.Rows == 0 {
		return ""
	}
	return fmt.Sprintf("  For an active reader: %s, about %.1f µs.\n", plural(int(c.Rows), "row"), float64(c.NanosPerEvent)/1000)
}

// shown is a value as a program writes it, times in the site's zone.
func shown(p *plan.Program, v value.Value) string {
	switch v.Type {
	case value.Missing:
		return "missing"
	case value.Time:
		return stamp(p, v.N)
	default:
		return v.String()
	}
}

// stamp is an instant in the site's zone.
func stamp(p *plan.Program, ms int64) string { return p.At(ms).Format(stampLayout) }

const stampLayout = "2006-01-02T15:04:05.999Z07:00"

func (s *Session) stampNow() string {
	return time.UnixMilli(s.now).In(s.schema.Calendar.Zone).Format(stampLayout)
}

// shownRow is a row on one line.
func shownRow(p *plan.Program, row fold.Row) string {
	parts := []string{stamp(p, row.Time()), row.Column(plan.Column(event.ColType)).S}
	for c := range plan.NumColumns {
		switch c {
		case plan.ColTime, plan.ColDay, plan.ColWeek, plan.ColMonth, plan.ColVisit, plan.ColStartsVisit, plan.ColDevice, plan.ColView, plan.Column(event.ColType):
			continue
		}
		if v := row.Column(c); !v.IsMissing() {
			parts = append(parts, c.String()+": "+shown(p, v))
		}
	}
	if r, ok := row.(*memory.Row); ok {
		for _, name := range sorted(r.Properties) {
			parts = append(parts, name+": "+shown(p, r.Properties[name]))
		}
	}
	return strings.Join(parts, "  ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
