package segment

import (
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/incremental"
)

// A message may change more readers than it can bring up to date: those who have
// a row of an item, all of a site when rows leave before their time. They are
// brought up to date in slices between messages. As long as a job goes on, states
// are not known to hold: a reader that a message touches is brought up to date
// with it, and others are worked out when they are asked for.
type jobs struct {
	filling bool // not all readers have a state yet
	entries rescan
	sweep   sweep
	again   struct { // what came while a job went on
		items rescan
		sweep sweep
	}
}

// rescan looks for readers who have a row with one of some codes of items.
type rescan struct {
	set    incremental.Set // segments to work out
	codes  codeSet
	blocks []*block.Builder // still to be looked through; nil before it begins
	row    int              // of the first of them
	done   codeSet          // readers
	begun  bool
}

// sweep goes through all readers.
type sweep struct {
	cut, visits bool
	next, end   uint32
	begun       bool
}

func newJobs(e *incremental.Evaluator) jobs {
	j := jobs{filling: true}
	j.entries.set, j.again.items.set = e.NewSet(), e.NewSet()
	return j
}

// any tells whether states may not hold.
func (j *jobs) any() bool { return j.entries.any() || j.sweep.any() }

func (r *rescan) any() bool { return len(r.codes) > 0 }

func (s *sweep) any() bool { return s.cut || s.visits }

// items begins to bring readers up to date with entries of the catalogue.
func (j *jobs) items(it *items, e *incremental.Evaluator, ids []string) {
	to := &j.entries
	if to.begun {
		to = &j.again.items
	}
	to.codes = it.changed(e, ids, to.set, to.codes)
}

// cut begins to bring all readers up to date with rows that have left.
func (j *jobs) cut() { j.sweepTo().cut = true }

// visitsLeft begins to bring all readers up to date with visits that are gone.
func (j *jobs) visitsLeft() { j.sweepTo().visits = true }

func (j *jobs) sweepTo() *sweep {
	if j.sweep.begun {
		return &j.again.sweep
	}
	return &j.sweep
}

// catchUp brings a reader up to date with the time and with what goes on.
func (j *jobs) catchUp(e *incremental.Evaluator, r incremental.Reader, now int64, s *incremental.State, dst []incremental.Change) []incremental.Change {
	if j.sweep.cut || j.again.sweep.cut {
		s.Drop()
		return e.Update(r, e.All(), now, incremental.ByTimer, s, dst)
	}
	dst = e.Advance(r, now, s, dst)
	if j.sweep.visits || j.again.sweep.visits {
		dst = e.VisitsMoved(r, now, s, dst)
	}
	for _, set := range []incremental.Set{j.entries.set, j.again.items.set} {
		if set.Len() > 0 {
			dst = e.Update(r, set, now, incremental.ByItem, s, dst)
		}
	}
	return dst
}

// How much a slice does: it takes a few tens of microseconds, some hundred where
// readers have many rows.
const (
	sliceReaders = 8
	sliceRows    = 16 << 10
)

// work does a slice of what is left to do and reports what is left then. Readers
// whose time has come can wait: whoever asks about one has it worked out.
func (p *population) work(l *engine.Live) engine.Left {
	left := sliceReaders
	for ; left > 0 && p.states.timers.next() <= l.Now; left-- {
		p.advance(l, p.states.timers.first())
	}
	switch j := &p.jobs; {
	case left == 0:
	case j.filling:
		p.fill(l, left)
	case j.entries.any():
		p.rescan(l, &j.entries, left)
		if !j.entries.any() && j.again.items.any() {
			j.entries, j.again.items = j.again.items, j.entries
		}
	case j.sweep.any():
		p.sweep(l, &j.sweep, left)
		if !j.sweep.any() {
			j.sweep, j.again.sweep = j.again.sweep, sweep{}
		}
	default:
		p.border(l, left)
	}
	switch {
	case p.jobs.filling || p.jobs.any():
		return engine.LeftAtOnce
	case p.states.next() <= l.Now:
		return engine.LeftAtLeisure
	}
	return engine.LeftNothing
}

// fill gives readers their first state.
func (p *population) fill(l *engine.Live, left int) {
	for ; left > 0 && p.states.len() < l.Readers(); left-- {
		p.arrive(l, uint32(p.states.len()), incremental.ByProgram)
	}
	p.jobs.filling = p.states.len() < l.Readers()
}

// rescan brings readers up to date who have a row of changed items.
func (p *population) rescan(l *engine.Live, r *rescan, left int) {
	if !r.begun {
		r.begun, r.blocks = true, append(r.blocks[:0], l.Blocks()...)
		r.done = make(codeSet, l.Readers()/64+1)
	}
	for rows := sliceRows; len(r.blocks) > 0; {
		b := r.blocks[0]
		if b.Leaving || b.Kind == block.Decisions || r.row >= b.N() {
			r.blocks, r.row = r.blocks[1:], 0
			continue
		}
		if rows == 0 || left == 0 {
			return
		}
		rows--
		row := r.row
		r.row++
		if code := b.CodeOf(row, int(event.ColItem)); code == 0 || !r.codes.has(code) {
			continue
		}
		n := b.SubjectOf(row)
		if int(n) >= p.states.len() || r.done.has(n) || b.Unix(row) == block.GoneTime {
			continue
		}
		r.done = r.done.with(n)
		p.update(l, n, r.set)
		left--
	}
	clear(r.set)
	*r = rescan{set: r.set}
}

// update works some segments of a reader out again for the catalogue.
func (p *population) update(l *engine.Live, n uint32, set incremental.Set) {
	r, ok := p.begin(l, n)
	if !ok {
		return
	}
	s := p.states.load(n)
	p.store(l, n, s, p.e.Update(r, set, l.Now, incremental.ByItem, s, p.changes[:0]))
}

// sweep brings all readers up to date.
func (p *population) sweep(l *engine.Live, s *sweep, left int) {
	if !s.begun {
		s.begun, s.next, s.end = true, 0, uint32(p.states.len())
	}
	for ; left > 0 && s.next < s.end; left-- {
		p.advance(l, s.next)
		s.next++
	}
	if s.next == s.end {
		*s = sweep{}
	}
}

// border brings readers up to date whose period of the calendar has ended.
func (p *population) border(l *engine.Live, left int) {
	due := p.states.dueBorder(l.Now)
	if due == 0 {
		return
	}
	b := &p.states.borders[due]
	for looked := sliceRows; looked > 0 && left > 0 && b.readers > 0; looked-- {
		if int(b.next) >= p.states.len() {
			b.next = 0 // none is left out: whoever came to it since is looked for again
		}
		n := b.next
		b.next++
		if p.states.flags.At(int(n))&borderFlag == due {
			p.advance(l, n)
			left--
		}
	}
}
