package segment

import (
	"slices"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
)

// population is the readers of a site in a shard with their segments by one
// program. Readers that have no state yet follow those that have one: a
// population is complete when all have.
type population struct {
	version int
	plan    *plan.Program
	e       *incremental.Evaluator
	table   *table
	states  *states
	jobs    jobs
	now     int64 // of the states
	fresh   bool  // states were begun anew: what that changed was not told
	broken  error // nothing is kept: it panicked, or its program cannot be compiled

	// tell is given what changed of a reader; nil: nobody asks.
	tell    func(l *engine.Live, n uint32, changes []incremental.Change)
	subject subject
	turn    uint64 // how often a reader was laid out
	changes []incremental.Change
	entries []incremental.Entry
	items   []string // that a message changed
}

func newPopulation(l *engine.Live, version int, p *plan.Program, heavyRows int) *population {
	e := incremental.New(p, nil)
	e.HeavyFrom(heavyRows)
	t := newTable(l, e.Inputs())
	e.Bind(t)
	return &population{version: version, plan: p, e: e, table: t, states: newStates(len(p.Segments)), jobs: newJobs(e), now: l.Now, fresh: true}
}

// complete tells whether every reader has a state.
func (p *population) complete(l *engine.Live) bool { return p.states.len() == l.Readers() }

// known tells whether the state of a reader holds at an instant.
func (p *population) known(n uint32, at int64) bool {
	return int(n) < p.states.len() && !p.jobs.any() && p.states.until(n) > at
}

// begin lays a reader out for the evaluator.
func (p *population) begin(l *engine.Live, n uint32) (r *subject, ok bool) {
	of, ok := l.Reader(n)
	if !ok {
		return nil, false
	}
	p.lay(l, n, of, l.Now, l.From())
	return &p.subject, true
}

// lay lays a reader out as of an instant, without the rows before a time.
func (p *population) lay(l *engine.Live, n uint32, of engine.Reader, at, from int64) {
	p.turn++
	p.table.begin(of)
	p.subject = newSubject(l, n, of, at, from)
}

// store takes over what came of a reader and tells what changed.
func (p *population) store(l *engine.Live, n uint32, s *incremental.State, changes []incremental.Change) {
	away, until := false, int64(incremental.Never)
	if p.subject.Account == "" {
		away, until = l.Away(n)
	}
	if first := p.subject.Reader.Reader.FirstSeen; first > l.Now { // its row may be gone
		until = min(until, first)
	}
	s.Timer, s.Border = max(s.Timer, l.Now+1), max(s.Border, l.Now+1)
	p.states.store(n, s, away, until)
	p.changes = changes[:0]
	if len(changes) > 0 && p.tell != nil {
		p.tell(l, n, changes)
	}
}

// applied brings the states up to date with a message.
func (p *population) applied(l *engine.Live, c *engine.Changes) {
	if l.Now < p.now { // the time of the site has just begun
		p.restart()
	}
	p.now = l.Now
	p.catalogue(l, c)
	if c.Cut {
		p.jobs.cut()
	}
	if c.VisitsLeft && p.e.Visits().Len() > 0 {
		p.jobs.visitsLeft()
	}
	complete := p.states.len() // readers that were there before
	p.touched(l, c.Touched)
	p.profiles(l, c.Facts)
	if p.jobs.filling {
		return
	}
	for n := complete; n < l.Readers(); n++ {
		p.arrive(l, uint32(n), incremental.ByEvent)
	}
}

// restart gives all readers new states.
func (p *population) restart() {
	p.states, p.jobs, p.fresh = newStates(len(p.plan.Segments)), newJobs(p.e), true
}

// arrive gives the next reader its first state.
func (p *population) arrive(l *engine.Live, n uint32, why incremental.Because) {
	p.states.add()
	r, ok := p.begin(l, n)
	if !ok {
		p.states.erase(n)
		return
	}
	s := p.states.load(n)
	changes := p.e.Update(r, p.e.All(), l.Now, why, s, p.changes[:0])
	if why == incremental.ByProgram {
		changes = changes[:0]
	}
	p.store(l, n, s, changes)
}

