package ast

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/readership/readership/internal/rubric/source"
)

// place is a span as the JSON form shows it: from 1, columns in code points,
// the end exclusive.
type place struct {
	Line      int `json:"line"`
	Column    int `json:"column"`
	EndLine   int `json:"end_line"`
	EndColumn int `json:"end_column"`
}

// MarshalJSON writes the tree. Each node is an object that begins with its kind
// ("node": the Go type's name in snake case) and its place ("span"); the other
// members are named by the json tags of this package. What is not written in
// the program is absent.
func (p *Program) MarshalJSON() ([]byte, error) {
	w := &jsonWriter{file: p.File}
	w.value(reflect.ValueOf(p))
	if w.err != nil {
		return nil, fmt.Errorf("syntax tree as JSON: %w", w.err)
	}
	return w.b.Bytes(), nil
}

type jsonWriter struct {
	file *source.File
	b    bytes.Buffer
	err  error
}

var spanType = reflect.TypeFor[source.Span]()

func (w *jsonWriter) value(v reflect.Value) {
	switch kind := v.Kind(); {
	case v.Type() == spanType:
		w.span(v.Interface().(source.Span))
	case kind == reflect.Slice:
		w.b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				w.b.WriteByte(',')
			}
			w.value(v.Index(i))
		}
		w.b.WriteByte(']')
	case isScalar(v):
		w.scalar(v.Interface())
	case v.IsZero():
		w.b.WriteString("null")
	case kind == reflect.Pointer || kind == reflect.Interface:
		w.value(v.Elem())
	default:
		w.node(v)
	}
}

// isScalar tells whether a value is written as encoding/json does it.
func isScalar(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		return false
	}
	_, ok := v.Interface().(encoding.TextMarshaler)
	return ok || v.Kind() != reflect.Struct
}

func (w *jsonWriter) node(v reflect.Value) {
	t := v.Type()
	fmt.Fprintf(&w.b, `{"node":%q`, snake(t.Name()))
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Anonymous {
			name = "span"
		}
		if name == "-" || options == "omitempty" && v.Field(i).IsZero() {
			continue
		}
		fmt.Fprintf(&w.b, `,%q:`, name)
		w.value(v.Field(i))
	}
	w.b.WriteByte('}')
}

func (w *jsonWriter) span(s source.Span) {
	if w.file == nil {
		w.b.WriteString("null")
		return
	}
	start, end := w.file.Position(s.Start), w.file.Position(s.End)
	w.scalar(place{start.Line, start.Column, end.Line, end.Column})
}

// scalar writes a value as encoding/json does, with `<` and `>` as they are.
func (w *jsonWriter) scalar(v any) {
	e := json.NewEncoder(&w.b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	w.b.Truncate(w.b.Len() - 1) // the line end of Encode
}

// snake turns the name of a type into snake case.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
