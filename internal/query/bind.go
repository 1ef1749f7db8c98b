package query

import (
	"fmt"
	"slices"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/problem"
)

// bind decides what bare names mean in a view: a property, else an attribute
// of the catalogue. It returns a copy of the question and the names that mean
// nothing, segments that are none of names among them.
func (q *Query) bind(v *engine.View, segments []string) (*Query, []problem.Fault) {
	out := *q
	out.Dimensions = slices.Clone(q.Dimensions)
	var faults []problem.Fault
	resolve := func(d *Dimension, location string) {
		if d.Kind != kindUnknown {
			return
		}
		if d.Kind = kindOfName(v, d.Property); d.Kind == kindUnknown {
			faults = append(faults, problem.Fault{Location: location, Code: "unknown_dimension", Value: brief(d.Name),
				Message: fmt.Sprintf("unknown dimension %q%s", brief(d.Name), nearest.DidYouMean(d.Name, allNames(v)))})
		}
	}
	for i := range out.Dimensions {
		resolve(&out.Dimensions[i], q.at(i))
	}
	out.Filter = q.Filter.clone(func(f *Filter) {
		resolve(&f.Dimension, f.location+"[1]")
		if name := f.Values[0]; f.segment && !slices.Contains(segments, name) {
			faults = append(faults, problem.Fault{Location: f.location + "[1]", Code: "unknown_segment", Value: brief(name),
				Message: fmt.Sprintf("there is no segment %q%s", brief(name), nearest.DidYouMean(name, segments))})
		}
	})
	return &out, faults
}

// at is the place of a dimension in the body: faults before it may have left
// some out.
func (q *Query) at(i int) string {
	list, _ := q.body["dimensions"].([]any)
	for k, v := range list {
		if v == q.Dimensions[i].Name {
			return fmt.Sprintf("body.dimensions[%d]", k)
		}
	}
	return fmt.Sprintf("body.dimensions[%d]", i)
}

// clone copies a filter and calls fn with each test of the copy.
func (f *Filter) clone(fn func(*Filter)) *Filter {
	if f == nil {
		return nil
	}
	out := *f
	out.Subs = nil
	if f.Op < OpAnd {
		fn(&out)
	}
	for _, s := range f.Subs {
		out.Subs = append(out.Subs, s.clone(fn))
	}
	return &out
}

func kindOfName(v *engine.View, name string) Kind {
	for _, s := range v.Shards {
		if s.ColumnByName(name, true) >= 0 {
			return KindProperty
		}
	}
	for item := range v.Items.All() {
		if _, ok := item.Attributes[name]; ok {
			return KindAttribute
		}
	}
	return kindUnknown
}

// allNames are the dimensions of a view, for suggestions.
func allNames(v *engine.View) []string {
	names := builtinDimensions()
	for _, s := range v.Shards {
		for c := int(event.NumColumns); c < len(s.Columns); c++ {
			names = append(names, s.Columns[c].Name)
		}
	}
	for item := range v.Items.All() {
		for name := range item.Attributes {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if len(names) > 2000 {
			break
		}
	}
	return names
}

// names says whether a dimension or filter of the question is a column.
func (q *Query) names(c event.Column) bool {
	found := false
	is := func(d *Dimension) { found = found || d.Kind == KindColumn && d.Column == c }
	for i := range q.Dimensions {
		is(&q.Dimensions[i])
	}
	q.Filter.each(func(f *Filter) { is(&f.Dimension) })
	return found
}
