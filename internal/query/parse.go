package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/problem"
)

// Parse reads the body of a question. Its error is a *problem.Problem: 400 for
// what is no JSON, else 422 with every fault, each with its place. Names that
// only a view can know (properties, attributes) are checked by Ask.
func Parse(body []byte) (*Query, error) {
	q, faults, err := parse(body)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, invalid(faults)
	}
	return q, nil
}

func invalid(faults []problem.Fault) error {
	detail := "the question has a fault"
	if len(faults) > 1 {
		detail = fmt.Sprintf("the question has %d faults", len(faults))
	}
	return problem.New(http.StatusUnprocessableEntity, detail, faults...)
}

// parse is Parse that returns the faults and what could be read.
func parse(body []byte) (*Query, []problem.Fault, error) {
	if !utf8.Valid(body) {
		return nil, nil, notJSON("bad_utf8", "is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, nil, unreadable(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, notJSON("bad_json", "has more after the question")
	}
	p := &parser{q: &Query{Limit: DefaultLimit}}
	p.question(value)
	return p.q, p.faults, nil
}

func unreadable(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return notJSON("bad_json", fmt.Sprintf("is not JSON: %s at byte %d", syntax, syntax.Offset))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return notJSON("bad_json", "is not JSON: it ends too early")
	}
	return notJSON("bad_json", "is not JSON: "+err.Error())
}

// notJSON is the answer to a body that is no question at all.
func notJSON(code, message string) error {
	return problem.New(http.StatusBadRequest, "the body "+message, problem.Fault{Location: "body", Code: code, Message: message})
}

// parser walks the decoded JSON and collects faults.
type parser struct {
	q      *Query
	faults []problem.Fault
	nodes  int
}

func (p *parser) fault(location, code string, value any, format string, args ...any) {
	if len(p.faults) <= problem.MaxFaults {
		p.faults = append(p.faults, problem.Fault{Location: location, Code: code, Message: fmt.Sprintf(format, args...), Value: brief(value)})
	}
}

// brief keeps what was found there short.
func brief(value any) any {
	switch v := value.(type) {
	case string:
		if len(v) > 200 {
			return strings.ToValidUTF8(v[:200], "") + "…"
		}
	case []any, map[string]any:
		return nil
	}
	return value
}

// kindOf names the type of a JSON value.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}

var questionFields = []string{"metrics", "date_range", "dimensions", "filters", "order_by", "limit", "offset", "timezone", "compare", "include"}

func (p *parser) question(value any) {
	fields, ok := value.(map[string]any)
	if !ok {
		p.fault("body", "wrong_type", value, "a question is an object, this is %s", kindOf(value))
		return
	}
	p.q.body = fields
	p.unknown("body.", fields, questionFields)
	p.metrics(fields["metrics"])
	p.dateRange(fields)
	p.dimensions(fields["dimensions"])
	p.filters(fields["filters"])
	p.orderBy(fields["order_by"])
	p.q.Limit = p.integer(fields, "limit", 1, MaxLimit, DefaultLimit)
	p.q.Offset = p.integer(fields, "offset", 0, MaxOffset, 0)
	p.timezone(fields["timezone"])
	p.compare(fields["compare"])
	p.include(fields["include"])
	p.defaultOrder()
}

func (p *parser) unknown(prefix string, fields map[string]any, known []string) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		p.fault(prefix+brief(name).(string), "unknown_field", fields[name], "unknown field %q%s", brief(name), nearest.DidYouMean(name, known))
	}
}

// list returns an array's elements; a missing one has none.
func (p *parser) list(location string, value any, most int) []any {
	if value == nil {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		p.fault(location, "wrong_type", value, "expected an array, found %s", kindOf(value))
		return nil
	}
	if len(list) > most {
		p.fault(location, "too_many", nil, "%d elements, at most %d are allowed", len(list), most)
		return nil
	}
	return list
}