// catalogue takes over the entries of the catalogue that a message changed.
func (p *population) catalogue(l *engine.Live, c *engine.Changes) {
	ids := p.items[:0]
	for i := range c.Facts {
		if c.Facts[i].Kind == event.FactItem {
			ids = append(ids, c.Facts[i].Key)
		}
	}
	if p.items = ids; len(ids) > 0 {
		p.jobs.items(p.table.items, p.e, ids)
	}
}

// profiles takes over what was proven of readers in a message.
func (p *population) profiles(l *engine.Live, facts []event.Fact) {
	for i := range facts {
		if facts[i].Kind != event.FactAccount {
			continue
		}
		n, ok := l.Find(engine.AccountSubject(facts[i].Key))
		if !ok || int(n) >= p.states.len() {
			continue
		}
		r, ok := p.begin(l, n)
		if !ok {
			continue
		}
		s := p.states.load(n)
		changes := p.jobs.catchUp(p.e, r, l.Now, s, p.changes[:0])
		changes = p.e.FactsChanged(r, plan.Facts(0).With(plan.Traits).With(plan.Entitlements), l.Now, s, changes)
		p.store(l, n, s, changes)
	}
}

// touched takes over what happened to readers, reader by reader.
func (p *population) touched(l *engine.Live, list []engine.Touch) {
	slices.SortStableFunc(list, func(a, b engine.Touch) int { return int(a.Reader) - int(b.Reader) })
	for len(list) > 0 {
		end := 1
		for end < len(list) && list[end].Reader == list[0].Reader {
			end++
		}
		if n := list[0].Reader; int(n) < p.states.len() {
			p.touch(l, n, list[:end])
		}
		list = list[end:]
	}
}

// touch takes over what happened to one reader.
func (p *population) touch(l *engine.Live, n uint32, list []engine.Touch) {
	r, ok := p.begin(l, n)
	if !ok {
		p.states.erase(n)
		return
	}
	s := p.states.load(n)
	changes := p.jobs.catchUp(p.e, r, l.Now, s, p.changes[:0])
	rows, facts, visits := p.entries[:0], plan.Facts(0), false
	all := p.states.gone(n) // it had no rows until now
	for i := range list {
		switch t := &list[i]; t.Kind {
		case engine.TouchRow:
			if b, in := p.inStream(l, r, t.Row); in {
				rows = append(rows, entryOf(b, t.Row))
			}
			if r.Account != "" { // a row may have brought its first device
				facts = facts.With(plan.Experiment)
			}
		case engine.TouchVisits:
			visits = true
		case engine.TouchFacts:
			facts = facts.With(plan.FirstSeen).With(plan.Experiment)
		case engine.TouchAll, engine.TouchErased:
			all = true
		}
	}
	p.entries = rows
	if all {
		s.Drop()
		p.store(l, n, s, p.e.Update(r, p.e.All(), l.Now, incremental.ByEvent, s, changes))
		return
	}
	if facts != 0 {
		changes = p.e.FactsChanged(r, facts, l.Now, s, changes)
	}
	if len(rows) > 0 {
		changes = p.e.Arrived(r, rows, l.Now, s, changes)
	}
	for i := range list {
		t := &list[i]
		if t.Kind != engine.TouchAttention {
			continue
		}
		if b, in := p.inStream(l, r, t.Row); in {
			changes = p.e.Attention(r, entryOf(b, t.Row), l.Now, s, changes)
		}
	}
	if visits {
		changes = p.e.VisitsMoved(r, l.Now, s, changes)
	}
	p.store(l, n, s, changes)
}

// inStream returns the block of a row, and whether the row is in the reader's
// stream: a device's rows that are an account's are not.
func (p *population) inStream(l *engine.Live, r *subject, id block.RowID) (b *block.Builder, in bool) {
	b = l.Block(id)
	if b == nil || b.Leaving || b.Unix(id.Row()) < l.From() {
		return nil, false
	}
	return b, r.Account != "" || b.MarksOf(id.Row())&block.MarkProven == 0
}

// advance brings a reader up to now.
func (p *population) advance(l *engine.Live, n uint32) {
	r, ok := p.begin(l, n)
	if !ok {
		p.states.erase(n)
		return
	}
	s := p.states.load(n)
	p.store(l, n, s, p.jobs.catchUp(p.e, r, l.Now, s, p.changes[:0]))
}

// bytes returns the memory of the population.
func (p *population) bytes() int64 { return p.states.bytes() + p.table.items.bytes() }
