package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/problem"
)

// exchange is the state of one request. It is reused.
type exchange struct {
	c       *Collector
	q       *Request
	out     *Response
	request request
	arena   arena
	part    *part
	tally   tally

	body     []byte // as it was sent, or decompressed
	packed   []byte // the compressed body of body
	source   bytes.Reader
	reserved int64
	admitted int64
	single   bool // the body is one event, not a list
	taken    bool // the body has been read to its end
	debugged debugged

	// What Start needs, and Finish.
	committed func()      // called when the commit has ended; nil: Collect waits
	settle    func(error) // is settled; made once
	stage     Stage
	form      form
	coding    coding
}

// keepBody is the largest body buffer that is kept for the next request.
const keepBody = 256 << 10

// release gives back what the request held.
func (x *exchange) release() {
	if x.q.Whole != nil {
		x.body, x.packed = nil, nil // one of them is the transport's
	}
	x.c.unreserve(x.reserved)
	x.c.active.Add(-x.admitted)
	if x.part != nil {
		x.part.request = nil
		x.c.parts.Put(x.part)
		x.part = nil
	}
	if cap(x.body) > keepBody {
		x.body = nil
	}
	if cap(x.packed) > keepBody {
		x.packed = nil
	}
	x.source.Reset(nil)
	x.arena.reset()
	x.tally.reset()
	x.debugged.reset()
	x.request = request{}
	x.q, x.out, x.reserved, x.admitted = nil, nil, 0, 0
	x.single, x.taken = false, false
	x.committed, x.stage = nil, Answered
}

// serve answers the request.
func (x *exchange) serve(ctx context.Context) {
	x.cors()
	var allowed string
	var handle func(*exchange, context.Context)
	switch x.q.Path {
	case PathEvents:
		allowed, handle = "POST, OPTIONS", (*exchange).events
	case PathPixel:
		allowed, handle = "GET, HEAD, OPTIONS", (*exchange).pixel
	default:
		x.foreign(ctx)
		return
	}
	switch method := x.q.Method; {
	case method == http.MethodOptions:
		x.preflight(allowed)
	case x.q.Path == PathEvents && method == http.MethodPost, x.q.Path == PathPixel && (method == http.MethodGet || method == http.MethodHead):
		handle(x, ctx)
	default:
		x.problem(problem.Newf(http.StatusMethodNotAllowed, "the method must be one of %s", allowed).WithHeader("Allow", allowed))
	}
}

// cors lets pages of any origin read the answer: a write key proves nothing
// that an origin could take.
func (x *exchange) cors() {
	origin := x.q.Header.Get("Origin")
	if origin == "" {
		return
	}
	x.out.Set("Access-Control-Allow-Origin", origin)
	x.out.Set("Access-Control-Allow-Credentials", "true")
	x.out.Set("Access-Control-Expose-Headers", "X-Request-Id, X-Readership-Position, X-Readership-Verdict, Retry-After")
	x.out.Set("Vary", "Origin")
}

// preflight answers OPTIONS.
func (x *exchange) preflight(allowed string) {
	x.out.Status = http.StatusNoContent
	x.out.Set("Allow", allowed)
	if x.q.Header.Get("Origin") == "" {
		return
	}
	x.out.Set("Access-Control-Allow-Methods", allowed)
	if headers := x.q.Header.Get("Access-Control-Request-Headers"); headers != "" {
		x.out.Set("Access-Control-Allow-Headers", headers)
	}
	x.out.Set("Access-Control-Max-Age", "86400")
}

// events answers POST /v1/events.
func (x *exchange) events(ctx context.Context) {
	form, coding, p := bodyForm(x.q.Header)
	if denied := x.authorize(ctx); denied != nil {
		x.unread(denied)
		return
	}
	if p != nil {
		x.refuse(p, "unsupported")
		return
	}
	if p, reason := x.limit(&x.request); p != nil {
		x.refuse(p, reason)
		return
	}
	if err := x.c.committer.Ready(); err != nil && !x.request.debug {
		p, reason := commitProblem(err)
		x.refuse(p, reason)
		return
	}
	x.request.bulk = x.request.api && form == formNDJSON
	if x.request.bulk && !x.request.debug && (coding != codingNone || x.q.Length < 0 || x.q.Length > partBytes) {
		x.stream(ctx, coding)
		return
	}
	if !x.admit() { // the debug switch spares the log, not the work
		p, reason := commitProblem(eventlog.ErrOverloaded)
		x.refuse(p, reason)
		return
	}
	x.form, x.coding = form, coding
	if x.committed != nil {
		x.stage = Admitted
		return
	}
	x.work(ctx)
}

