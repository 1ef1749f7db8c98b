package explain

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// speaker puts parts of a program into English.
type speaker struct{ p *plan.Program }

// says is a clause that tells that a condition holds, or that it does not.
func (s speaker) says(e *plan.Expr, holds bool) string {
	switch e.Op {
	case plan.Not:
		return s.says(e.Args[0], !holds)
	case plan.And, plan.Or:
		word := "and"
		if (e.Op == plan.And) != holds { // not all, or one of them
			word = "or"
		}
		return s.junction(e.Args, word, holds)
	case plan.ReaderRegistered:
		return "this reader" + is(holds) + "registered"
	case plan.ReaderEntitled:
		return "this reader" + is(holds) + "entitled to " + s.noun(e.Args[0])
	case plan.SegmentMember:
		return fmt.Sprintf("this reader%sin the segment `%s`", is(holds), s.p.Segments[e.Ref].Name)
	case plan.InMeter:
		return fmt.Sprintf("%s%sin the meter `%s`", s.noun(e.Args[0]), is(holds), s.p.Meters[e.Ref].Name)
	case plan.VerdictIs:
		return fmt.Sprintf("`%s` of %s%s%s %s", s.p.Accesses[e.Ref].Name, s.noun(e.Args[0]), is(holds), e.Outcome, e.Name)
	case plan.BotVerified:
		return "the robot" + is(holds) + "verified"
	case plan.RequestFlag:
		if holds {
			return fmt.Sprintf("the reader comes with a valid %s link", e.Flag)
		}
		return fmt.Sprintf("the reader does not come with a valid %s link", e.Flag)
	case plan.Has:
		return "there" + is(holds) + s.noun(e.Args[0])
	case plan.Equal:
		x, y := constantLast(e)
		return s.noun(x) + is(holds) + s.noun(y)
	case plan.In:
		return s.noun(e.Args[0]) + is(holds) + "in " + s.noun(e.Args[1])
	case plan.Less, plan.LessSame:
		return s.compares(e, holds)
	case plan.FoldValue:
		if f := s.p.Folds[e.Ref]; f.End == plan.Any {
			if holds {
				return "there are " + s.rows(f.Stream)
			}
			return "there are no " + s.rows(f.Stream)
		}
	case plan.Contains, plan.StartsWith, plan.EndsWith:
		verbs := map[plan.Op][2]string{plan.Contains: {"does not contain", "contains"}, plan.StartsWith: {"does not start with", "starts with"}, plan.EndsWith: {"does not end with", "ends with"}}
		return s.noun(e.Args[0]) + " " + verbs[e.Op][number(holds)] + " " + s.noun(e.Args[1])
	case plan.Matches:
		return fmt.Sprintf("%s %s %q", s.noun(e.Args[0]), [2]string{"does not match", "matches"}[number(holds)], e.Name)
	case plan.If:
		return fmt.Sprintf("if %s then %s, else %s", s.says(e.Args[0], true), s.says(e.Args[1], holds), s.says(e.Args[2], holds))
	case plan.Const:
		if e.IsTrue() == holds {
			return "always"
		}
		return "never"
	}
	return s.noun(e) + is(holds) + "true"
}

func is(holds bool) string {
	if holds {
		return " is "
	}
	return " is not "
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s speaker) junction(args []*plan.Expr, word string, holds bool) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = s.says(a, holds)
		if inner := negated(a); inner.Op == plan.And || inner.Op == plan.Or || inner.Op == plan.If {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return enumerate(parts, word)
}

func negated(e *plan.Expr) *plan.Expr {
	for e.Op == plan.Not {
		e = e.Args[0]
	}
	return e
}

// enumerate lists parts: "a, b and c".
func enumerate(parts []string, word string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	n := len(parts) - 1
	return strings.Join(parts[:n], ", ") + " " + word + " " + parts[n]
}

// constantLast returns the sides of an equation, a constant second.
func constantLast(e *plan.Expr) (x, y *plan.Expr) {
	if e.Args[0].IsConst() {
		return e.Args[1], e.Args[0]
	}
	return e.Args[0], e.Args[1]
}

// compares says an inequality, with what is written down or follows from the
// time behind.
func (s speaker) compares(e *plan.Expr, holds bool) string {
	x, y := e.Args[0], e.Args[1]
	words := [2]string{"at least", "less than"} // of Less: not, yes
	if e.Op == plan.LessSame {
		words = [2]string{"more than", "at most"}
	}
	if !looksUp(x) && looksUp(y) {
		x, y = y, x
		words = [2]string{"at most", "more than"}
		if e.Op == plan.LessSame {
			words = [2]string{"less than", "at least"}
		}
	}
	if y.Type == value.Time {
		words = later(words)
	}
	said := words[number(holds)]
	if !holds && (x.Optional || y.Optional) && y.Type != value.Time { // what is missing is not on the other side
		said = "not " + words[1]
	}
	return fmt.Sprintf("%s is %s %s", s.noun(x), said, s.noun(y))
}

