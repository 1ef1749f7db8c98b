package eventlog

import "sync/atomic"

// counters are what Stats reports. Written by the gatherer and the writer.
type counters struct {
	commits, events, bytes, commitNanos, taken, refused, reopened atomic.Uint64
	ids, idBytes, stamp                                           atomic.Int64
}

// Stats are figures of a committer since its start.
type Stats struct {
	Commits     uint64 // messages appended
	Events      uint64 // events stored
	Bytes       uint64 // of messages
	CommitNanos uint64 // time spent in appends
	Taken       uint64 // submissions that went into commits as a whole
	Refused     uint64 // submissions refused by a full queue
	Reopened    uint64 // times the log broke down and was reopened
	Waiting     int64  // submissions in the queue now, imports included
	Stamp       int64  // newest of the log, Unix milliseconds: ahead of the clock if that was set back
	IDs         int64  // known ids, as of about a second ago
	IDBytes     int64  // memory of their table
}

// Stats returns the figures as of now. Safe for concurrent use.
func (c *Committer) Stats() Stats {
	s := &c.stats
	return Stats{
		Commits: s.commits.Load(), Events: s.events.Load(), Bytes: s.bytes.Load(),
		CommitNanos: s.commitNanos.Load(), Taken: s.taken.Load(), Refused: s.refused.Load(), Reopened: s.reopened.Load(),
		Waiting: c.queue.lanes[laneFirst].count.Load() + c.queue.lanes[laneBulk].count.Load(),
		Stamp:   s.stamp.Load(), IDs: s.ids.Load(), IDBytes: s.idBytes.Load(),
	}
}

// publishStats updates what only the gatherer can see.
func (g *gatherer) publishStats() {
	g.c.stats.ids.Store(int64(g.c.ids.count))
	g.c.stats.idBytes.Store(g.c.ids.size())
}

// Others returns how many submissions have come so far, imports apart. Safe for
// concurrent use.
func (c *Committer) Others() uint64 { return c.queue.lanes[laneFirst].pushed.Load() }
