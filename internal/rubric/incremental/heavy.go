package incremental

import (
	"slices"
	"sort"

	"github.com/readership/readership/internal/rubric/plan"
)

// A reader with more rows in the site's window than MaxRows is heavy: reading
// them again for every event would cost too much. Its batch is kept in its State
// and lengthened by each row that arrives, with what is known of the rows, and
// with two accumulators over it that serve all windows: how many rows of a set
// each block of rows has, and which rows are the last of their key.

// MaxRows is the greatest number of rows that are read for each event.
const MaxRows = 4096

// blockRows is how many rows a block has.
const blockRows = 4096

// tally counts the rows of a set in each block, those of the first n rows.
func (k *known) tally(n int) []uint32 {
	if k.blocks == nil {
		k.blocks = &blocks{}
	}
	b := k.blocks
	first := b.counted / blockRows
	b.of = b.of[:min(len(b.of), first)]
	for i := first; i*blockRows < n; i++ {
		b.of = append(b.of, uint32(k.bits.count(i*blockRows, min(n, (i+1)*blockRows))))
	}
	b.counted = n
	return b.of
}

// lasts are the rows of a set that are the last of their key: as many as lie
// behind an edge, so many keys are there.
type lasts struct {
	known
	row []int32 // by key: its last row; −1 for none
}

// lastsOf is a set of rows and a key whose lasts are kept.
type lastsOf struct{ predicate, key int }

// lastsOf returns the last rows of each key among those that a predicate holds
// for.
func (e *Evaluator) lastsOf(place int) *known {
	b, of := e.rows, e.layout.lasts[place]
	matching, keys := e.matching(of.predicate, 0), e.keyOf(of.key)
	l := &b.lasts[place]
	i, n := l.extend(b, 0)
	if i == n {
		return &l.known
	}
	for len(l.row) <= int(keys.size) {
		l.row = append(l.row, -1)
	}
	if i == 0 {
		for k := range l.row {
			l.row[k] = -1
		}
	}
	// Rows behind i may have moved; no row before i is the last of their keys.
	for r := matching.bits.next(i, n); r < n; r = matching.bits.next(r+1, n) {
		if k := keys.of[r]; l.row[k] >= int32(i) {
			l.row[k] = -1
		}
	}
	for r := matching.bits.next(i, n); r < n; r = matching.bits.next(r+1, n) {
		k := keys.of[r]
		if k == 0 {
			continue
		}
		if before := int(l.row[k]); before >= 0 {
			l.bits.drop(before)
			if l.blocks != nil {
				l.blocks.counted = min(l.blocks.counted, before)
			}
		}
		l.row[k] = int32(r)
		l.bits.put(r)
	}
	return &l.known
}

// tallied returns how many rows a stream has, if an accumulator knows it: rows of
// a filter, or the keys of a filter's rows.
func (e *Evaluator) tallied(id int) (n int, holds until, ok bool) {
	stages := e.layout.stages[id]
	if !e.rows.kept || len(stages) > 2 || len(stages) == 2 && (e.layout.lastsOf[id] < 0 || len(e.rows.rows)-e.hi > blockRows) {
		return 0, never, false
	}
	rows, holds := e.base(id)
	if len(stages) == 1 {
		return rows.count(), holds, true
	}
	place := int(e.layout.lastsOf[id])
	k := e.lastsOf(place)
	last := span{bits: k.bits, lo: rows.lo, hi: rows.hi, blocks: k.tally(len(e.rows.rows))}
	return last.count() + e.again(rows, last, e.keyOf(e.layout.lasts[place].key)), holds, true
}