// looksUp tells whether an expression asks for anything but the time.
func looksUp(e *plan.Expr) bool {
	found := false
	e.Each(func(part *plan.Expr) {
		found = found || part.Op != plan.Const && part.Op != plan.TimeNow && part.Op < plan.Not
	})
	return found
}

// later puts comparisons into words for times.
func later(words [2]string) [2]string {
	of := map[string]string{"at least": "not before", "less than": "before", "more than": "after", "at most": "not after"}
	return [2]string{of[words[0]], of[words[1]]}
}

var endWords = [...]string{plan.Sum: "the sum of", plan.Avg: "the mean of", plan.Least: "the smallest of", plan.Greatest: "the greatest of", plan.First: "the first of", plan.Latest: "the latest of"}

// noun is a phrase for a value.
func (s speaker) noun(e *plan.Expr) string {
	switch e.Op {
	case plan.Const:
		return s.value(e.Value)
	case plan.RowColumn:
		if e.Column == plan.Column(event.ColItem) {
			return "the item"
		}
		return "the " + words(e.Column.String())
	case plan.RowProperty:
		return "the property `" + e.Name + "`"
	case plan.RowItem:
		return "the item's " + fieldWords(e.Field)
	case plan.RowAttribute:
		return "the item's `" + e.Name + "`"
	case plan.AskedField:
		if e.Field == plan.FieldID {
			return "the item asked for"
		}
		return "the " + fieldWords(e.Field) + " of the item asked for"
	case plan.AskedAttribute:
		return "the `" + e.Name + "` of the item asked for"
	case plan.RequestColumn:
		return "the request's " + words(e.Column.String())
	case plan.BotClass:
		return "the robot's class"
	case plan.BotOperator:
		return "the robot's operator"
	case plan.ReaderEntitledBy:
		return "what entitles this reader to " + s.noun(e.Args[0])
	case plan.ReaderTrait:
		return "the reader's `" + e.Name + "`"
	case plan.ReaderFirstSeen:
		return "the first visit of this reader"
	case plan.ExperimentArm:
		return "this reader's arm of the experiment " + strconv.Quote(e.Name)
	case plan.TimeNow:
		return "now"
	case plan.FoldValue:
		return s.fold(s.p.Folds[e.Ref])
	case plan.MeterUsed, plan.MeterLeft, plan.MeterLimit, plan.MeterResetsAt:
		return fmt.Sprintf("what `%s` has %s", s.p.Meters[e.Ref].Name, map[plan.Op]string{plan.MeterUsed: "used", plan.MeterLeft: "left", plan.MeterLimit: "as its limit", plan.MeterResetsAt: "as its next reset"}[e.Op])
	}
	return s.operation(e)
}

var operators = map[plan.Op]string{plan.Add: " plus ", plan.Sub: " minus ", plan.Mul: " times ", plan.Div: " divided by ", plan.Coalesce: " or else "}

var functions = map[plan.Op]string{plan.Lower: "in lower case, ", plan.Hour: "the hour of ", plan.Weekday: "the weekday (1 for Monday) of ", plan.Size: "the size of ",
	plan.Min: "the smallest of ", plan.Max: "the greatest of ", plan.Neg: "minus ", plan.ToDecimal: ""}

func (s speaker) operation(e *plan.Expr) string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		if args[i] = s.noun(a); operators[a.Op] != "" {
			args[i] = "(" + args[i] + ")"
		}
	}
	switch {
	case operators[e.Op] != "":
		return strings.Join(args, operators[e.Op])
	case e.Op == plan.If:
		return fmt.Sprintf("%s if %s, else %s", args[1], s.says(e.Args[0], true), args[2])
	case e.Type == value.Bool:
		return "whether " + s.says(e, true)
	default:
		return functions[e.Op] + enumerate(args, "and")
	}
}

func fieldWords(f plan.Field) string {
	switch f {
	case plan.FieldPublishedAt:
		return "time of publication"
	case plan.FieldUpdatedAt:
		return "time of the last change"
	default:
		return f.String()
	}
}

