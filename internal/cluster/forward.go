package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Bounds of requests that are passed on.
const (
	forwardTime   = 10 * time.Second
	forwardBody   = 1 << 20
	forwardAnswer = 4 << 20
	maxForwarding = 256
)

const (
	headerPosition = "X-Readership-Position"
	headerRemote   = "Readership-Remote" // of the message: the client's address
)

// Forwarder passes requests on to the process that holds the engine. It is an
// http.Handler.
type Forwarder struct {
	conn  *Conn
	acked func() event.Position
	slots chan struct{}
}

// NewForwarder makes a Forwarder of a process that has acknowledged what acked says:
// an answer includes it.
func (c *Conn) NewForwarder(acked func() event.Position) *Forwarder {
	return &Forwarder{conn: c, acked: acked, slots: make(chan struct{}, maxForwarding)}
}

var (
	errAway = problem.New(http.StatusServiceUnavailable, "the engine does not answer").WithCode("engine_away").WithRetryAfter(time.Second)
	errBusy = problem.New(http.StatusServiceUnavailable, "too many requests wait for the engine").WithCode("overloaded").WithRetryAfter(time.Second)
	// An answer that is cut off would not be known from a whole one.
	errLong = problem.New(http.StatusInternalServerError, "the answer is longer than can be passed on; ask the process that holds the engine").WithCode("too_large")
	errFail = problem.New(http.StatusInternalServerError, "something went wrong").WithCode("internal")
)

// ServeHTTP implements http.Handler.
func (f *Forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		errBusy.Respond(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, forwardBody+1))
	if err != nil {
		problem.New(http.StatusBadRequest, "the body could not be read").Respond(w)
		return
	}
	if len(body) > forwardBody {
		problem.Newf(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", forwardBody).Respond(w)
		return
	}
	answer, err := f.ask(r, body)
	if err != nil {
		f.conn.logger.Debug("a request could not be passed on", "path", r.URL.Path, "error", err)
		errAway.Respond(w)
		return
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body) // who is gone need not be told
}

// ask sends a request and returns its answer.
func (f *Forwarder) ask(r *http.Request, body []byte) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	position := f.acked()
	if asked, err := event.ParsePosition(r.Header.Get(headerPosition)); err == nil {
		position = max(position, asked)
	}
	out.Header.Set(headerPosition, position.String())
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "") // else one is made up
	}
	var raw bytes.Buffer
	if err := out.Write(&raw); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), forwardTime)
	defer cancel()
	m := &nats.Msg{Subject: subjectHTTP, Data: raw.Bytes(), Header: nats.Header{headerRemote: []string{r.RemoteAddr}}}
	m, err := f.conn.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, away(err)
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(m.Data)), out)
}

// ServeHTTP answers requests that Forwarders pass on.
func (c *Conn) ServeHTTP(h http.Handler) (stop func() error, err error) {
	slots := make(chan struct{}, maxForwarding)
	sub, err := c.nc.QueueSubscribe(subjectHTTP, group, func(m *nats.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			refuse(m, errBusy)
			return
		}
		go func() {
			defer func() { <-slots }()
			defer func() { // as a server of net/http does, one request does not end the process
				if fault := recover(); fault != nil {
					c.logger.Error("cluster: a request of an edge failed", "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
					refuse(m, errFail)
				}
			}()
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.Data)))
			if err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), forwardTime)
			defer cancel()
			r.RemoteAddr = m.Header.Get(headerRemote)
			w := &recorder{header: http.Header{}}
			h.ServeHTTP(w, r.WithContext(ctx))
			if w.long || !send(m, w) {
				refuse(m, errLong)
			}
		}()
	})
	if err != nil {
		return nil, fmt.Errorf("answer requests of edges: %w", err)
	}
	return func() error {
		err := sub.Unsubscribe()
		for range maxForwarding {
			slots <- struct{}{}
		}
		return err
	}, sub.SetPendingLimits(waitingAsks, waitingBytes)
}

// send answers with what was recorded; false if it is longer than the
// nats-server takes. Who asked and is gone need not be told.
func send(m *nats.Msg, w *recorder) bool {
	var raw bytes.Buffer
	if err := w.response().Write(&raw); err != nil {
		return false
	}
	return !errors.Is(m.Respond(raw.Bytes()), nats.ErrMaxPayload)
}

// refuse answers with a problem.
func refuse(m *nats.Msg, p *problem.Problem) {
	w := &recorder{header: http.Header{}}
	p.Respond(w)
	send(m, w)
}

// recorder keeps an answer. It is an http.ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	long   bool // the answer is longer than forwardAnswer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.long = w.long || w.body.Len()+len(b) > forwardAnswer; w.long {
		return 0, fmt.Errorf("the answer has more than %d bytes", forwardAnswer)
	}
	return w.body.Write(b)
}

func (w *recorder) response() *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{StatusCode: w.status, ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len())}
}
