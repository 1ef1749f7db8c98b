// Package fold is the plain evaluator of plans, and the reference of what a
// program means: it works a definition out for one reader at one instant by
// reading the reader's rows again, each time, one stage after the other.
//
// A View is all that a program can know of a reader at an instant; its methods
// are the answers. What the evaluator reads comes through small interfaces, so
// that a test, a `test` block and the engine can stand behind it.
//
//	View ─ Segment, Expr, Meter, Decide ─► Fold ─► Stream ─► holds, on ─► Row
package fold

import (
	"slices"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Row is one event of a subject.
type Row interface {
	// Time is the event's, in Unix milliseconds.
	Time() int64
	// Column returns what was recorded in a column, or missing. It is not asked
	// for plan.ColTime, ColDay, ColWeek and ColMonth, which follow from Time.
	Column(plan.Column) value.Value
	// Property returns a property as it was sent: a Bool, Decimal or Text, or
	// missing.
	Property(name string) value.Value
}

// Catalogue is what is known of items today. Of an unknown item all is missing.
type Catalogue interface {
	// Field returns a field of an item. It is not asked for plan.FieldID.
	Field(item string, f plan.Field) value.Value
	// Attribute returns an attribute of an item, a Text, or missing.
	Attribute(item, name string) value.Value
}

// Profile is what is proven of a reader beside its rows.
type Profile interface {
	Registered() bool
	// Entitled tells whether the reader is entitled at an instant, and by what:
	// account, token, grace, address, domain or seat.
	Entitled(name string, now int64) (by string, ok bool)
	// Trait returns a trait: a Bool, Decimal or Text, or missing.
	Trait(name string) value.Value
	// FirstSeen returns the time of the subject's first event, or missing.
	FirstSeen() value.Value
	// FirstSubject returns the subject under which the reader was first known:
	// the device that an account was carried over from. It decides arms.
	FirstSubject() string
}

// Request is what a reader asks with.
type Request interface {
	// Column returns what a row of the request would have in a column.
	Column(plan.Column) value.Value
	// Flag tells whether a valid signed link of a kind came for the item.
	Flag(plan.Flag) bool
	BotVerified() bool
	BotClass() value.Value
	BotOperator() value.Value
}

// Burns are what committed decisions have burned of the reader's meters.
type Burns interface {
	// Burns returns those of a meter at an instant or later, in order of time, ties in
	// order of the log; earlier ones, and later ones than now, may be among them. They
	// are not changed.
	Burns(meter string, since int64) []Burn
}

// View is what can be known of one reader at one instant. It must not change
// once something was asked, and is for one goroutine.
type View struct {
	Program *plan.Program
	Now     int64 // Unix milliseconds
	Rows    []Row // of the subject, in order of time, ties in order of the log; later ones than Now may be among them
	Items   Catalogue
	Profile Profile
	Burns   Burns
	Item    string  // asked for; "" for none
	Request Request // nil for none

	// Load returns the rows from an instant on when they are first asked for; nil: they
	// are Rows. What it has returned before stays as it is.
	Load func(from int64) []Row
	// Folded returns what a fold comes to that the item asked for has no part in,
	// where that is known without the rows; nil: nowhere.
	Folded func(id int) (of value.Value, known bool)
	// Facts keep what is looked up outside of streams and segments, or know it
	// already; nil: nobody keeps it.
	Facts Facts

	// What was worked out already: programs name segments and meters many times,
	// and those name others.
	segments map[int]bool
	meters   []*Meter // by id; as many as the program has, or none yet
	states   []Meter  // memory of those of meters that were worked out

	loaded bool  // Rows are there,
	from   int64 // from this instant on
}

// Facts stand between a decision and what it looks up, so that it can be
// explained later.
type Facts interface {
	// Known returns the value of an expression that is known already.
	Known(*plan.Expr) (value.Value, bool)
	// Looked is told the value of one that was not.
	Looked(*plan.Expr, value.Value)
}

// About returns the view with another item asked for, and without Facts.
func (v *View) About(item string) *View {
	out := *v
	out.Item, out.meters, out.states, out.Facts = item, nil, nil, nil
	return &out
}

// Reset makes v another view in the memory of this one: the meters that it has returned
// are over.
func (v *View) Reset(to View) {
	clear(v.meters)
	clear(v.states)
	to.meters, to.states = v.meters[:0], v.states[:0]
	*v = to
}

// Segment tells whether the reader is in a segment.
func (v *View) Segment(id int) bool {
	member, known := v.segments[id]
	if !known {
		if v.segments == nil {
			v.segments = map[int]bool{}
		}
		facts := v.Facts
		v.Facts = nil // they are about what names the segment
		member = v.Expr(v.Program.Segments[id].Expr).True()
		v.segments[id], v.Facts = member, facts
	}
	return member
}

// Segments returns the names of the segments that the reader is in, in the order
// of the program.
func (v *View) Segments() []string {
	var out []string
	for _, s := range v.Program.Segments {
		if v.Segment(s.ID) {
			out = append(out, s.Name)
		}
	}
	return out
}

// Fold returns the value of a fold.
func (v *View) Fold(id int) value.Value {
	f := v.Program.Folds[id]
	if v.Folded != nil && !f.PerRequest {
		if of, known := v.Folded(id); known {
			return of
		}
	}
	rows := v.Stream(f.Stream)
	switch f.End {
	case plan.Count:
		return value.OfInt(int64(len(rows)))
	case plan.Any:
		return value.OfBool(len(rows) > 0)
	}
	var of []value.Value
	for _, r := range rows {
		if x := v.On(r, f.Of); !x.IsMissing() {
			of = append(of, x)
		}
	}
	return v.end(f, of)
}

// end makes one value of those that a fold's rows have.
func (v *View) end(f *plan.Fold, of []value.Value) value.Value {
	if f.End == plan.Sum || f.End == plan.Avg {
		var sum value.Sum
		for _, x := range of {
			if f.Of.Type == value.Decimal {
				x = x.ToDecimal()
			}
			sum.Add(x)
		}
		if f.End == plan.Sum {
			return sum.Total(f.Type)
		}
		return sum.Mean(f.Of.Type)
	}
	if len(of) == 0 {
		return value.Value{}
	}
	switch f.End {
	case plan.Least:
		return slices.MinFunc(of, order)
	case plan.Greatest:
		return slices.MaxFunc(of, order)
	case plan.First:
		return of[0]
	default: // Latest
		return of[len(of)-1]
	}
}

func order(a, b value.Value) int {
	n, _ := value.Compare(a, b)
	return n
}
