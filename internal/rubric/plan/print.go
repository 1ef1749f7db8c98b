package plan

import (
	"fmt"
	"strings"

	"github.com/readership/readership/internal/rubric/value"
)

// Print returns the plan as text without places: two programs that mean the same
// in the same order have the same.
func (p *Program) Print() string {
	var b strings.Builder
	for _, c := range p.Conditions {
		fmt.Fprintf(&b, "condition %d: %s %s", c.ID, c.Class, c.Expr)
		if c.Lookup != nil {
			fmt.Fprintf(&b, " lookup %s", c.Lookup)
		}
		b.WriteByte('\n')
	}
	for _, pr := range p.Predicates {
		fmt.Fprintf(&b, "predicate %d: row %v item %v both %v asked %v; streams %v folds %v segments %v\n",
			pr.ID, pr.Row, pr.Item, pr.Both, pr.Asked, pr.Streams, pr.Folds, pr.Segments)
	}
	for _, s := range p.Streams {
		fmt.Fprintf(&b, "stream %d: %s; age %s reach %s bases %v%s\n", s.ID, s.print(p.Calendar),
			value.FormatDuration(s.Age), value.FormatDuration(s.Reach), s.Bases, marks(s.Waits, "waits", s.PerRequest, "per request"))
	}
	for _, f := range p.Folds {
		of := ""
		if f.Of != nil {
			of = " " + f.Of.String()
		}
		fmt.Fprintf(&b, "fold %d: stream %d %s%s, %s; segments %v\n", f.ID, f.Stream, f.End, of, f.Type, f.Segments)
	}
	for _, s := range p.Segments {
		fmt.Fprintf(&b, "segment %d %s: %s\n  %s\n", s.ID, s.Name, s.Expr, &s.Uses)
	}
	for _, m := range p.Meters {
		window := m.Window.print(p.Calendar)
		if m.FromFirst > 0 {
			window = "from_first " + value.FormatDuration(m.FromFirst)
		}
		fmt.Fprintf(&b, "meter %d %s: %s, merge %s%s, limit %s\n  %s\n", m.ID, m.Name, window, m.Merge, marks(m.Sticky, "sticky"), m.Limit, &m.Uses)
	}
	for _, a := range p.Accesses {
		fmt.Fprintf(&b, "access %d %s: counts %s %d, deadline %dms%s\n", a.ID, a.Name, a.Counts, a.Amount, a.Deadline, marks(a.Closed, "closed"))
		for _, c := range a.Clauses {
			fmt.Fprintf(&b, "  %s\n", c.print())
		}
		fmt.Fprintf(&b, "  %s\n", &a.Uses)
	}
	for _, m := range p.Metrics {
		fmt.Fprintf(&b, "metric %d %s: %s by %s%s\n  %s\n", m.ID, m.Name, m.Expr, list(m.Keys), marks(m.Adds, "adds"), &m.Uses)
	}
	for _, t := range p.Tests {
		b.WriteString(t.print())
	}
	for _, names := range [][]Typed{p.Properties, p.Attributes, p.Traits} {
		for _, t := range names {
			fmt.Fprintf(&b, "%s %s, ", t.Name, t.Type)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// marks returns those of the words that are true: pairs of bool and string.
func marks(pairs ...any) string {
	out := ""
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].(bool) {
			out += " " + pairs[i+1].(string)
		}
	}
	return out
}

// String returns the expression with its operations before their arguments in
// brackets.
func (e *Expr) String() string {
	switch e.Op {
	case Const:
		return e.Value.String()
	case RowColumn, RequestColumn:
		return e.Op.String() + "." + e.Column.String()
	case RowItem, AskedField:
		return e.Op.String() + "." + e.Field.String()
	case RowProperty, RowAttribute, AskedAttribute, ReaderTrait:
		return fmt.Sprintf("%s.%s:%s", e.Op, e.Name, e.Type)
	case RequestFlag:
		return "request." + e.Flag.String()
	case ExperimentArm:
		return fmt.Sprintf("arm(%q, %d)", e.Name, e.Ref)
	case FoldValue, SegmentMember, MeterUsed, MeterLeft, MeterLimit, MeterResetsAt:
		return fmt.Sprintf("%s[%d]", e.Op, e.Ref)
	case InMeter:
		return fmt.Sprintf("in_meter[%d](%s)", e.Ref, e.Args[0])
	case VerdictIs:
		return fmt.Sprintf("verdict[%d](%s, %s %s)", e.Ref, e.Args[0], e.Outcome, e.Name)
	case Matches:
		return fmt.Sprintf("matches(%s, %q)", e.Args[0], e.Name)
	}
	if len(e.Args) == 0 {
		return e.Op.String()
	}
	return e.Op.String() + "(" + list(e.Args) + ")"
}

func list(exprs []*Expr) string {
	parts := make([]string, len(exprs))
	for i, e := range exprs {
		parts[i] = e.String()
	}
	return strings.Join(parts, ", ")
}

// String returns the column or property and its values.
func (l *Lookup) String() string {
	name := l.Column.String()
	if l.Property != "" {
		name = "properties." + l.Property
	}
	return fmt.Sprint(name, l.Values)
}

func (s *Stream) print(c value.Calendar) string {
	out := s.Source.String()
	for i := range s.Stages {
		st := &s.Stages[i]
		out += " | " + st.Kind.String()
		switch st.Kind {
		case Filter:
			out += fmt.Sprintf(" %d%s", st.Predicate, st.Window.print(c))
		case Then, Unless:
			out += fmt.Sprintf(" %d within %s", st.Other, value.FormatDuration(st.Within))
		default:
			out += " " + list(st.Keys)
		}
	}
	return out
}

func (w Window) print(c value.Calendar) string {
	out := ""
	if w.Last > 0 {
		out += " last " + value.FormatDuration(w.Last)
	}
	if w.HasSince {
		out += " since " + value.OfTime(w.Since).String()
	}
	for p := range value.NumPeriods {
		if w.Periods.Has(p) {
			out += fmt.Sprintf(" per %s in %s from %s", p, c.Zone, c.WeekStart)
		}
	}
	return out
}

func (c *Clause) print() string {
	out := fmt.Sprintf("%s %s", c.Outcome, c.Name)
	if c.Cond != nil {
		out += " if " + c.Cond.String()
	}
	if c.Burns >= 0 {
		out += fmt.Sprintf(" burns %d", c.Burns)
	}
	if c.Price != nil {
		out += fmt.Sprintf(" price %s %s", c.Price, c.Currency)
	}
	if c.Offers != "" {
		out += " offers " + c.Offers
	}
	return fmt.Sprintf("%s; asks %v; %s", out, c.Asks, &c.Uses)
}

// String returns what a definition depends on.
func (u *Uses) String() string {
	facts := ""
	for f := range NumFacts {
		if u.Facts.Has(f) {
			facts += " " + f.String()
		}
	}
	return fmt.Sprintf("folds %v of %v, segments %v of %v, meters %v, facts%s, reach %s%s", u.Folds, u.AllFolds, u.Segments, u.AllSegments, u.Meters,
		facts, value.FormatDuration(u.Reach), marks(u.PerRequest, "per request"))
}

func (t *Test) print() string {
	var b strings.Builder
	fmt.Fprintf(&b, "test %q: %s from %s, %s\n", t.Title, t.Site.Zone, t.Site.WeekStart, value.FormatDuration(t.Site.Window))
	for _, i := range t.Items {
		fmt.Fprintf(&b, "  item %s %v %v\n", i.ID, i.Fields, i.Attributes)
	}
	fmt.Fprintf(&b, "  reader %v\n", t.Reader)
	for i := range t.Steps {
		s := &t.Steps[i]
		fmt.Fprintf(&b, "  at %s %s", value.OfTime(s.At), s.Kind)
		switch s.Kind {
		case Read:
			fmt.Fprintf(&b, " %v through %d", s.Items, s.Access)
		case Event:
			fmt.Fprintf(&b, " %q %v %v", s.Type, s.Columns, s.Properties)
		case Login:
			fmt.Fprintf(&b, " %q", s.Account)
		case Expect:
			fmt.Fprintf(&b, " %s", s.Cond)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
