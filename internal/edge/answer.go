package edge

import (
	"net/http"
	"strconv"
	"time"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// answers makes answers without net/http.
type answers struct {
	ids   *ids
	acked func() event.Position
}

func newAnswers(cfg *Config) answers { return answers{newIDs(cfg.Random), cfg.Acked} }

// problem makes out the answer p.
func (a *answers) problem(out *collect.Response, p *problem.Problem) {
	out.Reset()
	out.Status, out.ContentType = p.Status, problem.ContentType
	out.Position = a.acked()
	for name, values := range p.Header {
		out.Set(name, values[0])
	}
	out.Body = append(out.Body, p.Body()...)
}

// appendAnswer appends the answer to a plain request.
func (a *answers) appendAnswer(b []byte, h *head, out *collect.Response, date string, last bool) []byte {
	if out.Status == http.StatusOK {
		b = append(b, "HTTP/1.1 200 OK\r\nDate: "...)
	} else {
		b = append(b, "HTTP/1.1 "...)
		b = strconv.AppendInt(b, int64(out.Status), 10)
		b = append(append(b, ' '), http.StatusText(out.Status)...)
		b = append(b, "\r\nDate: "...)
	}
	b = append(b, date...)
	b = append(b, "\r\nX-Request-Id: "...)
	if id := h.get(headerRequestID); usable(id) {
		b = append(b, id...)
	} else {
		b = a.ids.append(b)
	}
	b = append(b, "\r\nX-Readership-Position: "...)
	b = appendPosition(b, out.Position)
	for i := range out.Headers {
		b = append(append(b, "\r\n"...), out.Headers[i].Name...)
		b = append(append(b, ": "...), out.Headers[i].Value...)
	}
	if last {
		b = append(b, "\r\nConnection: close"...)
	}
	if out.ContentType == "" {
		if out.Status != http.StatusNoContent {
			b = append(b, "\r\nContent-Length: 0"...)
		}
		return append(b, "\r\n\r\n"...)
	}
	b = append(b, "\r\nContent-Type: "...)
	b = append(b, out.ContentType...)
	b = append(b, "\r\nX-Content-Type-Options: nosniff\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(out.Body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, out.Body...)
}

// retryCrowded is how long a sender that found no room should wait.
const retryCrowded = time.Second

// tooMany are the answers to a connection that is one too many.
var tooMany = [...]*problem.Problem{
	crowded: problem.New(http.StatusServiceUnavailable, "the server has as many connections as it can take").
		WithCode("overloaded").WithRetryAfter(retryCrowded).Prepare(),
	pushed: problem.New(http.StatusTooManyRequests, "your address has as many connections as it may have").
		WithCode("rate_limited").WithRetryAfter(retryCrowded).Prepare(),
}

// refusal is the answer to a connection that has no place.
func (a *answers) refusal(why entry, date string) []byte {
	var out collect.Response
	a.problem(&out, tooMany[why])
	return a.appendAnswer(nil, new(head), &out, date, true)
}