// again returns how many keys have rows whose last is behind them all.
func (e *Evaluator) again(rows, last span, keys *keyed) (found int) {
	end := len(e.rows.rows)
	if rows.lo >= rows.hi || rows.hi == end {
		return 0
	}
	if need := int(keys.size) + 1 - len(e.seen); need > 0 {
		e.seen = append(e.seen, make([]uint32, need)...)
	}
	if e.met++; e.met == 0 {
		clear(e.seen)
		e.met = 1
	}
	left := 0
	for i := last.bits.next(rows.hi, end); i < end; i = last.bits.next(i+1, end) {
		e.seen[keys.of[i]] = e.met
		left++
	}
	for hi := rows.hi; left > 0; {
		i := rows.bits.last(rows.lo, hi)
		if i == hi {
			break
		}
		if k := keys.of[i]; e.seen[k] == e.met {
			e.seen[k] = e.met - 1
			found, left = found+1, left-1
		}
		if hi = i; hi == rows.lo {
			break
		}
	}
	return found
}

// Foresee takes in a row that Arrived will be told of, for At.
func (e *Evaluator) Foresee(row Entry, s *State) {
	if s.kept != nil {
		s.kept.insert(row)
	}
}

// ForeseeMutable takes in that Attention or VisitsMoved will be told, for At.
func (e *Evaluator) ForeseeMutable(s *State) {
	if s.kept != nil {
		s.kept.forget(e, onMutable, 0)
	}
}

// keep makes a batch that stays with a reader's state.
func (e *Evaluator) keep(s *State) {
	b := &batch{mark: 1, kept: true, codes: e.codesAre, since: e.now - e.program.Window + 1}
	b.init(e)
	b.lasts = make([]lasts, len(e.layout.lasts))
	e.load(b.since)
	b.rows = append(b.rows, e.scratch.rows[e.scratch.from(b.since):]...)
	s.kept = b
}

// Keep lays all rows of a reader out that can matter from an instant on, for
// whoever asks about many instants, by At with this state. It holds nothing else;
// the memory of what it held is used again.
func (e *Evaluator) Keep(r Reader, from int64, s *State) {
	b := s.kept
	if b == nil {
		b = &batch{kept: true}
		b.init(e)
		b.lasts = make([]lasts, len(e.layout.lasts))
	}
	*s = State{Members: s.Members, kept: b}
	b.again()
	b.codes, b.since = e.codesAre, from-e.program.Window+1
	e.reader = r
	e.load(b.since)
	b.rows = append(b.rows, e.scratch.rows[e.scratch.from(b.since):]...)
}

// useKept takes the rows that are kept for a reader; false if there are none, or
// not all that the instant asks for.
func (e *Evaluator) useKept(s *State) bool {
	if s == nil || s.kept == nil {
		return false
	}
	from := e.now - e.program.Window + 1
	if s.kept.codes != e.codesAre {
		s.kept = nil
		return false
	}
	if from < s.kept.since {
		return false
	}
	e.rows = s.kept
	if e.asks {
		s.kept.forget(e, onAsked, 0)
	}
	return true
}

// outgrown drops rows that have left the window, once they are half of all, and
// stops keeping what need not be kept.
func (e *Evaluator) outgrown(s *State) {
	b := s.kept
	if len(b.rows)-e.lo <= e.maxRows/2 {
		s.kept = nil
		return
	}
	if e.lo < len(b.rows)/2 {
		return
	}
	b.since = e.now - e.program.Window + 1
	b.rows = slices.Delete(b.rows, 0, e.lo)
	b.truncate(0)
	e.lo, e.hi = 0, e.hi-e.lo
}

// insert takes a row in.
func (b *batch) insert(row Entry) {
	if row.Time < b.since {
		return
	}
	n := len(b.rows)
	if n == 0 || b.rows[n-1].compare(row) < 0 {
		b.rows = append(b.rows, row)
		return
	}
	i := b.place(row)
	if b.rows[i] == row { // it was there when the batch was made
		return
	}
	b.rows = slices.Insert(b.rows, i, row)
	b.truncate(i)
}

// place returns where a row stands or would stand.
func (b *batch) place(row Entry) int {
	return sort.Search(len(b.rows), func(i int) bool { return b.rows[i].compare(row) >= 0 })
}

