package api

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/problem"
)

// Timing of event streams.
const (
	commentEvery = 15 * time.Second
	sendTime     = 10 * time.Second // for one write; a reader that is slower is dropped
)

// snapshot is the state that a stream tells of.
type snapshot struct {
	id   event.Position
	name string // of the event; result if empty
	data []byte // one JSON value
	same string // equal for states that need not be told again
	last bool   // the stream ends with it
	// goesOn says that more of the same position follows: the id comes with the
	// last of it.
	goesOn bool
}

// openStream takes one of the streams that may be open at once; whoever has it
// gives it back.
func (a *API) openStream() error {
	select {
	case <-a.draining:
		return explain(eventlog.ErrClosed)
	default:
	}
	select {
	case a.streams <- struct{}{}:
		return nil
	default:
		return problem.New(http.StatusServiceUnavailable, "too many open streams").WithCode("overloaded").WithRetryAfter(5 * time.Second)
	}
}

// stream answers with server-sent events: the state at once, and again when it
// has changed, looked at once an interval. It ends with the request, when the
// server drains, when state says so, and within commentEvery when the caller
// may not read it any more. An error of state later than the
// first is left out; the next look may do better.
func (a *API) stream(ctx context.Context, every time.Duration, state func(context.Context) (snapshot, error)) (*huma.StreamResponse, error) {
	if err := a.openStream(); err != nil {
		return nil, err
	}
	first, err := state(ctx)
	if err != nil {
		<-a.streams
		return nil, a.failed(ctx, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer func() { <-a.streams }()
		a.metrics.streams.Inc()
		defer a.metrics.streams.Dec()
		r, w := humago.Unwrap(h)
		s := newSender(w)
		if last := r.Header.Get("Last-Event-ID"); last != "" && !a.resumable(callOf(ctx), last) {
			if s.send(snapshot{name: "reset", id: first.id, data: []byte(`{}`)}) != nil {
				return
			}
		}
		a.tell(r.Context(), s, first, every, state)
	}}, nil
}

func (a *API) tell(ctx context.Context, s *sender, now snapshot, every time.Duration, state func(context.Context) (snapshot, error)) {
	if s.send(now) != nil || now.last {
		return
	}
	look := time.NewTicker(every)
	defer look.Stop()
	comment := time.NewTicker(commentEvery)
	defer comment.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.draining:
			return
		case <-comment.C:
			if !a.still(ctx, callOf(ctx)) || s.comment() != nil {
				return
			}
		case <-look.C:
			callOf(ctx).at = a.Committer.Acked()
			next, err := state(ctx)
			if err != nil || next.same == now.same {
				continue
			}
			now = next
			if s.send(now) != nil || now.last {
				return
			}
		}
	}
}

// resumable says whether a stream of states can go on after an event: any
// position of this log within the site's window will do, since the newest state
// says all.
func (a *API) resumable(c *call, last string) bool {
	position, err := event.ParsePosition(last)
	if err != nil || position > a.Committer.Acked() {
		return false
	}
	const day = 24 * 3600_000
	return int64(position.Day()+1)*day > a.Engine.LogTime()-c.site.WindowDuration().Milliseconds()
}

// sender writes events to one reader.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	out     bytes.Buffer
}

func newSender(w http.ResponseWriter) *sender {
	s := &sender{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", mediaSSE)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy would hold events back
	return s
}

// send writes an event, and those that are queued before it.
func (s *sender) send(e snapshot) error {
	s.append(e)
	return s.flush()
}

// queuedBytes is how much is queued at most: one write a few hundred events.
const queuedBytes = 32 << 10

// queue has an event written with what follows it.
func (s *sender) queue(e snapshot) error {
	if s.append(e); s.out.Len() < queuedBytes {
		return nil
	}
	return s.flush()
}

func (s *sender) append(e snapshot) {
	name := e.name
	if name == "" {
		name = "result"
	}
	if !e.goesOn {
		s.out.WriteString("id: " + e.id.String() + "\n")
	}
	s.out.WriteString("event: " + name + "\n")
	for line := range bytes.Lines(e.data) {
		s.out.WriteString("data: ")
		s.out.Write(bytes.TrimRight(line, "\r\n"))
		s.out.WriteByte('\n')
	}
	s.out.WriteByte('\n')
}

func (s *sender) comment() error {
	s.out.WriteString(":\n\n")
	return s.flush()
}

func (s *sender) flush() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(sendTime)) // not all writers have deadlines
	_, err := s.w.Write(s.out.Bytes())
	s.out.Reset()
	if err != nil {
		return err
	}
	return s.control.Flush()
}

// wantsStream says whether a reader asks for events.
func wantsStream(accept string) bool {
	return negotiate(accept, mediaJSON, mediaSSE) == mediaSSE
}
