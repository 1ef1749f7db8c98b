package visit

import "maps"

// Recent is how long it matters when a reader was seen last, in milliseconds.
const Recent = 5 * 60 * 1000

// seen notes when a visit's reader last viewed a page or engaged, for recent
// visits that end with something else. Of all others it is their end.
type seen struct {
	now    int64
	pruned int64 // now as of the last look at all
	at     map[ID]int64
}

// reads says whether the event shows that its reader reads.
func (p *Point) reads() bool { return p.PageView || p.Row == NoRow }

// Advance sets the site's clock, Unix milliseconds.
func (t *Table) Advance(now int64) {
	s := &t.seen
	s.now = max(s.now, now)
	if len(s.at) == 0 || s.now-s.pruned < Recent/5 {
		return
	}
	s.pruned = s.now
	maps.DeleteFunc(s.at, func(id ID, _ int64) bool {
		_, end, ok := t.Bounds(id)
		return !ok || end <= s.now-Recent
	})
}

// of returns when the reader of a visit with this end was seen last.
func (s *seen) of(id ID, end int64) int64 {
	if at, ok := s.at[id]; ok {
		return at
	}
	return end
}

// set notes it, if it differs from the visit's end and matters.
func (s *seen) set(id ID, at, end int64) {
	if at >= end || end <= s.now-Recent {
		delete(s.at, id)
		return
	}
	if s.at == nil {
		s.at = make(map[ID]int64)
	}
	s.at[id] = at
}

// began notes the first event of a visit.
func (s *seen) began(id ID, p *Point) {
	if !p.reads() {
		s.set(id, 0, p.Time)
	}
}

// went notes an event that moved a visit's end to its own time.
func (s *seen) went(id ID, p *Point, end int64) {
	if p.reads() {
		if len(s.at) > 0 {
			delete(s.at, id)
		}
		return
	}
	s.set(id, s.of(id, end), p.Time)
}

// Seen returns when the readers of visits last viewed a page or engaged, by
// visit; one that is not in it was seen at its end. The caller owns it.
func (t *Table) Seen() map[ID]int64 { return maps.Clone(t.seen.at) }

// RestoreSeen puts back what Seen returned.
func (t *Table) RestoreSeen(at map[ID]int64) { t.seen.at = at }

// ID returns the name of a visit of the chunk.
func (c *Chunk) ID(i int) ID { return c.Number<<chunkShift | uint32(i) + 1 }
