package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Headers of every answer.
const (
	headerRequestID = "X-Request-Id"
	headerPosition  = "X-Readership-Position"
)

// call is what a request carries through its handling.
type call struct {
	id        string
	at        event.Position // what a read must include
	wrote     event.Position // of the request's own commit
	principal *auth.Principal
	secret    string // the credential as sent, to seal what only its owner may read again
	site      *event.Site
	scope     auth.Scope // that the operation needs
	cookie    bool       // secret is a session's
	route     string
	http      *http.Request
	unknown   []problem.Fault // query parameters that the operation does not have
}

type callKey struct{}

// callOf returns the call of a request's context.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// answer is the writer of one request: it adds the headers of every answer
// when the first byte goes out.
type answer struct {
	http.ResponseWriter
	api    *API
	call   *call
	reads  bool
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		position := w.call.at
		if !w.reads {
			position = max(position, w.api.Committer.Acked())
		}
		w.Header().Set(headerPosition, max(position, w.call.wrote).String())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *answer) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := a.Now()
	c := &call{id: requestID(r, a.Random), at: a.Committer.Acked(), http: r}
	out := &answer{ResponseWriter: w, api: a, call: c, reads: r.Method == http.MethodGet || r.Method == http.MethodHead}
	out.Header().Set(headerRequestID, c.id)
	out.Header().Set("X-Content-Type-Options", "nosniff")
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	a.metrics.running.Inc()
	defer func() {
		a.metrics.running.Dec()
		if fault := recover(); fault != nil {
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			a.Logger.Error("request failed", "request", c.id, "method", r.Method, "path", r.URL.Path,
				"panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			if out.status == 0 {
				problem.New(http.StatusInternalServerError, "something went wrong; the log has it under request "+c.id).Respond(out)
			}
		}
		if out.status == 0 {
			out.WriteHeader(http.StatusOK)
		}
		a.metrics.observe(c.route, r.Method, out.status, out.Header().Get("Content-Type") == mediaSSE, a.Now().Sub(start))
		a.Logger.Debug("request", "request", c.id, "method", r.Method, "path", r.URL.Path, "status", out.status)
	}()
	if text := r.Header.Get(headerPosition); text != "" {
		position, err := event.ParsePosition(text)
		if err != nil {
			problem.New(http.StatusBadRequest, "the position cannot be read",
				problem.Fault{Location: "header." + headerPosition, Code: "bad_position", Message: err.Error(), Value: text}).Respond(out)
			return
		}
		c.at = max(c.at, position)
	}
	if !utf8.ValidString(r.URL.Path) {
		finish(problem.New(http.StatusBadRequest, "", problem.Fault{Location: "path", Code: "bad_utf8", Message: "is not valid UTF-8"})).Respond(out)
		return
	}
	a.route(out, r)
}

// route finds the handler: an operation, else a file of the dashboard.
func (a *API) route(w http.ResponseWriter, r *http.Request) {
	handler, pattern := a.mux.Handler(r)
	if a.Elsewhere != nil && !a.atEdge(w, r, handler, pattern) {
		return
	}
	if pattern != "" {
		_, path, _ := strings.Cut(pattern, " ")
		callOf(r.Context()).route = path
		a.mux.ServeHTTP(w, r)
		return
	}
	if !reserved(r.URL.Path) {
		callOf(r.Context()).route = "dashboard"
		a.static.ServeHTTP(w, r)
		return
	}
	// The mux knows which methods the path has.
	probe := httptest.NewRecorder()
	handler.ServeHTTP(probe, r)
	if allow := probe.Header().Get("Allow"); probe.Code == http.StatusMethodNotAllowed {
		problem.Newf(http.StatusMethodNotAllowed, "%s is not possible here, but %s", r.Method, allow).
			WithHeader("Allow", allow).Respond(w)
		return
	}
	problem.Newf(http.StatusNotFound, "there is nothing at %s", r.URL.Path).Respond(w)
}

// reserved says whether a path belongs to the interface, not to the dashboard.
func reserved(path string) bool {
	for _, prefix := range []string{"/v1", "/openapi", "/docs", "/healthz", "/readyz", "/metrics", "/soap", "/admin/jobs"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/' || rest[0] == '.') {
			return true
		}
	}
	return false
}

// Mark sets the headers of every answer for who answers in place of the
// interface, while it is not there yet.
func Mark(w http.ResponseWriter, r *http.Request, random io.Reader, at event.Position) {
	w.Header().Set(headerRequestID, requestID(r, random))
	w.Header().Set(headerPosition, at.String())
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

// requestID takes the sender's id where it is harmless, else makes one.
func requestID(r *http.Request, random io.Reader) string {
	id := r.Header.Get(headerRequestID)
	if n := len(id); n > 0 && n <= 64 && strings.IndexFunc(id, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.')
	}) < 0 {
		return id
	}
	var raw [12]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "none"
	}
	return hex.EncodeToString(raw[:])
}

// failed turns an error into the answer of a request: a problem as it is, a
// known failure as its status, anything else as 500 with the error in the log.
func (a *API) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if p := Problem(err); p != nil {
		return p
	}
	c := callOf(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return problem.New(http.StatusServiceUnavailable, "the request was given up").WithRetryAfter(time.Second).WithCause(err)
	}
	a.Logger.Error("request failed", "request", c.id, "route", c.route, "error", err)
	return problem.New(http.StatusInternalServerError, "something went wrong; the log has it under request "+c.id).WithCause(err)
}