// words is a name of the program as words.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// value is a constant, or a value that was found.
func (s speaker) value(v value.Value) string {
	switch v.Type {
	case value.Time:
		return s.instant(v.N)
	case value.Duration:
		return duration(v.N)
	case value.List:
		var parts []string
		for _, item := range v.Items() {
			parts = append(parts, s.value(item))
		}
		if len(parts) == 0 {
			return "nothing"
		}
		return enumerate(parts, "or")
	case value.Missing:
		return "not known"
	default:
		return v.String()
	}
}

// instant is a time in the site's zone.
func (s speaker) instant(ms int64) string {
	t := s.p.At(ms)
	if t.Hour()+t.Minute()+t.Second()+t.Nanosecond() == 0 {
		return t.Format("2 January 2006")
	}
	return t.Format("2 January 2006 at 15:04")
}

func duration(ms int64) string {
	for _, u := range []struct {
		ms   int64
		name string
	}{{24 * 3600_000, "day"}, {3600_000, "hour"}, {60_000, "minute"}, {1000, "second"}} {
		if ms%u.ms == 0 && ms >= u.ms {
			return count(ms/u.ms, u.name)
		}
	}
	return count(ms, "millisecond")
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// fold is a phrase for what a fold makes of rows.
func (s speaker) fold(f *plan.Fold) string {
	rows := s.rows(f.Stream)
	if strings.Contains(rows, ", ") {
		rows += ","
	}
	switch f.End {
	case plan.Count:
		return "the number of " + rows
	case plan.Any:
		return "whether there are " + rows
	default:
		return endWords[f.End] + " " + s.noun(f.Of) + " over " + rows
	}
}

// rows is a phrase for the rows of a stream, such as "events whose type is
// "page_view", of the last 7 days, one for each item".
func (s speaker) rows(id int) string {
	stream := s.p.Streams[id]
	out := "events"
	if stream.Source == plan.AllEvents {
		out = "events, robots' included"
	}
	for i := range stream.Stages {
		out += s.stage(&stream.Stages[i], i > 0)
	}
	return out
}

func (s speaker) stage(st *plan.Stage, later bool) string {
	switch st.Kind {
	case plan.Distinct:
		return ", one for each " + s.keys(st.Keys)
	case plan.By: // said of the metric
		return ""
	case plan.Then:
		return fmt.Sprintf(", followed within %s by [%s], of which the latter count", duration(st.Within), s.rows(st.Other))
	case plan.Unless:
		return fmt.Sprintf(", not followed within %s by [%s]", duration(st.Within), s.rows(st.Other))
	}
	out := ""
	if w := s.where(s.p.Predicates[st.Predicate]); w != "" {
		out = " where " + w
		if later {
			out = ", of these those where " + w
		}
	}
	if w := s.window(st.Window); w != "" {
		out += ", " + w
	}
	return out
}

func (s speaker) where(p *plan.Predicate) string {
	var parts []string
	for _, list := range [...][]int{p.Row, p.Item, p.Both, p.Asked} {
		for _, c := range list {
			e := s.p.Conditions[c].Expr
			if said := s.says(e, true); negated(e).Op == plan.Or {
				parts = append(parts, "("+said+")")
			} else {
				parts = append(parts, said)
			}
		}
	}
	return enumerate(parts, "and")
}

func (s speaker) keys(keys []*plan.Expr) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = strings.TrimPrefix(s.noun(k), "the ")
	}
	return enumerate(parts, "and")
}

// window is a phrase for a window of a stream, "" for one of all rows.
func (s speaker) window(w plan.Window) string {
	var parts []string
	if w.Last > 0 {
		parts = append(parts, "of the last "+strings.TrimPrefix(duration(w.Last), "1 "))
	}
	if w.HasSince {
		parts = append(parts, "since "+s.instant(w.Since))
	}
	for p := range value.NumPeriods {
		if w.Periods.Has(p) {
			parts = append(parts, "of this "+p.String())
		}
	}
	return enumerate(parts, "and")
}

// span is a phrase for the window of a meter that is shown, at an instant:
// "of March", "of the last 30 days".
func (s speaker) span(m *plan.Meter, now int64, from int64) string {
	switch {
	case m.FromFirst > 0:
		return "since " + s.instant(from)
	case m.Window.Periods.Has(value.Day):
		return "of " + s.p.At(now).Format("2 January")
	case m.Window.Periods.Has(value.Week):
		return "of the week from " + s.p.At(s.p.Calendar.Start(value.Week, now)).Format("2 January")
	case m.Window.Periods.Has(value.Month):
		return "of " + s.p.At(now).Month().String()
	default:
		return s.window(m.Window)
	}
}

// stamp is a time in the site's zone as JSON has it.
func (s speaker) stamp(ms int64) string { return s.p.At(ms).Format(time.RFC3339Nano) }
