package plan

import (
	"encoding/binary"
	"slices"

	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

// Builder makes a Program. It interns what the program consists of and lays out
// what depends on what; it does not check types. Definitions are added after
// those they refer to.
type Builder struct {
	program *Program

	keys       map[string]int // of expressions
	conditions map[int]*Condition
	predicates map[string]*Predicate
	streams    map[string]*Stream
	folds      map[string]*Fold
}

// NewBuilder returns a builder of a program for a site with a calendar and a
// window in milliseconds.
func NewBuilder(files []*source.File, calendar value.Calendar, window int64) *Builder {
	return &Builder{
		program:    &Program{Files: files, Calendar: calendar, Window: window},
		keys:       map[string]int{},
		conditions: map[int]*Condition{},
		predicates: map[string]*Predicate{},
		streams:    map[string]*Stream{},
		folds:      map[string]*Fold{},
	}
}

// key builds what interned things are known by.
type key []byte

func (k key) int(n int64) key { return binary.AppendVarint(k, n) }

func (k key) text(s string) key { return append(k.int(int64(len(s))), s...) }

func (k key) ints(list []int) key {
	k = k.int(int64(len(list)))
	for _, n := range list {
		k = k.int(int64(n))
	}
	return k
}

func (k key) value(v value.Value) key {
	k = k.int(int64(v.Type)).int(v.N).text(v.S).int(int64(len(v.Items())))
	for _, item := range v.Items() {
		k = k.value(item)
	}
	return k
}

// Written is a stage as it is written: it becomes a Stage of a stream.
type Written struct {
	Kind   StageKind
	Where  []*Expr // of Filter: conditions on a row that must all hold
	Window Window  // of Filter
	Keys   []*Expr // of Distinct and By
	Other  int     // of Then and Unless: a stream
	Within int64   // of Then and Unless: milliseconds
	Place
}

// Stream adds the stream of a source's rows that go through stages and returns
// its ID.
func (b *Builder) Stream(from Source, written []Written, name string, at Place) int {
	s := &Stream{Source: from, Name: name, Place: at, Stages: b.stages(written, at)}
	k := key(nil).int(int64(from))
	for i := range s.Stages {
		k = k.stage(&s.Stages[i])
	}
	if known := b.streams[string(k)]; known != nil {
		return known.ID
	}
	s.ID = len(b.program.Streams)
	b.program.Streams = append(b.program.Streams, s)
	b.streams[string(k)] = s
	b.describe(s)
	return s.ID
}

func (k key) stage(s *Stage) key {
	keys := exprKeys(s.Keys)
	if s.Kind == Distinct { // in any order
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	k = k.int(int64(s.Kind)).int(int64(s.Predicate)).int(s.Window.Last).int(s.Window.Since).int(int64(s.Window.Periods))
	if s.Window.HasSince {
		k = k.int(1)
	}
	return k.ints(keys).int(int64(s.Other)).int(s.Within)
}

func exprKeys(list []*Expr) []int {
	out := make([]int, len(list))
	for i, e := range list {
		out[i] = e.Key
	}
	return out
}

// stages takes filters that follow each other together, and puts one at the
// beginning.
func (b *Builder) stages(written []Written, at Place) []Stage {
	var out []Stage
	for i := 0; i <= len(written); {
		filter, from := Stage{Kind: Filter, Place: at}, i
		var where []*Expr
		for ; i < len(written) && written[i].Kind == Filter; i++ {
			if i == from {
				filter.Place = written[i].Place
			}
			where = append(where, written[i].Where...)
			filter.Window = filter.Window.and(written[i].Window)
		}
		if i > from || from == 0 {
			filter.Predicate = b.predicate(where)
			out = append(out, filter)
		}
		if i < len(written) {
			s := &written[i]
			out = append(out, Stage{Kind: s.Kind, Keys: s.Keys, Other: s.Other, Within: s.Within, Place: s.Place})
		}
		i++
	}
	return out
}

// predicate adds a conjunction and returns its ID.
func (b *Builder) predicate(where []*Expr) int {
	var ids []int
	for _, e := range where {
		for _, part := range conjuncts(e, nil) {
			ids = append(ids, b.condition(part).ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	k := string(key(nil).ints(ids))
	if known := b.predicates[k]; known != nil {
		return known.ID
	}
	p := &Predicate{ID: len(b.program.Predicates)}
	for _, id := range ids {
		c := b.program.Conditions[id]
		list := map[Class]*[]int{OnRow: &p.Row, OnItem: &p.Item, OnBoth: &p.Both, OnAsked: &p.Asked}[c.Class]
		*list = append(*list, id)
		c.Predicates = append(c.Predicates, p.ID)
	}
	b.predicates[k] = p
	b.program.Predicates = append(b.program.Predicates, p)
	return p.ID
}

// conjuncts appends the parts of a conjunction.
func conjuncts(e *Expr, to []*Expr) []*Expr {
	switch {
	case e.IsTrue():
		return to
	case e.Op != And:
		return append(to, e)
	}
	for _, a := range e.Args {
		to = conjuncts(a, to)
	}
	return to
}

// Fold adds the end of a stream and returns its ID. of is nil for Count and Any.
func (b *Builder) Fold(stream int, end End, of *Expr, t value.Type, at Place) int {
	k := key(nil).int(int64(stream)).int(int64(end))
	if of != nil {
		k = k.int(int64(of.Key))
	}
	if known := b.folds[string(k)]; known != nil {
		return known.ID
	}
	f := &Fold{ID: len(b.program.Folds), Stream: stream, End: end, Of: of, Type: t, Place: at}
	f.PerRequest = b.program.Streams[stream].PerRequest || of != nil && asks(of)
	b.folds[string(k)] = f
	b.program.Folds = append(b.program.Folds, f)
	return f.ID
}

// StreamSize returns how many stages a stream has, with those of the streams in
// them.
func (b *Builder) StreamSize(stream int) int64 { return b.program.Streams[stream].Size }

// FoldsOf returns the folds that an expression names, in its order.
func (b *Builder) FoldsOf(e *Expr) []*Fold {
	var out []*Fold
	e.eachOnce(func(e *Expr) {
		if e.Op == FoldValue {
			out = append(out, b.program.Folds[e.Ref])
		}
	})
	return out
}

// KeysOf returns the keys that the rows of a fold are grouped by.
func (b *Builder) KeysOf(f *Fold) []*Expr {
	for _, st := range b.program.Streams[f.Stream].Stages {
		if st.Kind == By {
			return st.Keys
		}
	}
	return nil
}
