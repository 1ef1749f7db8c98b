package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/readership/readership/internal/event"
)

// Bounds of one request for messages, and of what lies between the request
// and the reader.
const (
	fetchBytes    = 8 << 20
	fetchMessages = 4096
	fetchTimeout  = time.Minute
)

// Read calls fn with every message after the position, in order, up to what
// was the end when Read was called. fn owns message. Read returns fn's error as
// it is. Where after lies before the oldest message that retention has left,
// it begins there. Other holes are an error that wraps ErrGap.
func (l *Log) Read(ctx context.Context, after event.Position, fn func(pos event.Position, message []byte) error) error {
	b, parts, err := l.working()
	if err != nil {
		return err
	}
	if err := l.checkChain(parts, after); err != nil {
		return err
	}
	r, err := newFetcher(b)
	if err != nil {
		return err
	}
	defer r.close()
	for i := range parts {
		p := &parts[i]
		from := uint64(1)
		if after.Day() == p.day && after.Part() == p.number {
			from = after.Sequence() + 1
		}
		if p.last == 0 || p.lastPosition() <= after || from > p.last {
			continue
		}
		if err := r.read(ctx, p, from, fn); err != nil {
			return err
		}
	}
	return nil
}

// checkChain compares what each part says came before it with the part before.
func (l *Log) checkChain(parts []part, after event.Position) error {
	if len(parts) == 0 {
		if after > 0 {
			return fmt.Errorf("%w: the log is empty and was to be read after %s", ErrGap, after)
		}
		return nil
	}
	if last := lastOf(parts); after > last {
		return fmt.Errorf("%w: the log ends at %s and was to be read after %s", ErrGap, last, after)
	}
	l.mu.RLock()
	retained := l.retained
	l.mu.RUnlock()
	if p := &parts[0]; p.previous > after && p.previous.Day() >= retained {
		return fmt.Errorf("%w: what lies before %s up to %s is missing", ErrGap, p.name(), p.previous)
	}
	for i := 1; i < len(parts); i++ {
		if before, p := &parts[i-1], &parts[i]; p.previous != before.lastPosition() && p.previous > after {
			return fmt.Errorf("%w: between %s and %s of %s", ErrGap, before.lastPosition(), p.previous, p.name())
		}
	}
	return nil
}

// fetcher asks the server for runs of messages.
type fetcher struct {
	conn     *nats.Conn
	sub      *nats.Subscription
	messages chan *nats.Msg
	inbox    string
	requests uint64
	gone     chan struct{}
	patience int // times that a message may be missing
}

// lateWait is how long a server of a cluster is given to learn of a message that
// the others have, latePatience how many times.
const (
	lateWait     = 20 * time.Millisecond
	latePatience = 250
)

func newFetcher(b *broker) (*fetcher, error) {
	f := &fetcher{conn: b.read, gone: b.gone, messages: make(chan *nats.Msg, fetchMessages+1), inbox: nats.NewInbox()}
	if b.replicas > 1 {
		f.patience = latePatience
	}
	sub, err := b.read.ChanSubscribe(f.inbox+".*", f.messages)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	f.sub = sub
	return f, nil
}

func (f *fetcher) close() { _ = f.sub.Unsubscribe() }

// fetchRequest asks for the messages of a stream from a sequence on.
type fetchRequest struct {
	Sequence uint64 `json:"seq"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

// ask sends a request and returns the subject of its answers.
func (f *fetcher) ask(p *part, from uint64) (string, error) {
	body, err := json.Marshal(fetchRequest{Sequence: from, Batch: int(min(fetchMessages, p.last-from+1)), MaxBytes: fetchBytes})
	if err != nil {
		return "", fmt.Errorf("read log: %w", err)
	}
	f.requests++
	reply := f.inbox + "." + strconv.FormatUint(f.requests, 36)
	if err := f.conn.PublishRequest("$JS.API.DIRECT.GET."+p.name(), reply, body); err != nil {
		return "", fmt.Errorf("read %s: %w", p.name(), err)
	}
	return reply, nil
}

// read passes the messages from..p.last of p to fn.
func (f *fetcher) read(ctx context.Context, p *part, from uint64, fn func(event.Position, []byte) error) error {
	timeout := time.NewTimer(fetchTimeout)
	defer timeout.Stop()
	next, late := from, 0
	for next <= p.last {
		reply, err := f.ask(p, next)
		if err != nil {
			return err
		}
		begun := next
		for done := false; !done; {
			var m *nats.Msg
			select {
			case m = <-f.messages:
			default:
				timeout.Reset(fetchTimeout)
				select {
				case m = <-f.messages:
				case <-f.gone:
					return fmt.Errorf("read %s from %d: %w", p.name(), next, nats.ErrConnectionClosed)
				case <-timeout.C:
					return fmt.Errorf("read %s from %d: no answer in %s", p.name(), next, fetchTimeout)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if m.Subject != reply {
				continue
			}
			if status := m.Header.Get("Status"); status != "" {
				if status == "404" && next == begun && late < f.patience {
					late++ // this server has it, but not yet
					time.Sleep(lateWait)
				} else if status != "204" || next == begun {
					return fmt.Errorf("%w: %s has no message %d (%s)", ErrGap, p.name(), next, status)
				}
				done = true
				continue
			}
			sequence, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
			if err != nil {
				return fmt.Errorf("read %s after %d: %w", p.name(), next, err)
			}
			if sequence != next {
				return fmt.Errorf("%w: %s has %d where %d should be", ErrGap, p.name(), sequence, next)
			}
			if err := fn(event.MakePosition(p.day, p.number, sequence), m.Data); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}
