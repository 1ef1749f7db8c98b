package query

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
)

// WriteJSON writes the whole answer as one object.
func (r *Result) WriteJSON(w io.Writer) error {
	e := &encoder{}
	e.raw(`{"results":[`)
	for i := range r.Rows {
		if i > 0 {
			e.raw(",")
		}
		e.row(&r.Rows[i])
		if len(e.buf) > 1<<16 {
			if err := e.flush(w); err != nil {
				return err
			}
		}
	}
	e.raw("]")
	if r.Totals != nil {
		e.raw(`,"totals":`)
		e.numbers(r.Totals)
	}
	if r.Compared != nil {
		e.raw(`,"totals_comparison":`)
		e.comparison(r.Totals, r.Compared)
	}
	e.raw(`,"meta":`)
	e.meta(r)
	e.raw(`,"query":`)
	if err := e.json(r.resolved()); err != nil {
		return err
	}
	e.raw("}\n")
	return e.flush(w)
}

// WriteNDJSON writes each row as one object on a line, as in results.
func (r *Result) WriteNDJSON(w io.Writer) error {
	e := &encoder{}
	for i := range r.Rows {
		e.row(&r.Rows[i])
		e.raw("\n")
		if len(e.buf) > 1<<16 {
			if err := e.flush(w); err != nil {
				return err
			}
		}
	}
	return e.flush(w)
}

// WriteCSV writes a line of names and a line for each row; what has no number
// is empty. With a comparison, each metric is followed by that of the period
// compared with and by the change.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(bufio.NewWriterSize(w, 1<<16))
	q := r.Query
	var line []string
	for i := range q.Dimensions {
		line = append(line, q.Dimensions[i].Name)
	}
	for _, m := range q.Metrics {
		line = append(line, m.String())
		if q.Compare != CompareNone {
			line = append(line, m.String()+"_comparison", m.String()+"_change")
		}
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		line = append(line[:0], row.Dimensions...)
		for k, v := range row.Metrics {
			line = append(line, text(v, true))
			if row.Compared != nil {
				share, ok := change(v, row.Compared[k])
				line = append(line, text(row.Compared[k], true), text(share, ok))
			}
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// text writes a number for CSV, nothing where there is none.
func text(v float64, ok bool) string {
	if !ok || v-v != 0 {
		return ""
	}
	return shortest(v)
}

// encoder builds JSON.
type encoder struct{ buf []byte }

func (e *encoder) flush(w io.Writer) error {
	_, err := w.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

func (e *encoder) raw(s string) { e.buf = append(e.buf, s...) }

func (e *encoder) json(v any) error {
	b, err := json.Marshal(v)
	e.buf = append(e.buf, b...)
	return err
}

func (e *encoder) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			_ = e.json(s) // a string always encodes
			return
		}
	}
	e.buf = append(append(append(e.buf, '"'), s...), '"')
}

func (e *encoder) number(v float64, ok bool) {
	if !ok || v-v != 0 {
		e.raw("null")
		return
	}
	e.buf = strconv.AppendFloat(e.buf, v, 'f', -1, 64)
}

func (e *encoder) numbers(list []float64) {
	e.raw("[")
	for i, v := range list {
		if i > 0 {
			e.raw(",")
		}
		e.number(v, true)
	}
	e.raw("]")
}

func (e *encoder) row(r *Row) {
	e.raw(`{"dimensions":[`)
	for i, d := range r.Dimensions {
		if i > 0 {
			e.raw(",")
		}
		e.text(d)
	}
	e.raw(`],"metrics":`)
	e.numbers(r.Metrics)
	if r.Compared != nil {
		e.raw(`,"comparison":`)
		e.comparison(r.Metrics, r.Compared)
	}
	e.raw("}")
}

func (e *encoder) comparison(now, before []float64) {
	e.raw(`{"metrics":`)
	e.numbers(before)
	e.raw(`,"change":[`)
	for i := range now {
		if i > 0 {
			e.raw(",")
		}
		e.number(change(now[i], before[i]))
	}
	e.raw("]}")
}

func (e *encoder) meta(r *Result) {
	e.raw(`{"as_of":`)
	e.text(formatTime(r.AsOf, r.frame.loc))
	e.raw(`,"position":`)
	e.text(r.At.String())
	e.raw(`,"exact":` + strconv.FormatBool(r.Exact) + `,"took_ms":`)
	e.number(r.TookMillis, true)
	e.raw(`,"warnings":[`)
	for i, w := range r.Warnings {
		if i > 0 {
			e.raw(",")
		}
		e.text(w)
	}
	e.raw("]")
	if r.TimeLabels != nil {
		e.raw(`,"time_labels":[`)
		for i, l := range r.TimeLabels {
			if i > 0 {
				e.raw(",")
			}
			e.text(l)
		}
		e.raw("]")
	}
	e.raw("}")
}

// resolved is the question as it was understood: every default written out.
func (r *Result) resolved() map[string]any {
	q := r.Query
	pair := func(p period) []string {
		return []string{formatTime(p.from, r.frame.loc), formatTime(p.to, r.frame.loc)}
	}
	metrics, dimensions := []string{}, []string{}
	for _, m := range q.Metrics {
		metrics = append(metrics, m.String())
	}
	for i := range q.Dimensions {
		dimensions = append(dimensions, q.Dimensions[i].Name)
	}
	order := [][2]string{}
	for _, o := range q.Order {
		direction := "asc"
		if o.Desc {
			direction = "desc"
		}
		name := ""
		if o.Metric >= 0 {
			name = metrics[o.Metric]
		} else {
			name = dimensions[o.Dimension]
		}
		order = append(order, [2]string{name, direction})
	}
	filters := []any{}
	if q.Filter != nil {
		for _, f := range q.Filter.Subs {
			filters = append(filters, f.resolved())
		}
	}
	out := map[string]any{
		"metrics": metrics, "date_range": pair(r.from), "dimensions": dimensions, "filters": filters,
		"order_by": order, "limit": q.Limit, "offset": q.Offset, "timezone": r.frame.loc.String(),
		"include": map[string]bool{"totals": q.Totals, "time_labels": q.TimeLabels},
	}
	if q.Compare != CompareNone {
		out["compare"] = string(q.Compare)
		out["compared_range"] = pair(r.prev)
	}
	return out
}

func (f *Filter) resolved() any {
	switch f.Op {
	case OpAnd, OpOr:
		subs := []any{}
		for _, s := range f.Subs {
			subs = append(subs, s.resolved())
		}
		return []any{opNames[f.Op], subs}
	case OpNot:
		return []any{opNames[f.Op], f.Subs[0].resolved()}
	}
	return []any{opNames[f.Op], f.Dimension.Name, f.Values}
}
