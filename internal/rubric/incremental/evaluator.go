package incremental

import (
	"fmt"
	"math"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Because is what made a membership change.
type Because uint8

// Reasons.
const (
	ByEvent   Because = iota
	ByTimer           // time has passed
	ByItem            // the catalogue changed
	ByProfile         // traits, entitlements or the reader's first event
	ByProgram         // another program
)

var becauseNames = [...]string{ByEvent: "event", ByTimer: "timer", ByItem: "item", ByProfile: "profile", ByProgram: "program"}

// String returns the reason as answers show it.
func (b Because) String() string { return becauseNames[b] }

// Change is one entry into a segment or one exit.
type Change struct {
	Segment int
	Entered bool  // false: left
	At      int64 // Unix milliseconds
	Because Because
}

// Never is the instant of what does not happen.
const Never = math.MaxInt64

// State is what is kept of a reader. It holds from the instant for which it was
// made until Until, as long as nothing happens that Evaluator is told of.
type State struct {
	Members Set // segments by their ID

	// Timer is the next instant at which a segment can change because time passes,
	// Border the next border of a period of the calendar that can change one: it
	// is the same for many readers. Each may come too early, none too late.
	Timer, Border int64

	kept *batch // of a heavy reader
}

// Heavy tells whether the reader has so many rows that they are kept laid out.
func (s *State) Heavy() bool { return s.kept != nil }

// Until returns the first instant for which the state may not hold.
func (s *State) Until() int64 { return min(s.Timer, s.Border) }

// Evaluator works out one program's segments for the readers of one table. It
// is for one goroutine. Once it has met the codes and sizes there are, it needs
// no memory.
type Evaluator struct {
	program *plan.Program
	table   Table
	clock   clock
	index   index
	layout  layout
	reach   int64   // of all that is asked of a reader
	reaches []int64 // by segment
	all     Set     // segments

	inputs     []input
	conditions []condition
	predicates []predicate
	thresholds []threshold // by segment
	ladders    []*ladder   // by segment; nil for those that are on none
	filled     Set         // segments of readers with so many rows: rows bring them in, time takes them out
	short      Set         // segments of readers with fewer rows: time brings them in, rows take them out
	todo       []int       // segments to be worked out, of a ladder one
	rest       Set         // while todo is made

	// What is worked out for one reader at one instant.
	reader   Reader
	now      int64 // that rows are looked at
	shown    int64 // that TimeNow says
	asked    uint32
	state    *State // nil: members are worked out, not taken from it
	rows     *batch
	scratch  batch  // of readers that are not heavy
	asks     bool   // something on rows depends on the item asked for
	codesAre uint32 // how often codes have got other values
	maxRows  int    // MaxRows
	lo, hi   int    // rows that are in the site's window, and not later than now
	pass     uint32
	changes  int64 // of entitlements; 0: not asked yet
	streams  []streamState
	folds    []foldState
	members  []memberState
	edges    []edge
	seen     []uint32 // by key
	met      uint32   // mark in seen
	leaf     leaf
	set      Set // segments, while rows are matched
	due      Set // segments, while time passes
	untold   []Change
	one      matched

	fault fault
}

// New returns the evaluator of a program for rows in a table, which may be set
// later by Bind.
func New(p *plan.Program, t Table) *Evaluator {
	e := &Evaluator{program: p, table: t, maxRows: MaxRows}
	for _, set := range []*Set{&e.all, &e.set, &e.due, &e.filled, &e.short} {
		*set = e.NewSet()
	}
	e.clock.calendar = p.Calendar
	for _, s := range p.Segments {
		e.all.put(s.ID)
		e.reach = max(e.reach, s.Uses.Reach)
		e.reaches = append(e.reaches, s.Uses.Reach)
	}
	for _, m := range p.Meters {
		e.reach = max(e.reach, m.Uses.Reach)
	}
	for _, a := range p.Accesses {
		e.reach = max(e.reach, a.Uses.Reach)
	}
	e.layOut()
	e.buildIndex()
	e.streams = make([]streamState, len(p.Streams))
	e.folds = make([]foldState, len(p.Folds))
	e.members = make([]memberState, len(p.Segments))
	e.thresholds = make([]threshold, len(p.Segments))
	for i, s := range p.Segments {
		e.thresholds[i] = e.threshold(s.Expr)
		if t := &e.thresholds[i]; t.shrinks && t.least {
			e.filled.put(i)
		} else if t.shrinks {
			e.short.put(i)
		}
	}
	e.buildLadders()
	e.scratch.init(e)
	return e
}

// Bind sets the table, which depends on Inputs.
func (e *Evaluator) Bind(t Table) { e.table = t }

// HeavyFrom sets from how many rows in the window on a reader is heavy, instead
// of MaxRows.
func (e *Evaluator) HeavyFrom(rows int) { e.maxRows = rows }

// Program returns the program.
func (e *Evaluator) Program() *plan.Program { return e.program }

// Inputs returns what the program looks at in rows.
func (e *Evaluator) Inputs() []Input {
	out := make([]Input, len(e.inputs))
	for i := range e.inputs {
		out[i] = e.inputs[i].Input
	}
	return out
}

// Reset works a reader's state out from nothing.
func (e *Evaluator) Reset(r Reader, now int64, s *State) {
	*s = State{Members: s.Members[:0].grown(len(e.program.Segments)), Timer: Never, Border: Never}
	clear(s.Members)
	e.lay(r, e.all, now, s)
	e.untold = e.update(never, now, ByProgram, s, e.untold[:0])
}

// Arrived brings a state up to date with rows that were added to the reader's:
// of one event, or of a device that was joined. It appends the changes to dst.
func (e *Evaluator) Arrived(r Reader, rows []Entry, now int64, s *State, dst []Change) []Change {
	dst = e.Advance(r, now, s, dst)
	clear(e.set)
	for _, row := range rows {
		e.Match(row, e.set)
		if s.kept != nil {
			s.kept.insert(row)
		}
		if row.Time > now && e.fault != faultFutureTimer {
			s.Timer = min(s.Timer, row.Time)
		}
		if e.fault == faultJoinedRows {
			break
		}
	}
	e.byRows(e.set, s.Members)
	return e.Update(r, e.set, now, ByEvent, s, dst)
}

// Attention brings a state up to date with a row whose engaged time or scroll
// changed.
func (e *Evaluator) Attention(r Reader, row Entry, now int64, s *State, dst []Change) []Change {
	clear(e.set)
	e.matchMutable(row, e.set)
	if s.kept != nil {
		s.kept.forget(e, onMutable, s.kept.place(row))
	}
	return e.Update(r, e.set, now, ByEvent, s, dst)
}

// VisitsMoved brings a state up to date with visits that were cut anew: other
// rows than the one that arrived are in another visit or start one.
func (e *Evaluator) VisitsMoved(r Reader, now int64, s *State, dst []Change) []Change {
	if s.kept != nil {
		s.kept.forget(e, onMutable, 0)
	}
	return e.Update(r, e.index.visits, now, ByEvent, s, dst)
}

// FactsChanged brings a state up to date with facts about the reader.
func (e *Evaluator) FactsChanged(r Reader, facts plan.Facts, now int64, s *State, dst []Change) []Change {
	clear(e.set)
	for f := range plan.NumFacts {
		if facts.Has(f) {
			e.set.add(e.index.facts[f])
		}
	}
	return e.Update(r, e.set, now, ByProfile, s, dst)
}

// Advance brings a state up to an instant, one of its instants after the other.
// It must be called before anything that happens at that instant is told.
func (e *Evaluator) Advance(r Reader, now int64, s *State, dst []Change) []Change {
	for s.Until() <= now {
		at := s.Until()
		e.byTime(e.due, s.Members)
		e.lay(r, e.due, at, s)
		if e.appear(e.due, at) {
			e.lay(r, e.due, at, s)
		}
		dst = e.update(never, at, ByTimer, s, dst)
		if s.Until() <= at {
			panic(fmt.Sprintf("incremental: the state made for %d holds until %d", at, s.Until()))
		}
	}
	return dst
}

// byTime makes a set of the segments that can change because time passes, and no
// row's time comes.
func (e *Evaluator) byTime(set, members Set) {
	for w, all := range e.all {
		set[w] = all &^ (e.filled[w]&^members[w] | e.short[w]&members[w])
		if e.fault == faultTime {
			set[w] &^= e.short[w]
		}
	}
}

// byRows removes the segments that rows cannot change which arrive, or whose time
// comes.
func (e *Evaluator) byRows(set, members Set) {
	for w := range set {
		set[w] &^= e.filled[w]&members[w] | e.short[w]&^members[w]
		if e.fault == faultRows {
			set[w] &^= e.short[w]
		}
	}
}

// Update works some segments of a reader out again because of something. Where
// the state does not hold at that instant any more, it is brought up to it first.
func (e *Evaluator) Update(r Reader, set Set, now int64, why Because, s *State, dst []Change) []Change {
	if s.kept != nil && why == ByItem {
		s.kept.forget(e, onItem, 0)
	}
	dst = e.Advance(r, now, s, dst)
	n := len(e.program.Segments)
	if set.next(0, n) == n {
		return dst
	}
	left := until{timer: s.Timer, border: s.Border}
	if &set[0] == &e.all[0] { // nothing of before is left
		left = never
	}
	e.lay(r, set, now, s)
	return e.update(left, now, why, s, dst)
}

// lay finds what is to be worked out for a set of segments, and lays the rows out
// that it looks at.
func (e *Evaluator) lay(r Reader, set Set, now int64, s *State) {
	reach := int64(1) // the rows whose time has just come
	n := len(e.program.Segments)
	todo := append(e.rest[:0], set...)
	e.rest, e.todo = todo, e.todo[:0]
	for id := todo.next(0, n); id < n; id = todo.next(id, n) {
		e.todo, reach = append(e.todo, id), max(reach, e.reaches[id])
		if l := e.ladders[id]; l != nil {
			l.remove(todo)
		} else {
			todo.drop(id)
		}
	}
	e.begin(r, now, reach, s)
	if e.rows.kept {
		e.outgrown(s)
	} else if len(e.rows.rows)-e.lo > e.maxRows {
		e.keep(s)
		e.begin(r, now, reach, s)
	}
}

// appear adds to a set of segments those that rows can change whose time has just
// come, and tells whether there are such rows.
func (e *Evaluator) appear(set Set, now int64) (any bool) {
	for i := e.hi - 1; i >= 0 && e.rows.rows[i].Time == now && e.fault != faultAppearance; i-- {
		e.Match(e.rows.rows[i], set)
		any = true
	}
	return any
}

// update works out what was laid out; left says until when all else is known.
func (e *Evaluator) update(left until, now int64, why Because, s *State, dst []Change) []Change {
	e.state = s
	told := len(dst)
	for _, id := range e.todo {
		if l := e.ladders[id]; l != nil {
			steps, holds := e.climb(l)
			dst, left = s.step(l, steps, dst), left.min(holds)
			continue
		}
		member, holds := e.segment(id)
		dst, left = s.put(id, member, dst), left.min(holds)
	}
	for i := range dst[told:] {
		dst[told+i].At, dst[told+i].Because = now, why
	}
	s.Timer, s.Border = left.timer, left.border
	if e.hi < len(e.rows.rows) && e.fault != faultFutureTimer {
		s.Timer = min(s.Timer, e.rows.rows[e.hi].Time)
	}
	return dst
}

// put notes whether the reader is in a segment, and appends the change, if it is
// one.
func (s *State) put(id int, member bool, dst []Change) []Change {
	if member == s.Members.Has(id) {
		return dst
	}
	if member {
		s.Members.put(id)
	} else {
		s.Members.drop(id)
	}
	return append(dst, Change{Segment: id, Entered: member})
}

// begin takes a reader's rows in for what is asked at an instant.
func (e *Evaluator) begin(r Reader, now, reach int64, s *State) {
	e.reader, e.now, e.shown, e.state, e.changes, e.asked = r, now, now, nil, 0, 0
	e.pass++
	if e.pass == 0 { // every 4 billion passes marks begin anew
		e.forget()
	}
	if !e.useKept(s) {
		e.load(now - reach + 1)
	}
	e.lo = e.rows.from(now - e.program.Window + 1)
	e.hi = e.rows.from(now + 1)
	if e.fault == faultFutureRows {
		e.hi = len(e.rows.rows)
	}
	if e.fault == faultSiteWindow {
		e.lo = 0
	}
}

// forget removes all marks of passes.
func (e *Evaluator) forget() {
	clear(e.folds)
	clear(e.members)
	clear(e.edges)
	for i := range e.streams {
		e.streams[i].pass = 0
	}
	e.pass = 1
}

// View is what is asked of one reader at one instant. It holds until the
// evaluator is asked something else.
type View struct{ e *Evaluator }

// At returns what holds for a reader at an instant, also an earlier one than
// that of a state. item is the code of the item asked for, 0 if none is.
func (e *Evaluator) At(r Reader, now int64, item uint32, s *State) View {
	e.begin(r, now, e.reach, s)
	e.asked = item
	return View{e}
}

// Since leaves out the rows before a time. It must be called before anything is
// asked.
func (v View) Since(from int64) View {
	v.e.lo = max(v.e.lo, v.e.rows.from(from))
	return v
}

// Segment tells whether the reader is in a segment.
func (v View) Segment(id int) bool {
	member, _ := v.e.member(id)
	return member
}

// Fold returns the value of a fold, one of segments, meters or access blocks.
func (v View) Fold(id int) value.Value { return v.e.fold(id).value }

// Value returns the value of an expression of a segment.
func (v View) Value(x *plan.Expr) value.Value { return v.e.value(x) }

// Visits returns the segments that depend on how visits are cut. The set must not
// be changed.
func (e *Evaluator) Visits() Set { return e.index.visits }
