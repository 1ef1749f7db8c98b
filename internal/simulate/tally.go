package simulate

import (
	"sort"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Result is what came of a simulation.
type Result struct {
	Tally
	Days []Day // of the program's calendar with a decision, in order

	// Readers who are denied something by the block and nothing by the other, and
	// the other way round.
	NewlyDenied, NoLongerDenied int
}

// Tally counts decisions.
type Tally struct {
	Decisions, Allowed int
	Denied             int            // a charge is a denial of reading
	ReadersDenied      int            // readers with a denial
	ByClause           map[string]int // decisions by the name of the clause, of those that decided
}

// Day is what was decided on a day.
type Day struct {
	Start int64 // Unix milliseconds
	Tally
}

// daysOf returns the starts of the days that a question touches, and the end of
// the last of them.
func daysOf(q Question) []int64 {
	c := q.Program.Calendar
	days := []int64{c.Start(value.Day, q.From), c.Next(value.Day, q.From)}
	for days[len(days)-1] < q.To {
		days = append(days, c.Next(value.Day, days[len(days)-1]))
	}
	return days
}

// dayAt returns the place of the day that an instant is in, which is not before
// another.
func (s *simulation) dayAt(t int64, day int) int {
	if t < s.days[day+1] {
		return day
	}
	return day + sort.Search(len(s.days)-day-1, func(i int) bool { return s.days[day+1+i] > t })
}

// count is a tally by the place of the clause.
type count struct {
	clauses []int
	readers int // who were denied something
}

// totals are what one worker has counted, or all of them.
type totals struct {
	clauses                     []*plan.Clause
	days                        []count
	readersDenied               int
	newlyDenied, noLongerDenied int
}

func newTotals(s *simulation) *totals {
	t := &totals{clauses: s.question.Access.Clauses, days: make([]count, len(s.days)-1)}
	for i := range t.days {
		t.days[i].clauses = make([]int, len(t.clauses))
	}
	return t
}

func (t *totals) add(o *totals) {
	for i, day := range o.days {
		t.days[i].readers += day.readers
		for c, n := range day.clauses {
			t.days[i].clauses[c] += n
		}
	}
	t.readersDenied += o.readersDenied
	t.newlyDenied += o.newlyDenied
	t.noLongerDenied += o.noLongerDenied
}

// result returns the totals as they are answered.
func (t *totals) result(s *simulation) *Result {
	r := &Result{Tally: Tally{ByClause: map[string]int{}, ReadersDenied: t.readersDenied}, NewlyDenied: t.newlyDenied, NoLongerDenied: t.noLongerDenied}
	for i, day := range t.days {
		d := Day{Start: s.days[i], Tally: Tally{ByClause: map[string]int{}, ReadersDenied: day.readers}}
		for c, n := range day.clauses {
			if n > 0 {
				d.add(t.clauses[c], n)
				r.add(t.clauses[c], n)
			}
		}
		if d.Decisions > 0 {
			r.Days = append(r.Days, d)
		}
	}
	return r
}

// add counts n decisions of a clause.
func (t *Tally) add(c *plan.Clause, n int) {
	t.Decisions += n
	t.ByClause[c.Name] += n
	if denies(c) {
		t.Denied += n
	} else {
		t.Allowed += n
	}
}

// denies tells whether a clause denies reading.
func denies(c *plan.Clause) bool { return c.Outcome != plan.Allow }