// work reads the body and commits its events.
func (x *exchange) work(ctx context.Context) {
	if p, reason := x.readBody(x.coding); p != nil {
		x.refuse(p, reason)
		return
	}
	x.part = x.c.parts.Get().(*part)
	x.part.reset(&x.request)
	if p, reason := x.readEvents(ctx, x.form); p != nil {
		x.refuse(p, reason)
		return
	}
	if x.stage != Waiting {
		x.answer()
	}
}

// Weights of bodies for admit, in bytes: what the least request costs, what a
// body of unknown length is taken for, and the most that one counts.
const (
	minWeight     = 256
	unknownWeight = 64 << 10
	maxWeight     = 256 << 10
)

// admit takes a place among the requests that are worked on; false if there
// is none (pressure.go): the request is refused at once, before anything of
// the body is taken.
func (x *exchange) admit() bool {
	weight := x.q.Length
	if weight < 0 {
		weight = unknownWeight
	}
	weight = min(max(weight, minWeight), maxWeight)
	now := x.c.active.Add(weight)
	if now > weight && now > x.c.pressure.bytes(x.c.now()) {
		x.c.active.Add(-weight)
		return false
	}
	x.admitted = weight
	return true
}

// refuse answers for a body that was not taken, or not to its end, and counts
// it.
func (x *exchange) refuse(p *problem.Problem, reason string) {
	if !x.request.debug {
		x.c.committer.Count(x.request.site.ID, verdictRefused, reason, 1)
	}
	x.unread(p)
}

// unread answers without what is left of the body.
func (x *exchange) unread(p *problem.Problem) {
	x.out.Close = !x.taken && (x.q.Length > smallBody || x.q.Length < 0 && x.q.Body != nil)
	if x.tally.seen > 0 {
		p = p.With(x.tally.extra())
	}
	x.problem(p)
}

// readEvents reads and commits the events of the body.
func (x *exchange) readEvents(ctx context.Context, form form) (*problem.Problem, string) {
	if len(x.body) == 0 {
		return malformed(x.body, 0, "the body is empty"), "malformed_json"
	}
	if form == formNDJSON {
		return x.readLines(ctx)
	}
	if at := utf8Fault(x.body); at >= 0 {
		return malformed(x.body, at, "the body is not UTF-8"), "malformed_json"
	}
	s := scanner{src: x.body, arena: &x.part.arena}
	if s.peek() == '[' {
		return x.readArray(ctx, &s)
	}
	x.part.value(&s)
	if s.why == "" && !s.end() {
		if form == formText {
			x.part.reset(&x.request)
			return x.readLines(ctx)
		}
		s.fail("expected the end of the body")
	}
	if s.why != "" {
		return malformed(x.body, s.pos, s.why), "malformed_json"
	}
	x.single = true
	return x.commit(ctx)
}

// readArray reads the events of an array. Nothing is committed before the whole
// array is known to be JSON.
func (x *exchange) readArray(ctx context.Context, s *scanner) (*problem.Problem, string) {
	p, checked := x.part, false
	s.pos++
	if s.peek() == ']' {
		s.pos++
	} else {
		from := s.pos
		for more := true; more; {
			p.value(s)
			more = s.next(']')
			if s.why != "" || !x.full(s.pos-from) || !more {
				continue
			}
			if rest := *s; !checked {
				for rest.skip(); rest.next(']'); rest.skip() {
				}
				if rest.why == "" && !rest.end() {
					rest.fail("expected the end of the body")
				}
				if rest.why != "" {
					return malformed(x.body, rest.pos, rest.why), "malformed_json"
				}
				checked = true
			}
			if problem, reason := x.commit(ctx); problem != nil {
				return problem, reason
			}
			p.reset(&x.request)
			from = s.pos
		}
	}
	if s.why == "" && !s.end() {
		s.fail("expected the end of the body")
	}
	if s.why != "" {
		return malformed(x.body, s.pos, s.why), "malformed_json"
	}
	return x.commit(ctx)
}

// readLines reads the events of an NDJSON body. A line that is not JSON is
// rejected by itself.
func (x *exchange) readLines(ctx context.Context) (*problem.Problem, string) {
	lines := lines{src: x.body, line: 1}
	for from := 0; lines.more(); {
		x.part.line(&lines)
		if x.full(lines.pos - from) {
			if p, reason := x.commit(ctx); p != nil {
				return p, reason
			}
			x.part.reset(&x.request)
			from = lines.pos
		}
	}
	return x.commit(ctx)
}