func (p *parser) metrics(value any) {
	const at = "body.metrics"
	list := p.list(at, value, MaxMetrics)
	if value == nil {
		p.fault(at, "missing_field", nil, "metrics are required: at least one of %s", strings.Join(metricNames[:], ", "))
	} else if l, ok := value.([]any); ok && len(l) == 0 {
		p.fault(at, "too_few", nil, "at least one metric is required")
	}
	for i, v := range list {
		location := fmt.Sprintf("%s[%d]", at, i)
		name, ok := v.(string)
		if !ok {
			p.fault(location, "wrong_type", v, "expected a metric's name, found %s", kindOf(v))
			continue
		}
		m, ok := MetricByName(name)
		switch {
		case !ok:
			p.fault(location, "unknown_metric", name, "unknown metric %q%s", brief(name), nearest.DidYouMean(name, metricNames[:]))
		case slices.Contains(p.q.Metrics, m):
			p.fault(location, "duplicate", name, "metric %q is asked twice", name)
		default:
			p.q.Metrics = append(p.q.Metrics, m)
		}
	}
}

func (p *parser) dimensions(value any) {
	const at = "body.dimensions"
	for i, v := range p.list(at, value, MaxDimensions) {
		location := fmt.Sprintf("%s[%d]", at, i)
		d, ok := p.dimension(location, v)
		if !ok {
			continue
		}
		if d.Kind == KindTime && p.q.timeDimension() >= 0 {
			p.fault(location, "duplicate", d.Name, "only one time dimension is possible")
			continue
		}
		if slices.ContainsFunc(p.q.Dimensions, func(o Dimension) bool { return o.same(&d) }) {
			p.fault(location, "duplicate", d.Name, "dimension %q is asked twice", d.Name)
			continue
		}
		p.q.Dimensions = append(p.q.Dimensions, d)
	}
}

func (p *parser) dimension(location string, v any) (d Dimension, ok bool) {
	name, ok := v.(string)
	if !ok {
		p.fault(location, "wrong_type", v, "expected a dimension's name, found %s", kindOf(v))
		return d, false
	}
	if len(name) > MaxTextBytes {
		p.fault(location, "too_long", name, "a name has at most %d bytes", MaxTextBytes)
		return d, false
	}
	if d, ok = dimensionByName(name); !ok {
		p.fault(location, "unknown_dimension", name, "unknown dimension %q%s", name, nearest.DidYouMean(name, builtinDimensions()))
	}
	return d, ok
}

func (p *parser) dateRange(fields map[string]any) {
	const at = "body.date_range"
	value, ok := fields["date_range"]
	switch v := value.(type) {
	case nil:
		if !ok {
			p.fault(at, "missing_field", nil, "date_range is required: a pair of times, a span such as 24h, or day, week, month, year")
		} else {
			p.fault(at, "wrong_type", nil, "expected a pair of times or a span, found null")
		}
	case string:
		p.span(at, v)
	case []any:
		if len(v) != 2 {
			p.fault(at, "wrong_type", nil, "a pair of times has 2 elements, this has %d", len(v))
			return
		}
		from, ok1 := p.time(at+"[0]", v[0])
		to, ok2 := p.time(at+"[1]", v[1])
		if ok1 && ok2 && from >= to {
			p.fault(at, "empty_range", nil, "the start must lie before the end")
		}
		p.q.Range = Range{Pair: true, From: from, To: to}
	default:
		p.fault(at, "wrong_type", value, "expected a pair of times or a span, found %s", kindOf(value))
	}
}

// maxSpan is longer than any window.
const maxSpan = 100 * 366 * 24 * time.Hour

func (p *parser) span(at, text string) {
	switch text {
	case "day", "week", "month", "year":
		p.q.Range = Range{Period: text}
		return
	}
	d, err := event.ParseDuration(text)
	switch {
	case err != nil:
		p.fault(at, "bad_range", text, "%q is not a span such as 90m, 24h, 7d, nor day, week, month or year", brief(text))
	case d < time.Millisecond:
		p.fault(at, "bad_range", text, "the span must be longer than nothing")
	case d > maxSpan:
		p.fault(at, "bad_range", text, "the span is longer than a hundred years")
	default:
		p.q.Range = Range{Span: d}
	}
}

