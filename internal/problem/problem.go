// Package problem is the one error shape that leaves the program over HTTP:
// RFC 9457 problem details with a located list of faults.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ContentType is the media type of a Problem.
const ContentType = "application/problem+json"

// MaxFaults bounds the list of faults of one answer.
const MaxFaults = 100

// Fault is one thing that is wrong with a request.
type Fault struct {
	_        struct{} `additionalProperties:"true"` // those of programs say more
	Location string   `json:"location,omitempty" doc:"Where: body.metrics[1], query.limit, path.site, header.If-Match" example:"body.metrics[1]"`
	Code     string   `json:"code,omitempty" doc:"What, for programs" example:"unknown_field"`
	Message  string   `json:"message" doc:"What, for people"`
	Value    any      `json:"value,omitempty" doc:"The value found there"`
}

// Problem is an answer other than success. It is an error and, as it is, the
// body of the answer. Extra members are merged into the body's top level.
type Problem struct {
	_      struct{} `additionalProperties:"true"`
	Type   string   `json:"type,omitempty" doc:"Names the kind of problem; about:blank if absent"`
	Title  string   `json:"title" example:"Not Found"`
	Status int      `json:"status" example:"404"`
	Detail string   `json:"detail,omitempty" doc:"What happened, for people"`
	Code   string   `json:"code,omitempty" doc:"What happened, for programs" example:"behind"`
	Errors []Fault  `json:"errors,omitempty" doc:"All faults of the request"`

	Extra  map[string]any `json:"-"`
	Header http.Header    `json:"-"`
	cause  error
	body   []byte // set by Prepare
}

// New makes a problem with the standard title of status.
func New(status int, detail string, faults ...Fault) *Problem {
	if len(faults) > MaxFaults {
		faults = faults[:MaxFaults]
	}
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Errors: faults}
}

// Newf is New with a formatted detail.
func Newf(status int, format string, args ...any) *Problem {
	return New(status, fmt.Sprintf(format, args...))
}

// WithCode names the problem for programs and returns it.
func (p *Problem) WithCode(code string) *Problem {
	p.Code = code
	return p
}

// WithHeader adds a header to the answer and returns the problem.
func (p *Problem) WithHeader(name, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
	return p
}

// WithRetryAfter says when to come back, rounded up to whole seconds.
func (p *Problem) WithRetryAfter(d time.Duration) *Problem {
	seconds := max(1, int64((d+time.Second-1)/time.Second))
	return p.WithHeader("Retry-After", strconv.FormatInt(seconds, 10))
}

// WithCause keeps err for the log; it does not leave the program.
func (p *Problem) WithCause(err error) *Problem {
	p.cause = err
	return p
}

// With returns a copy with extra members.
func (p *Problem) With(extra map[string]any) *Problem {
	with := *p
	with.Extra, with.body = extra, nil
	return &with
}

// Error implements error.
func (p *Problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%d %s: %v", p.Status, p.Detail, p.cause)
	}
	return fmt.Sprintf("%d %s", p.Status, p.Detail)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus, GetHeaders and ContentType are what an HTTP framework asks of an
// error.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers of the answer.
func (p *Problem) GetHeaders() http.Header { return p.Header }

// ContentType returns the media type of the body.
func (p *Problem) ContentType(string) string { return ContentType }

// MarshalJSON writes the members and Extra beside them.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	body, err := json.Marshal((*plain)(p))
	if err != nil || len(p.Extra) == 0 {
		return body, err
	}
	extra, err := json.Marshal(p.Extra)
	if err != nil {
		return nil, err
	}
	body[len(body)-1] = ','
	return append(body, extra[1:]...), nil
}

// Prepare encodes the body of a problem that is answered often, and returns it.
// It must not change afterwards.
func (p *Problem) Prepare() *Problem {
	p.body = p.Body()
	return p
}

// Body returns the body of the answer. It must not be changed.
func (p *Problem) Body() []byte {
	if p.body != nil {
		return p.body
	}
	body, err := json.Marshal(p)
	if err != nil { // of a value or an extra member; what is left can be written
		body, _ = json.Marshal(New(p.Status, p.Detail))
	}
	return body
}

// Respond answers a request with the problem.
func (p *Problem) Respond(w http.ResponseWriter) {
	body := p.Body()
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// As finds the problem in err's chain.
func As(err error) (*Problem, bool) {
	var p *Problem
	ok := errors.As(err, &p)
	return p, ok
}