// full says whether the part, of size bytes, should be committed before it
// takes more. Start commits once.
func (x *exchange) full(size int) bool {
	return x.committed == nil && (x.part.full() || size >= partBytes)
}

// commit stores the events of the part and adds it to the tally.
func (x *exchange) commit(ctx context.Context) (*problem.Problem, string) {
	p := x.part
	if x.request.debug {
		x.debugged.add(p, x.tally.seen)
		x.tally.add(p, false)
		return nil, ""
	}
	if x.committed != nil && len(p.events) > 0 {
		return x.submit()
	}
	return x.tallied(x.c.commitPart(ctx, p))
}

// tallied adds the part to the tally after its commit.
func (x *exchange) tallied(err error) (*problem.Problem, string) {
	x.part.err = err
	x.tally.add(x.part, true)
	if err != nil {
		return commitProblem(err)
	}
	x.out.Position = max(x.out.Position, x.part.sub.Position)
	return nil, ""
}

// commitPart stores the events of a part and sets p.err.
func (c *Collector) commitPart(ctx context.Context, p *part) error {
	p.err = nil
	s := p.submission()
	if len(s.Events) == 0 {
		s.Verdicts, s.Done = s.Verdicts[:0], 0
		for _, n := range s.Refused {
			c.committer.Count(n.Site, n.Verdict, n.Reason, n.N)
		}
		return nil
	}
	p.err = c.committer.Commit(ctx, s)
	return p.err
}

// malformed is the answer to a body that is not JSON.
func malformed(body []byte, at int, why string) *problem.Problem {
	return problem.New(http.StatusBadRequest, "the body is not JSON",
		problem.Fault{Location: "body", Code: codeNames[codeMalformed], Message: why + " " + place(body, at), Value: snippet(body, at)})
}

// place describes a byte of a body: "at byte 17 (line 2, column 5)".
func place(body []byte, at int) string {
	at = min(at, len(body))
	line := bytes.Count(body[:at], []byte{'\n'}) + 1
	return fmt.Sprintf("at byte %d (line %d, column %d)", at, line, at-bytes.LastIndexByte(body[:at], '\n'))
}

// snippet returns what stands at a byte.
func snippet(body []byte, at int) any {
	at = min(at, len(body))
	s := strings.ToValidUTF8(string(body[at:min(at+24, len(body))]), "\uFFFD")
	if s == "" {
		return nil
	}
	return s
}

// How long a refused sender should wait.
const (
	retryOverload = time.Second
	retryDisk     = 2 * time.Second
	retryShutdown = 5 * time.Second
)

// overloaded is the answer when there is no room.
func overloaded(detail string) *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, detail).WithCode("overloaded").WithRetryAfter(retryOverload)
}

// refusal is how an error of the committer is answered, and counted.
type refusal struct {
	err    error
	answer *problem.Problem // prepared: a refusal is to cost little
	reason string
}

var refusals = func() []refusal {
	unavailable := func(code, detail string, retry time.Duration) *problem.Problem {
		return problem.New(http.StatusServiceUnavailable, detail).WithCode(code).WithRetryAfter(retry).Prepare()
	}
	given := unavailable("unavailable", "the request was given up", retryOverload)
	return []refusal{
		{eventlog.ErrOverloaded, overloaded("the server has more events than it can store").Prepare(), "overloaded"},
		{eventlog.ErrDiskFull, unavailable("disk_full", "there is no room for more events", retryDisk), "disk_full"},
		{eventlog.ErrUnavailable, unavailable("unavailable", "the event log is being reopened", retryOverload), "unavailable"},
		{eventlog.ErrClosed, unavailable("shutdown", "the server is shutting down", retryShutdown), "shutdown"},
		{context.Canceled, given, "unavailable"},
		{context.DeadlineExceeded, given, "unavailable"},
	}
}()

// commitProblem turns the committer's errors into answers, which must not be
// changed.
func commitProblem(err error) (p *problem.Problem, reason string) {
	for i := range refusals {
		if r := &refusals[i]; errors.Is(err, r.err) {
			return r.answer, r.reason
		}
	}
	return problem.New(http.StatusInternalServerError, "the events could not be stored").WithCode("internal").WithCause(err), "internal"
}