// The times that can be asked for: the years 1 to 9999.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli()
)

// time reads RFC 3339 with an offset, or Unix milliseconds.
func (p *parser) time(location string, value any) (millis int64, ok bool) {
	switch v := value.(type) {
	case string:
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			p.fault(location, "bad_time", v, "%q is not a time: RFC 3339 with an offset, or integer Unix milliseconds", brief(v))
			return 0, false
		}
		// An instant between two milliseconds: t' ≥ t means t' ≥ the next one.
		millis = t.UnixMilli()
		if t.Nanosecond()%1e6 != 0 {
			millis++
		}
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			p.fault(location, "bad_time", v, "a time as a number is integer Unix milliseconds")
			return 0, false
		}
		millis = n
	default:
		p.fault(location, "wrong_type", value, "expected a time, found %s", kindOf(value))
		return 0, false
	}
	if millis < minTime || millis > maxTime {
		p.fault(location, "bad_time", value, "the time lies outside the years 1 to 9999")
		return 0, false
	}
	return millis, true
}

func (p *parser) filters(value any) {
	const at = "body.filters"
	list := p.list(at, value, MaxFilterNodes)
	if len(list) == 0 {
		return
	}
	all := &Filter{Op: OpAnd, location: at}
	for i, v := range list {
		if f := p.filter(fmt.Sprintf("%s[%d]", at, i), v, 1); f != nil {
			all.Subs = append(all.Subs, f)
		}
	}
	p.q.Filter = all
}

func (p *parser) filter(location string, value any, depth int) *Filter {
	if p.nodes++; p.nodes > MaxFilterNodes {
		if p.nodes == MaxFilterNodes+1 {
			p.fault(location, "too_many", nil, "more than %d filters", MaxFilterNodes)
		}
		return nil
	}
	if depth > MaxFilterDepth {
		p.fault(location, "too_deep", nil, "filters are nested deeper than %d", MaxFilterDepth)
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		p.fault(location, "wrong_type", value, `expected a filter such as ["is","country",["DE"]], found %s`, kindOf(value))
		return nil
	}
	if len(list) == 0 {
		p.fault(location, "wrong_type", nil, "a filter begins with its operator, this is empty")
		return nil
	}
	name, ok := list[0].(string)
	if !ok {
		p.fault(location+"[0]", "wrong_type", list[0], "expected an operator, found %s", kindOf(list[0]))
		return nil
	}
	if name == "segment" {
		return p.members(location, list)
	}
	op := slices.Index(opNames, name)
	switch {
	case op < 0:
		p.fault(location+"[0]", "unknown_operator", name, "unknown operator %q%s", brief(name), nearest.DidYouMean(name, append([]string{"segment"}, opNames...)))
		return nil
	case Op(op) == OpAnd || Op(op) == OpOr:
		return p.combination(location, Op(op), list, depth)
	case Op(op) == OpNot:
		if len(list) != 2 {
			p.fault(location, "wrong_type", nil, `expected ["not", filter]`)
			return nil
		}
		sub := p.filter(location+"[1]", list[1], depth+1)
		if sub == nil {
			return nil
		}
		return &Filter{Op: OpNot, Subs: []*Filter{sub}, location: location}
	}
	return p.test(location, Op(op), list)
}

// members reads the filter that keeps the rows of a segment's members.
func (p *parser) members(location string, list []any) *Filter {
	if len(list) != 2 {
		p.fault(location, "wrong_type", nil, `expected ["segment", name]`)
		return nil
	}
	name, ok := list[1].(string)
	if !ok {
		p.fault(location+"[1]", "wrong_type", list[1], "expected the name of a segment, found %s", kindOf(list[1]))
		return nil
	}
	if len(name) > MaxTextBytes {
		p.fault(location+"[1]", "too_long", name, "a name has at most %d bytes", MaxTextBytes)
		return nil
	}
	return &Filter{Op: OpIs, Dimension: Dimension{Name: "segment", Kind: KindSegment}, Values: []string{name}, segment: true, location: location}
}

