package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// faultError carries a fault through Huma's list of errors.
type faultError problem.Fault

// Error implements error.
func (f *faultError) Error() string { return f.Location + ": " + f.Message }

// faults collects what is wrong with values below a location.
type faults struct {
	prefix string
	list   []problem.Fault
}

// add notes a fault at a field, "" for the value itself.
func (f *faults) add(field, code, message string, value any) {
	location := f.prefix
	if field != "" {
		location += "." + field
	}
	f.list = append(f.list, problem.Fault{Location: location, Code: code, Message: message, Value: echo(value)})
}

// errors returns the faults for Huma.
func (f *faults) errors() []error {
	var errs []error
	for i := range f.list {
		errs = append(errs, (*faultError)(&f.list[i]))
	}
	return errs
}

// schemaOf returns the schema of a type, as a reference.
func schemaOf[T any](a *API) *huma.Schema {
	t := reflect.TypeFor[T]()
	return a.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

// check validates a decoded JSON value against a type's schema.
func check[T any](a *API, location string, value any) []problem.Fault {
	path := huma.NewPathBuffer(nil, 0)
	path.Push(location)
	result := &huma.ValidateResult{}
	huma.Validate(a.huma.OpenAPI().Components.Schemas, schemaOf[T](a), path, huma.ModeWriteToServer, value, result)
	var out []problem.Fault
	for _, err := range result.Errors {
		var detailer huma.ErrorDetailer
		if errors.As(err, &detailer) {
			out = append(out, located(detailer.ErrorDetail(), http.StatusUnprocessableEntity))
		}
	}
	return out
}

// checkers are inputs with rules beyond their schema.
type checker interface{ check(f *faults) }

// decodeInto checks a JSON value against T's schema and its own rules and
// decodes it.
func decodeInto[T any](a *API, location string, value any) (T, []problem.Fault) {
	var out T
	list := check[T](a, location, value)
	raw, err := json.Marshal(sound(value, location, list))
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil && len(list) == 0 {
		list = append(list, problem.Fault{Location: location, Code: "bad_value", Message: err.Error()})
	}
	if c, ok := any(&out).(checker); ok && err == nil {
		f := &faults{prefix: location}
		c.check(f)
		list = append(list, f.list...)
	}
	return out, list
}

// sound returns an object without the members that faults name, so that the
// others can be decoded and checked too.
func sound(value any, location string, faults []problem.Fault) any {
	object, ok := value.(map[string]any)
	if !ok || len(faults) == 0 {
		return value
	}
	object = maps.Clone(object)
	for _, f := range faults {
		name := strings.TrimPrefix(f.Location, location+".")
		if end := strings.IndexAny(name, ".["); end >= 0 {
			name = name[:end]
		}
		delete(object, name)
	}
	return object
}

// parseJSON reads one JSON value; what follows it must be blank.
func parseJSON(raw []byte) (any, error) {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, finish(problem.New(http.StatusBadRequest, "",
			problem.Fault{Location: "body", Code: "bad_json", Message: "the body is not valid JSON: " + err.Error()}))
	}
	return value, nil
}

// merge applies an RFC 7396 merge patch to a decoded JSON value.
func merge(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	out := make(map[string]any, len(t)+len(p))
	for k, v := range t {
		out[k] = v
	}
	for k, v := range p {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = merge(out[k], v)
		}
	}
	return out
}

// patched applies the patch in a request's body to a value and returns what is
// wrong with the result.
func patched[T any](a *API, current T, raw []byte) (T, []problem.Fault, error) {
	var none T
	patch, err := parseJSON(raw)
	if err != nil {
		return none, nil, err
	}
	if _, ok := patch.(map[string]any); !ok {
		return none, nil, unprocessable(problem.Fault{Location: "body", Code: "wrong_type", Message: "a patch is an object"})
	}
	text, err := json.Marshal(current)
	if err != nil {
		return none, nil, err
	}
	var target any
	if err := json.Unmarshal(text, &target); err != nil {
		return none, nil, err
	}
	out, list := decodeInto[T](a, "body", merge(target, patch))
	for _, f := range check[T](a, "body", patch) {
		if f.Code == "unknown_field" { // with null it is gone once merged
			list = append(list, f)
		}
	}
	return out, list, nil
}

// etag names a version of a value.
func etag(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// Conditions are the headers that make a write conditional.
type Conditions struct {
	IfMatch     string `header:"If-Match" doc:"Write only if the stored version has this ETag, or * if there is one"`
	IfNoneMatch string `header:"If-None-Match" doc:"* to write only if nothing is stored yet"`
}

// hold says whether the conditions hold for the stored version, "" for none.
func (c Conditions) hold(current string) error {
	if c.IfMatch != "" && (current == "" || c.IfMatch != "*" && !tagged(c.IfMatch, current)) {
		return stale()
	}
	if c.IfNoneMatch != "" && current != "" && (c.IfNoneMatch == "*" || tagged(c.IfNoneMatch, current)) {
		return problem.New(http.StatusPreconditionFailed, "it is stored already")
	}
	return nil
}

func (c Conditions) given() bool { return c.IfMatch != "" || c.IfNoneMatch != "" }

// tagged says whether a list of ETags holds one.
func tagged(list, tag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.TrimPrefix(strings.TrimSpace(part), "W/") == tag {
			return true
		}
	}
	return false
}

