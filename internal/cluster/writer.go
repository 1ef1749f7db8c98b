package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// Bounds of what is asked of the writer.
const (
	writeTime  = 15 * time.Second // longer than the log takes to say that an outcome is unknown
	whoTime    = 2 * time.Second
	maxWriting = 256 // submissions on their way, on either side
)

// commitRequest is an eventlog.Submission.
type commitRequest struct {
	Site    string        `json:"site"`
	Events  []event.Event `json:"events"`
	Import  bool          `json:"import,omitempty"`
	Advance bool          `json:"advance,omitempty"`
	Refused []event.Count `json:"refused,omitempty"`
}

// writeReply is what became of something to write.
type writeReply struct {
	Verdicts []eventlog.Verdict `json:"verdicts,omitempty"`
	Done     int                `json:"done,omitempty"`
	Position event.Position     `json:"position,omitempty"`
	Fault    string             `json:"fault,omitempty"`
	Message  string             `json:"message,omitempty"`
}

// readReply is the fact that was asked back for.
type readReply struct {
	Fact    event.Fact `json:"fact"`
	OK      bool       `json:"ok,omitempty"`
	Message string     `json:"message,omitempty"`
}

// faults are the errors of a committer that callers branch on, by their name.
var faults = map[string]error{
	"closed": eventlog.ErrClosed, "disk_full": eventlog.ErrDiskFull, "overloaded": eventlog.ErrOverloaded,
	"unavailable": eventlog.ErrUnavailable, "too_large": eventlog.ErrTooLarge,
}

// failed says an error.
func (r *writeReply) failed(err error) {
	if err == nil {
		return
	}
	r.Fault, r.Message = "failed", err.Error()
	for name, of := range faults {
		if errors.Is(err, of) {
			r.Fault = name
		}
	}
}

// err returns what failed said.
func (r *writeReply) err() error {
	if r.Fault == "" {
		return nil
	}
	if of := faults[r.Fault]; of != nil {
		return fmt.Errorf("%w: at the edge: %s", of, r.Message)
	}
	return errors.New("at the edge: " + r.Message)
}

// Writer is the committer of another process. Safe for concurrent use.
type Writer struct {
	conn  *Conn
	wait  func(context.Context, event.Position) error
	saw   func(event.Position)
	acked atomic.Uint64
	slots chan struct{}
	sub   *nats.Subscription

	counts counts
}