func (p *parser) combination(location string, op Op, list []any, depth int) *Filter {
	if len(list) != 2 {
		p.fault(location, "wrong_type", nil, `expected [%q, [filters]]`, opNames[op])
		return nil
	}
	subs, ok := list[1].([]any)
	if !ok {
		p.fault(location+"[1]", "wrong_type", list[1], "expected an array of filters, found %s", kindOf(list[1]))
		return nil
	}
	if len(subs) == 0 {
		p.fault(location+"[1]", "too_few", nil, "%q needs at least one filter", opNames[op])
		return nil
	}
	f := &Filter{Op: op, location: location}
	for i, v := range subs {
		if sub := p.filter(fmt.Sprintf("%s[1][%d]", location, i), v, depth+1); sub != nil {
			f.Subs = append(f.Subs, sub)
		}
	}
	if len(f.Subs) == 0 {
		return nil
	}
	return f
}

func (p *parser) test(location string, op Op, list []any) *Filter {
	if len(list) != 3 {
		p.fault(location, "wrong_type", nil, `expected [%q, column, [values]]`, opNames[op])
		return nil
	}
	d, ok := p.dimension(location+"[1]", list[1])
	if ok && d.Kind == KindTime {
		p.fault(location+"[1]", "unknown_dimension", d.Name, "time is no column to filter by: use date_range")
		ok = false
	}
	at := location + "[2]"
	values, isList := list[2].([]any)
	switch {
	case !isList:
		p.fault(at, "wrong_type", list[2], "expected an array of values, found %s", kindOf(list[2]))
		return nil
	case len(values) == 0:
		p.fault(at, "too_few", nil, "at least one value is required")
		return nil
	case len(values) > MaxValues:
		p.fault(at, "too_many", nil, "%d values, at most %d are allowed", len(values), MaxValues)
		return nil
	}
	f := &Filter{Op: op, Dimension: d, location: location}
	for i, v := range values {
		if !p.value(f, fmt.Sprintf("%s[%d]", at, i), v) {
			ok = false
		}
	}
	if !ok {
		return nil
	}
	return f
}

// value adds one value to a test.
func (p *parser) value(f *Filter, location string, value any) bool {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			p.fault(location, "out_of_range", v, "the number is too large")
			return false
		}
		text = shortest(n)
	default:
		p.fault(location, "wrong_type", value, "expected a string, number or boolean, found %s", kindOf(value))
		return false
	}
	if len(text) > MaxTextBytes {
		p.fault(location, "too_long", text, "a value has at most %d bytes", MaxTextBytes)
		return false
	}
	switch f.Op {
	case OpMatches:
		re, err := regexp.Compile(text)
		if err != nil {
			p.fault(location, "bad_pattern", text, "the pattern cannot be read: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			return false
		}
		f.patterns = append(f.patterns, re)
	case OpGreater, OpLess:
		n, ok := number(text)
		if !ok {
			p.fault(location, "wrong_type", value, "%q compares numbers", opNames[f.Op])
			return false
		}
		f.numbers = append(f.numbers, n)
	}
	f.Values = append(f.Values, text)
	return true
}

func (p *parser) orderBy(value any) {
	const at = "body.order_by"
	for i, v := range p.list(at, value, MaxMetrics+MaxDimensions) {
		location := fmt.Sprintf("%s[%d]", at, i)
		pair, ok := v.([]any)
		if !ok || len(pair) != 2 {
			p.fault(location, "wrong_type", v, `expected a pair such as ["page_views","desc"]`)
			continue
		}
		name, ok := pair[0].(string)
		if !ok {
			p.fault(location+"[0]", "wrong_type", pair[0], "expected a name, found %s", kindOf(pair[0]))
			continue
		}
		o, ok := p.orderKey(name)
		if !ok {
			p.fault(location+"[0]", "unknown_name", name, "%q is none of the question's metrics and dimensions%s", brief(name), nearest.DidYouMean(name, p.names()))
		}
		switch pair[1] {
		case "asc":
		case "desc":
			o.Desc = true
		default:
			p.fault(location+"[1]", "wrong_value", pair[1], "expected asc or desc")
			ok = false
		}
		if ok {
			p.q.Order = append(p.q.Order, o)
		}
	}
}

