package collect

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/readership/readership/internal/jsontext"
	"github.com/readership/readership/internal/problem"
)

// answer writes the verdicts.
func (x *exchange) answer() {
	t := &x.tally
	x.setCookie()
	if t.total > 0 && t.total == t.seen {
		x.rejectAll()
		return
	}
	x.out.Status = http.StatusOK
	if x.q.Path == PathPixel && !x.request.debug {
		x.out.ContentType = "image/gif"
		x.out.Body = append(x.out.Body, gif...)
		return
	}
	x.answerTally()
}

// setCookie sends the cookie of a device that was made.
func (x *exchange) setCookie() {
	if x.request.failed != nil {
		x.c.logger.Error("make a device", "error", x.request.failed)
	} else if x.request.cookie != "" && !x.request.debug && x.tally.accepted > 0 {
		x.out.Set("Set-Cookie", setCookie(x.request.cookie, x.request.secure))
	}
}

// answerTally answers what became of each event.
func (x *exchange) answerTally() {
	t := &x.tally
	x.out.Status = http.StatusOK
	x.out.ContentType = "application/json"
	b := append(x.out.Body, `{"accepted":`...)
	b = strconv.AppendInt(b, int64(t.accepted), 10)
	b = append(b, `,"duplicates":`...)
	b = strconv.AppendInt(b, int64(t.duplicates), 10)
	b = append(b, `,"rejected":[`...)
	for i := range t.rejected {
		r := &t.rejected[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"index":`...)
		b = strconv.AppendInt(b, int64(r.index), 10)
		b = append(b, `,"code":`...)
		b = jsontext.Append(b, r.code)
		b = append(b, `,"path":`...)
		b = jsontext.Append(b, r.path)
		b = append(b, `,"message":`...)
		b = jsontext.Append(b, r.message)
		b = append(b, '}')
	}
	b = append(b, `],"rejected_total":`...)
	b = strconv.AppendInt(b, int64(t.total), 10)
	if t.noConsent > 0 {
		b = append(b, `,"no_consent":`...)
		b = strconv.AppendInt(b, int64(t.noConsent), 10)
	}
	if len(t.cuts) > 0 {
		b = append(b, `,"cut":[`...)
		for i, c := range t.cuts {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"index":`...)
			b = strconv.AppendInt(b, int64(c.index), 10)
			b = append(b, `,"path":`...)
			b = jsontext.Append(b, c.path)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	if x.request.debug {
		b = append(b, `,"events":[`...)
		b = append(b, x.debugged.json...)
		b = append(b, ']')
	}
	x.out.Body = append(b, '}')
}

// rejectAll answers when no event of the body was good.
func (x *exchange) rejectAll() {
	t := &x.tally
	faults := make([]problem.Fault, 0, min(len(t.rejected), problem.MaxFaults))
	for _, r := range t.rejected[:cap(faults)] {
		location := "body"
		if !x.single {
			location = fmt.Sprintf("body[%d]", r.index)
		}
		if r.path != "" {
			location += "." + r.path
		}
		faults = append(faults, problem.Fault{Location: location, Code: r.code, Message: r.message})
	}
	p := problem.New(http.StatusBadRequest, "every event was rejected", faults...)
	switch {
	case t.often == t.total:
		p = rateProblem(x.c.rates.perDevice)
	case t.seen == 1:
		p.Detail = "the event was rejected"
	}
	p.Extra = t.extra()
	x.problem(p)
}

// problem answers with p.
func (x *exchange) problem(p *problem.Problem) {
	x.out.Status = p.Status
	x.out.ContentType = problem.ContentType
	for name, values := range p.Header {
		for _, value := range values {
			x.out.Set(name, value)
		}
	}
	x.out.Body = append(x.out.Body[:0], p.Body()...)
	if p.Status >= 500 && p.Code == "internal" {
		x.c.logger.Error("collect", "path", x.q.Path, "error", p.Error())
	}
}
