package segment

import (
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// folded returns what works the folds of a program out for a reader in its turn
// who has so many rows that reading them for each would take too long; nil for
// others. What it returns is for that turn.
func folded(p *plan.Program, of *engine.Reader, at int64) func(id int) (value.Value, bool) {
	watch, l := of.Watcher()
	w, ok := watch.(*watcher)
	if !ok || w.running == nil || w.running.plan != p || !w.running.heavy(l, of) {
		return nil
	}
	r := *of
	var asked incremental.View
	turn := uint64(0) // of asked
	return func(id int) (value.Value, bool) {
		if w.running == nil || w.running.plan != p || w.running.e == nil {
			return value.Value{}, false
		}
		if turn == 0 || turn != w.running.turn {
			asked = w.running.since(l, &r, at, r.From)
			turn = w.running.turn
		}
		return asked.Fold(id), true
	}
}

// heavy tells whether the rows of a reader are kept laid out, and mean what they
// did when the watcher was told last: in the middle of a message another catalogue
// may hold by now.
func (p *population) heavy(l *engine.Live, r *engine.Reader) bool {
	n, known := r.Number()
	return p.e != nil && known && p.states.heavy[n] != nil && r.Items == l.Items && r.Site == l.Site
}

// since works a reader out at an instant, without the rows before a time: on the
// rows that are kept of a heavy one, or on all read again.
func (p *population) since(l *engine.Live, r *engine.Reader, at, from int64) incremental.View {
	n, known := r.Number()
	p.lay(l, n, *r, at, from)
	var s *incremental.State
	if known && !p.jobs.any() {
		s = p.foreseen(l, n)
	}
	return p.e.At(&p.subject, at, 0, s).Since(from)
}

// foreseen returns the state of a heavy reader, with what has happened to its rows
// since the watcher was told; nil of others, and where too much has.
func (p *population) foreseen(l *engine.Live, n uint32) *incremental.State {
	s := p.states.heavy[n]
	if s == nil {
		return nil
	}
	if !l.Pending(n, func(t engine.Touch) bool {
		switch t.Kind {
		case engine.TouchRow:
			if b, in := p.inStream(l, &p.subject, t.Row); in {
				p.e.Foresee(entryOf(b, t.Row), s)
			}
		case engine.TouchAttention, engine.TouchVisits:
			p.e.ForeseeMutable(s)
		case engine.TouchAll, engine.TouchErased:
			return false
		}
		return true
	}) {
		return nil
	}
	return s
}