func (p *parser) names() (names []string) {
	for _, m := range p.q.Metrics {
		names = append(names, m.String())
	}
	for i := range p.q.Dimensions {
		names = append(names, p.q.Dimensions[i].Name)
	}
	return names
}

func (p *parser) orderKey(name string) (o Order, ok bool) {
	for i, m := range p.q.Metrics {
		if m.String() == name {
			return Order{Metric: i}, true
		}
	}
	for i := range p.q.Dimensions {
		if p.q.Dimensions[i].Name == name {
			return Order{Metric: -1, Dimension: i}, true
		}
	}
	return o, false
}

// defaultOrder is time ascending, else the first metric descending.
func (p *parser) defaultOrder() {
	if len(p.q.Order) > 0 {
		return
	}
	if t := p.q.timeDimension(); t >= 0 {
		p.q.Order = []Order{{Metric: -1, Dimension: t}}
	} else if len(p.q.Metrics) > 0 {
		p.q.Order = []Order{{Metric: 0, Desc: true}}
	}
}

func (p *parser) integer(fields map[string]any, name string, least, most, otherwise int) int {
	location := "body." + name
	value, ok := fields[name]
	if !ok {
		return otherwise
	}
	n, isNumber := value.(json.Number)
	if !isNumber {
		p.fault(location, "wrong_type", value, "expected an integer, found %s", kindOf(value))
		return otherwise
	}
	v, err := strconv.Atoi(n.String())
	if errors.Is(err, strconv.ErrSyntax) {
		p.fault(location, "wrong_type", value, "expected an integer")
		return otherwise
	}
	if err != nil || v < least || v > most {
		p.fault(location, "out_of_range", value, "%s lies between %d and %d", name, least, most)
		return otherwise
	}
	return v
}

func (p *parser) timezone(value any) {
	const at = "body.timezone"
	if value == nil {
		return
	}
	name, ok := value.(string)
	if !ok {
		p.fault(at, "wrong_type", value, "expected the name of a time zone, found %s", kindOf(value))
		return
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		p.fault(at, "unknown_timezone", name, "unknown time zone %q: expected a name such as Europe/Berlin", brief(name))
		return
	}
	p.q.Timezone = loc
}

func (p *parser) compare(value any) {
	const at = "body.compare"
	if value == nil {
		return
	}
	name, ok := value.(string)
	known := []string{string(ComparePreviousPeriod), string(ComparePreviousWeek), string(CompareYear)}
	switch {
	case !ok:
		p.fault(at, "wrong_type", value, "expected one of %s, found %s", strings.Join(known, ", "), kindOf(value))
	case !slices.Contains(known, name):
		p.fault(at, "wrong_value", name, "expected one of %s%s", strings.Join(known, ", "), nearest.DidYouMean(name, known))
	default:
		p.q.Compare = Compare(name)
	}
}

func (p *parser) include(value any) {
	const at = "body.include"
	if value == nil {
		return
	}
	fields, ok := value.(map[string]any)
	if !ok {
		p.fault(at, "wrong_type", value, "expected an object, found %s", kindOf(value))
		return
	}
	p.unknown(at+".", fields, []string{"totals", "time_labels"})
	for name, set := range map[string]*bool{"totals": &p.q.Totals, "time_labels": &p.q.TimeLabels} {
		if v, ok := fields[name]; ok {
			if *set, ok = v.(bool); !ok {
				p.fault(at+"."+name, "wrong_type", v, "expected a boolean, found %s", kindOf(v))
			}
		}
	}
}

// shortest is the form in which numbers are stored and answered.
func shortest(n float64) string {
	if n == 0 {
		return "0" // not -0
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// number reads a stored value as a number.
func number(text string) (float64, bool) {
	if text == "" || text[0] > '9' {
		return 0, false // the usual text, and inf and nan
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && n-n == 0
}
