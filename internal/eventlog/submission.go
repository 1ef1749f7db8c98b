package eventlog

import (
	"sync/atomic"

	"github.com/readership/readership/internal/event"
)

// Outcome is what became of one event.
type Outcome uint8

// The outcomes. The zero value says that the commit did not get to the event.
const (
	Undecided Outcome = iota
	Stored
	Duplicate
	Rejected
)

// String returns the ledger's verdict for the outcome.
func (o Outcome) String() string {
	return [...]string{"undecided", "stored", "duplicate", "rejected"}[o&3]
}

// VerdictBot is the ledger's verdict for events of robots, by class: they are
// stored, and counted apart from people's.
const VerdictBot = "bot"

// The codes of rejected events.
const (
	CodeTimeJump      = "time_jump"
	CodeOutsideWindow = "outside_window"
)

// Verdict is the outcome of one event; Code and Message are set when rejected.
// Both faults lie in the event's time.
type Verdict struct {
	Outcome Outcome
	Code    string
	Message string
}

// Submission is what one request brings. A caller that keeps Submissions for
// reuse keeps the commit free of allocations.
type Submission struct {
	// Site is the site with the settings in force. It must not change.
	Site *event.Site
	// Events are parsed and valid. Commit reads them until it returns, their
	// strings included.
	Events []event.Event
	// Import marks bulk: it goes after everything else and may be spread over
	// several commits. Advance lets it move an event clock by any distance.
	Import, Advance bool
	// Refused are ledger lines that travel with the events.
	Refused []event.Count
	// Verdicts are set by Commit, one an event; its capacity is reused.
	Verdicts []Verdict
	// Done is set by Commit: the number of events, from the front, whose
	// verdicts are durable. It is len(Events) when Commit returns nil, and may
	// be more than 0 with an error if the submission was spread over commits.
	Done int
	// Position is set by Commit: the last position that holds some of it.
	Position event.Position
}

// States of a waiter that Commit and the gatherer contend for.
const (
	waiterQueued = iota
	waiterTaken
	waiterWithdrawn
)

// waiter is one submission, or one set of facts, on its way; read makes them a
// fact of what holds once it is its turn. The caller owns it
// before it is queued and after done; the gatherer in between.
type waiter struct {
	sub   *Submission
	facts []event.Fact
	read  func() (event.Fact, bool, error)

	state  atomic.Int32
	bulk   bool
	size   int      // bytes, estimated from above
	head   int      // those of the first event or fact
	hashes []uint64 // id and view of each event
	next   int      // first event or fact that is in no commit yet
	marked bool     // scratch of the gatherer

	// durable and position are written by the writer, err by who ends the
	// wait, all before done.
	durable  int
	position event.Position
	err      error
	done     chan struct{} // one value ends the wait
	call     func(error)   // ends the wait of Submit; nil: done does
	scratch  []byte
}

// len is how many events or facts w brings.
func (w *waiter) len() int {
	if w.sub != nil {
		return len(w.sub.Events)
	}
	return len(w.facts)
}

// report tells the submission how far it got.
func (w *waiter) report() {
	if s := w.sub; s != nil {
		s.Done, s.Position = w.durable, w.position
		clear(s.Verdicts[w.durable:])
	}
}

// eventOverhead is what an encoded event takes beside its strings, from above.
const eventOverhead = 96

// eventSize is the encoded size of ev, from above.
func eventSize(ev *event.Event) int {
	n := eventOverhead + len(ev.Device)
	for i := range ev.Columns {
		if text := ev.Columns[i]; text != "" {
			n += len(text) + 12
		}
	}
	for i := range ev.Properties {
		n += len(ev.Properties[i].Name) + len(ev.Properties[i].Value) + 24
	}
	return n
}

// factSize is the encoded size of f, from above.
func factSize(f *event.Fact) int {
	return 48 + len(f.Kind) + len(f.Site) + len(f.Key) + len(f.Value)
}