// NewWriter makes the Writer of a process that follows the log: wait waits until
// it has applied a position, and saw is told of each that the log has reached.
func (c *Conn) NewWriter(wait func(context.Context, event.Position) error, saw func(event.Position)) (*Writer, error) {
	w := &Writer{conn: c, wait: wait, saw: saw, slots: make(chan struct{}, maxWriting)}
	var err error
	w.sub, err = c.nc.Subscribe(subjectAcked, func(m *nats.Msg) {
		if len(m.Data) == 8 {
			w.note(event.Position(binary.BigEndian.Uint64(m.Data)))
		}
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// note takes note of a position that is acknowledged.
func (w *Writer) note(position event.Position) {
	for {
		at := w.acked.Load()
		if at >= uint64(position) {
			return
		}
		if w.acked.CompareAndSwap(at, uint64(position)) {
			w.saw(position)
			return
		}
	}
}

// Acked returns the newest acknowledged position that this process knows of.
func (w *Writer) Acked() event.Position { return event.Position(w.acked.Load()) }

// Ready says whether submissions would be taken, as far as is known here.
func (w *Writer) Ready() error {
	if !w.conn.nc.IsConnected() {
		return fmt.Errorf("%w: the nats-server is away", eventlog.ErrUnavailable)
	}
	return nil
}

// Others is the committer's; imports of another process are not counted here.
func (w *Writer) Others() uint64 { return 0 }

// Count is the committer's. What is counted waits, summed up, until the edge has it.
func (w *Writer) Count(site, verdict, reason string, n uint64) {
	if w.counts.add(event.Count{Site: site, Verdict: verdict, Reason: reason, N: n}) {
		go w.tell()
	}
}

// tell sends what is counted until nothing is left of it, or the connection is closed.
// It goes beside the submissions, so that there is always a way for it.
func (w *Writer) tell() {
	for {
		lines := w.counts.take()
		if len(lines) == 0 || w.conn.nc.IsClosed() {
			return
		}
		_, err := w.request(context.Background(), subjectCommit, &commitRequest{Site: lines[0].Site, Refused: lines})
		late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) // it may be counted
		if errors.Is(err, ErrAway) && !late {
			w.counts.back(lines)
			time.Sleep(whoTime)
		}
	}
}

// counts are lines of the ledger that wait for the edge.
type counts struct {
	mu      sync.Mutex
	waiting []event.Count
	telling bool // somebody takes them
}

// maxCounts bounds the lines that wait. Of a line beyond nothing is counted: there
// are no more than a few for each site.
const maxCounts = 1 << 14

// add adds to a line; true if somebody has to take it.
func (c *counts) add(n event.Count) (idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum(n)
	idle, c.telling = !c.telling, true
	return idle
}

func (c *counts) sum(n event.Count) {
	for i := range c.waiting {
		if t := &c.waiting[i]; t.Site == n.Site && t.Verdict == n.Verdict && t.Reason == n.Reason {
			t.N += n.N
			return
		}
	}
	if len(c.waiting) < maxCounts {
		c.waiting = append(c.waiting, n)
	}
}

// take takes the lines of a site; nil: there are none, and nobody takes them any more.
func (c *counts) take() (lines []event.Count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(n event.Count) bool {
		if len(lines) > 0 && n.Site != lines[0].Site {
			return false
		}
		lines = append(lines, n)
		return true
	})
	c.telling = len(lines) > 0
	return lines
}

// back puts lines back that were taken.
func (c *counts) back(lines []event.Count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range lines {
		c.sum(n)
	}
}

// enter takes a slot; it gives up at once.
func (w *Writer) enter() error {
	select {
	case w.slots <- struct{}{}:
		return nil
	default:
		return eventlog.ErrOverloaded
	}
}

func (w *Writer) leave() { <-w.slots }

// request asks the writer and reads its answer.
func (w *Writer) request(ctx context.Context, subject string, of any) (*writeReply, error) {
	body, err := json.Marshal(of)
	if err != nil {
		return nil, fmt.Errorf("encode for the edge: %w", err)
	}
	if most := w.conn.nc.MaxPayload(); most > 0 && int64(len(body)) > most {
		return nil, fmt.Errorf("%w: %d bytes go to the edge, the nats-server takes %d", eventlog.ErrTooLarge, len(body), most)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	m, err := w.conn.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		if err = away(err); errors.Is(err, ErrAway) {
			err = fmt.Errorf("%w: the edge that writes the log: %w", eventlog.ErrUnavailable, err)
		}
		return nil, err
	}
	return w.reply(m.Data)
}

func (w *Writer) reply(data []byte) (*writeReply, error) {
	r := new(writeReply)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read the answer of the edge: %w", err)
	}
	if err := r.err(); err != nil {
		return r, err
	}
	w.note(r.Position)
	return r, nil
}

// Commit is as the committer's.
func (w *Writer) Commit(ctx context.Context, s *eventlog.Submission) error {
	s.Verdicts, s.Done, s.Position = s.Verdicts[:0], 0, 0
	if err := w.enter(); err != nil {
		return err
	}
	defer w.leave()
	r, err := w.request(ctx, subjectCommit, &commitRequest{Site: s.Site.ID, Events: s.Events, Import: s.Import, Advance: s.Advance, Refused: s.Refused})
	if r != nil {
		s.Verdicts, s.Done, s.Position = append(s.Verdicts, r.Verdicts...), r.Done, r.Position
	}
	for len(s.Verdicts) < len(s.Events) {
		s.Verdicts = append(s.Verdicts, eventlog.Verdict{})
	}
	return err
}

