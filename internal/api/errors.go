package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// Huma makes its errors through package variables; they are set once, here.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return finish(newError(status, message, errs...))
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := newError(status, message, errs...)
		if c, ok := ctx.Context().Value(callKey{}).(*call); ok && status == http.StatusUnprocessableEntity {
			p.Errors = append(p.Errors, c.unknown...)
		}
		return finish(p)
	}
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
}

var _ huma.StatusError = (*problem.Problem)(nil)

// noBody is what Huma says of a missing body, without a place.
const noBody = "request body is required"

// newError turns what Huma found into a problem with located, coded faults.
func newError(status int, message string, errs ...error) *problem.Problem {
	p := problem.New(status, message)
	if status == http.StatusBadRequest && message == noBody {
		p.Errors = append(p.Errors, problem.Fault{Location: "body", Code: "missing_field", Message: "is required"})
	}
	for _, err := range errs {
		var detailer huma.ErrorDetailer
		var fault *faultError
		switch {
		case err == nil:
		case errors.As(err, &fault):
			p.Errors = append(p.Errors, problem.Fault(*fault))
		case errors.As(err, &detailer):
			p.Errors = append(p.Errors, located(detailer.ErrorDetail(), status))
		default:
			p.Errors = append(p.Errors, problem.Fault{Code: "bad_value", Message: err.Error()})
		}
	}
	return p
}

// unprocessable is a request that was read but is invalid.
func unprocessable(faults ...problem.Fault) *problem.Problem {
	return finish(problem.New(http.StatusUnprocessableEntity, "", faults...))
}

// finish words the detail after the faults and puts them in order, one a
// place: the schema's word comes before that of other rules.
func finish(p *problem.Problem) *problem.Problem {
	slices.SortStableFunc(p.Errors, func(x, y problem.Fault) int { return strings.Compare(x.Location, y.Location) })
	p.Errors = slices.CompactFunc(p.Errors, func(x, y problem.Fault) bool { return x.Location == y.Location })
	if len(p.Errors) > problem.MaxFaults {
		p.Errors = p.Errors[:problem.MaxFaults]
	}
	switch {
	case len(p.Errors) == 1:
		p.Detail = p.Errors[0].Message
		if p.Errors[0].Location != "" {
			p.Detail = p.Errors[0].Location + ": " + p.Detail
		}
	case len(p.Errors) > 1:
		p.Detail = "the request has several faults; errors lists them"
	}
	return p
}

// located makes a fault of a detail: its code, the place it is really at, and
// the value there instead of the whole object around it.
func located(d *huma.ErrorDetail, status int) problem.Fault {
	f := problem.Fault{Location: d.Location, Message: d.Message, Value: d.Value}
	switch {
	case status == http.StatusBadRequest && d.Location == "body":
		return problem.Fault{Location: "body", Code: "bad_json", Message: "the body is not valid JSON: " + d.Message}
	case d.Message == validation.MsgUnexpectedProperty:
		name := d.Location[strings.LastIndexByte(d.Location, '.')+1:]
		f.Code, f.Message, f.Value = "unknown_field", "there is no field "+quoted(name), nil
		if object, ok := d.Value.(map[string]any); ok {
			f.Value = object[name]
		}
	case cutAround(d.Message, "expected required property ", " to be present") != "":
		name := cutAround(d.Message, "expected required property ", " to be present")
		f = problem.Fault{Location: d.Location + "." + name, Code: "missing_field", Message: "is required"}
	case strings.HasPrefix(d.Message, "required ") && strings.HasSuffix(d.Message, " is missing"):
		f.Code, f.Message, f.Value = "missing_field", "is required", nil
	case d.Message == validation.MsgExpectedMatchExactlyOneSchema: // only times have two forms
		f.Code, f.Message = "bad_time", "is neither RFC 3339 with offset nor Unix milliseconds"
	case strings.HasPrefix(d.Message, "expected length <="):
		f.Code = "too_long"
	case strings.HasPrefix(d.Message, "expected array length <="), strings.HasPrefix(d.Message, "expected object with at most"):
		f.Code = "too_many"
	case d.Message == validation.MsgExpectedBoolean, d.Message == validation.MsgExpectedNumber,
		d.Message == validation.MsgExpectedInteger, d.Message == validation.MsgExpectedString,
		d.Message == validation.MsgExpectedArray, d.Message == validation.MsgExpectedObject,
		strings.HasPrefix(d.Message, "invalid integer"), strings.HasPrefix(d.Message, "invalid boolean"):
		f.Code = "wrong_type"
	default:
		f.Code = "bad_value"
	}
	f.Value = echo(f.Value)
	return f
}

// echo returns a value that is small enough to be sent back.
func echo(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) > 200 {
			return strings.ToValidUTF8(v[:200], "") + "…"
		}
		return v
	case nil, bool, float64, int, int64:
		return v
	}
	return nil
}

func quoted(name string) string { return `"` + name + `"` }

func cutAround(text, before, after string) string {
	rest, ok := strings.CutPrefix(text, before)
	if !ok {
		return ""
	}
	middle, _ := strings.CutSuffix(rest, after)
	return middle
}

// Problem is the answer to an error, nil for one that tells the log alone.
func Problem(err error) *problem.Problem {
	if p, ok := problem.As(err); ok {
		return p
	}
	if p := explain(err); p != nil {
		return p.WithCause(err)
	}
	return nil
}

// explain gives the answer of a failure that has one, nil for others.
func explain(err error) *problem.Problem {
	busy := func(code, detail string, after time.Duration) *problem.Problem {
		return problem.New(http.StatusServiceUnavailable, detail).WithCode(code).WithRetryAfter(after)
	}
	switch {
	case errors.Is(err, eventlog.ErrDiskFull):
		return busy("disk_full", "there is no room for the log", 5*time.Second)
	case errors.Is(err, eventlog.ErrOverloaded):
		return busy("overloaded", "more arrives than can be written", time.Second)
	case errors.Is(err, eventlog.ErrUnavailable):
		return busy("unavailable", "the log is being reopened", time.Second)
	case errors.Is(err, access.ErrAway):
		return busy("engine_away", "the engine does not answer", time.Second)
	case errors.Is(err, eventlog.ErrTooLarge):
		return problem.New(http.StatusRequestEntityTooLarge, "what is to be stored is too large")
	case errors.Is(err, eventlog.ErrClosed), errors.Is(err, engine.ErrClosed):
		return busy("shutting_down", "the server is shutting down", time.Second)
	case errors.Is(err, engine.ErrFailed):
		return busy("engine_failed", "the engine stands still at a message of the log; readyz says which", 30*time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		return busy("timeout", "the answer took too long", time.Second)
	case errors.Is(err, store.ErrNotFound):
		return problem.New(http.StatusNotFound, "there is no such thing")
	case errors.Is(err, store.ErrExists):
		return problem.New(http.StatusConflict, "it exists already").WithCode("exists")
	case errors.Is(err, store.ErrStale):
		return stale()
	}
	return nil
}

// stale is the answer to a condition that no longer holds.
func stale() *problem.Problem {
	return problem.New(http.StatusPreconditionFailed, "it has changed since it was read; read it again")
}

// notFound names what is missing and the nearest that is there.
func notFound(kind, id string, known []string) *problem.Problem {
	p := problem.Newf(http.StatusNotFound, "there is no %s %q", kind, clip(id))
	if near := nearest.Closest(id, known); near != "" {
		p.Detail += "; the nearest is " + quoted(near)
	}
	return p
}

func clip(id string) string {
	if len(id) > 100 {
		return strings.ToValidUTF8(id[:100], "") + "…"
	}
	return id
}