// truncate forgets what is known of rows from one place on.
func (b *batch) truncate(n int) {
	for i := range b.inputs {
		b.inputs[i].n = min(b.inputs[i].n, n)
	}
	for i := range b.conditions {
		b.conditions[i].n = min(b.conditions[i].n, n)
	}
	for i := range b.predicates {
		b.predicates[i].n = min(b.predicates[i].n, n)
	}
	for i := range b.keys {
		b.keys[i].n = min(b.keys[i].n, n)
	}
	for i := range b.values {
		b.values[i].truncate(n)
	}
	for i := range b.lasts {
		b.lasts[i].n = min(b.lasts[i].n, n)
	}
}

func (v *valued) truncate(n int) {
	for i := n; i < len(v.of); i++ {
		v.have.drop(i)
	}
}

// forget forgets, from one row on, what depends on something. What is the last of
// its key is forgotten of all rows: where a row is in its set no more, one before
// it may be.
func (b *batch) forget(e *Evaluator, depends func(mutable, item, asked bool) bool, n int) {
	for i := range e.conditions {
		if c := &e.conditions[i]; depends(c.mutable, c.item, c.asked) {
			b.conditions[i].n = min(b.conditions[i].n, n)
		}
	}
	for i := range e.predicates {
		if p := &e.predicates[i]; depends(p.mutable, p.item, p.asked) {
			b.predicates[i].n = min(b.predicates[i].n, n)
		}
	}
	for i := range e.layout.keys {
		if k := &e.layout.keys[i]; depends(k.mutable, k.item, k.asked) {
			b.keys[i].n = min(b.keys[i].n, n)
		}
	}
	for i, x := range e.layout.values {
		if depends(kinds(x)) {
			b.values[i].truncate(n)
		}
	}
	for i, of := range e.layout.lasts {
		p, k := &e.predicates[of.predicate], &e.layout.keys[of.key]
		if depends(p.mutable || k.mutable, p.item || k.item, p.asked || k.asked) {
			b.lasts[i].n = 0
		}
	}
}

func onMutable(mutable, _, _ bool) bool { return mutable }

func onItem(_, item, _ bool) bool { return item }

func onAsked(_, _, asked bool) bool { return asked }

// Bytes estimates the memory of what is kept of a heavy reader's rows.
func (s *State) Bytes() int64 {
	b := s.kept
	if b == nil {
		return 0
	}
	n := 24 * int64(cap(b.rows))
	for i := range b.inputs {
		n += 4 * int64(cap(b.inputs[i].of))
	}
	for i := range b.conditions {
		n += 8 * int64(cap(b.conditions[i].bits))
	}
	for i := range b.predicates {
		n += 8 * int64(cap(b.predicates[i].bits))
	}
	for i := range b.keys {
		n += 4*int64(cap(b.keys[i].of)) + 24*int64(len(b.keys[i].codes)) + 64*int64(len(b.keys[i].texts))
	}
	for i := range b.values {
		n += 48 * int64(cap(b.values[i].of))
	}
	for i := range b.lasts {
		n += 8*int64(cap(b.lasts[i].bits)) + 4*int64(cap(b.lasts[i].row))
	}
	return n
}

// Drop lets go of what is kept of a heavy reader's rows, after rows have gone.
func (s *State) Drop() { s.kept = nil }

// layLasts finds the streams whose keys are counted by their last rows.
func (e *Evaluator) layLasts() {
	for _, stages := range e.layout.stages {
		place := -1
		if len(stages) == 2 && stages[1].Kind == plan.Distinct {
			of := lastsOf{predicate: stages[0].Predicate, key: stages[1].key}
			if place = slices.Index(e.layout.lasts, of); place < 0 {
				place = len(e.layout.lasts)
				e.layout.lasts = append(e.layout.lasts, of)
			}
		}
		e.layout.lastsOf = append(e.layout.lastsOf, int32(place))
	}
}