// Submit is as the committer's.
func (w *Writer) Submit(s *eventlog.Submission, done func(error)) error {
	if len(w.slots) == cap(w.slots) {
		return eventlog.ErrOverloaded
	}
	go func() { done(w.Commit(context.Background(), s)) }()
	return nil
}

// CommitFacts is as the committer's.
func (w *Writer) CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error) {
	if len(facts) == 0 {
		return w.Acked(), nil
	}
	if err := w.enter(); err != nil {
		return 0, err
	}
	defer w.leave()
	last := event.Position(0)
	for len(facts) > 0 {
		n, size := 0, 0
		for n < len(facts) && (n == 0 || size+factSize(&facts[n]) <= factsBytes) {
			size += factSize(&facts[n])
			n++
		}
		r, err := w.request(ctx, subjectFacts, facts[:n])
		if err != nil {
			return last, err
		}
		last, facts = r.Position, facts[n:]
	}
	return last, nil
}

// factsBytes is about how much goes to the edge at a time.
const factsBytes = 1 << 20

func factSize(f *event.Fact) int {
	return len(f.Kind) + len(f.Site) + len(f.Key) + len(f.Value)*4/3 + 64
}

// CommitRead is as the committer's: the edge asks for the fact when it is its turn.
func (w *Writer) CommitRead(ctx context.Context, read func() (event.Fact, bool, error)) (event.Position, error) {
	inbox := nats.NewInbox()
	messages := make(chan *nats.Msg, 2)
	sub, err := w.conn.nc.ChanSubscribe(inbox+".*", messages)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := w.conn.nc.PublishRequest(subjectRead, inbox+".done", []byte(inbox+".read")); err != nil {
		return 0, fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	var failed error // of read
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: the edge that writes the log: %w", eventlog.ErrUnavailable, ctx.Err())
		case m := <-messages:
			switch {
			case m.Subject == inbox+".read" && len(m.Data) == 8:
				failed = w.answerRead(ctx, m, read)
			case len(m.Data) == 0:
				return 0, fmt.Errorf("%w: the edge that writes the log: %w", eventlog.ErrUnavailable, ErrAway)
			default:
				r, err := w.reply(m.Data)
				if failed != nil {
					return 0, failed
				}
				if err != nil {
					return 0, err
				}
				return r.Position, nil
			}
		}
	}
}

// safely calls read; what panics fails alone, and the edge is not left waiting.
func safely(read func() (event.Fact, bool, error)) (f event.Fact, ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			ok, err = false, fmt.Errorf("read what to store: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return read()
}

// answerRead reads the fact as of the position that the edge names.
func (w *Writer) answerRead(ctx context.Context, m *nats.Msg, read func() (event.Fact, bool, error)) error {
	var r readReply
	position := event.Position(binary.BigEndian.Uint64(m.Data))
	w.note(position)
	ctx, cancel := context.WithTimeout(ctx, holdTime)
	defer cancel()
	err := w.wait(ctx, position)
	if err == nil {
		r.Fact, r.OK, err = safely(read)
	}
	if err != nil {
		r.Message = err.Error()
	}
	body, encoding := json.Marshal(&r)
	if encoding != nil {
		return encoding
	}
	return errors.Join(err, m.Respond(body))
}

// DropBefore drops days of the log, as eventlog.Log does.
func (w *Writer) DropBefore(day int) error {
	_, err := w.request(context.Background(), subjectDrop, day)
	return err
}

// Who returns the name of the process that writes the log. Errors: ErrAway if there
// is none, or it does not answer.
func (c *Conn) Who(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, whoTime)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, subjectWriter, nil)
	if err != nil {
		return "", away(err)
	}
	return string(m.Data), nil
}

// Stats of a committer that runs elsewhere are its own process's.
func (w *Writer) Stats() eventlog.Stats { return eventlog.Stats{} }