// Unchanged is the header of a read that wants news only.
type Unchanged struct {
	IfNoneMatch string `header:"If-None-Match" doc:"Answer 304 if the ETag is still this one"`
}

func (u Unchanged) check(current string) error {
	if u.IfNoneMatch != "" && tagged(u.IfNoneMatch, current) {
		return problem.New(http.StatusNotModified, "").WithHeader("ETag", current)
	}
	return nil
}

// Paging selects a part of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Entries of the answer"`
	Cursor string `query:"cursor" doc:"From the answer before"`
}

// after returns the id that the cursor stands for.
func (p Paging) after() (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return "", unprocessable(problem.Fault{Location: "query.cursor", Code: "bad_value", Message: "is not a cursor of this list", Value: echo(p.Cursor)})
	}
	return string(raw), nil
}

// page returns the page for the store, with one entry more to see whether
// there is another page.
func (p Paging) page() (store.Page, error) {
	after, err := p.after()
	return store.Page{After: after, Limit: p.Limit + 1}, err
}

// cut returns the entries of a page and the cursor of the next one, "" at the
// end. list holds one entry more than the page if there is a next one.
func cut[T any](p Paging, list []T, id func(T) string) ([]T, string) {
	if len(list) <= p.Limit {
		return list, ""
	}
	list = list[:p.Limit]
	return list, cursorOf(id(list[len(list)-1]))
}

// cursorOf writes an id as the cursor that stands for it.
func cursorOf(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

// after returns the part of an ordered list that a page begins with.
func skipTo[T any](p Paging, list []T, id func(T) string) ([]T, error) {
	after, err := p.after()
	if err != nil || after == "" {
		return list, err
	}
	for i, v := range list {
		if id(v) > after {
			return list[i:], nil
		}
	}
	return nil, nil
}

// commit appends facts to the log and returns when the engine shows them.
func (a *API) commit(ctx context.Context, facts ...event.Fact) error {
	position, err := a.Committer.CommitFacts(ctx, facts...)
	if err != nil {
		return fmt.Errorf("commit facts: %w", err)
	}
	c := callOf(ctx)
	c.wrote = max(c.wrote, position)
	c.at = max(c.at, position)
	return a.await(ctx, c)
}

// Time is an instant in a body: RFC 3339 with offset, or Unix milliseconds. It
// is written as RFC 3339.
type Time struct{ time.Time }

// Schema implements huma.SchemaProvider.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		OneOf:       []*huma.Schema{{Type: huma.TypeString, Format: "date-time"}, {Type: huma.TypeInteger, Format: "int64"}},
		Description: "RFC 3339 with offset, or Unix milliseconds", Examples: []any{"2026-03-01T07:30:00Z"},
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return t.Time.UnmarshalJSON(raw)
	}
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	ms, err := strconv.ParseFloat(string(raw), 64) // a number that went through any may be 1.7e12
	if err != nil || ms != float64(int64(ms)) {
		return fmt.Errorf("%s is not whole milliseconds", raw)
	}
	t.Time = time.UnixMilli(int64(ms)).UTC()
	return nil
}

// parseTime reads a time of a query string: RFC 3339 with offset (a blank is
// read as +), or Unix milliseconds.
func parseTime(location, text string) (int64, *problem.Fault) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(text, " ", "+"))
	if err != nil {
		return 0, &problem.Fault{Location: location, Code: "bad_time", Message: "is neither RFC 3339 with offset nor Unix milliseconds", Value: echo(text)}
	}
	return t.UnixMilli(), nil
}

// Span is the part of time that a read is about.
type Span struct {
	From string `query:"from" doc:"Start, included: RFC 3339 with offset, or Unix milliseconds"`
	To   string `query:"to" doc:"End, excluded"`
}

// read returns the span in Unix milliseconds; what is absent is from or to.
func (s Span) read(from, to int64) (int64, int64, error) {
	var list []problem.Fault
	for _, p := range []struct {
		name, text string
		into       *int64
	}{{"from", s.From, &from}, {"to", s.To, &to}} {
		if p.text == "" {
			continue
		}
		ms, fault := parseTime("query."+p.name, p.text)
		if fault != nil {
			list = append(list, *fault)
		}
		*p.into = ms
	}
	if len(list) == 0 && from >= to {
		list = append(list, problem.Fault{Location: "query.to", Code: "bad_range", Message: "does not lie after from", Value: echo(s.To)})
	}
	if len(list) > 0 {
		return 0, 0, unprocessable(list...)
	}
	return from, to, nil
}

// stamp writes Unix milliseconds as RFC 3339 in UTC.
func stamp(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
