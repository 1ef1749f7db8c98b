package plan

import (
	"fmt"
	"hash"
	"hash/fnv"
)

// limitRule returns Meter.Rule.
func limitRule(p *Program, m *Meter) uint64 {
	h := fnv.New64a()
	r := rule{h, p}
	r.expr(m.Limit)
	return h.Sum64()
}

// rule writes expressions without the numbers that only one program gives them.
type rule struct {
	hash.Hash
	program *Program
}

func (r rule) expr(e *Expr) {
	fmt.Fprintf(r, "(%s", e.Op)
	switch e.Op {
	case FoldValue:
		r.fold(r.program.Folds[e.Ref])
	case SegmentMember:
		fmt.Fprintf(r, "%q", r.program.Segments[e.Ref].Name)
	case MeterUsed, MeterLeft, MeterLimit, MeterResetsAt, InMeter:
		fmt.Fprintf(r, "%q", r.program.Meters[e.Ref].Name)
	default:
		fmt.Fprintf(r, "%s %d %d %d %q %d", e.Value, e.Column, e.Field, e.Flag, e.Name, e.Ref)
	}
	r.exprs(e.Args)
	fmt.Fprint(r, ")")
}

func (r rule) exprs(list []*Expr) {
	for _, e := range list {
		r.expr(e)
	}
}

func (r rule) fold(f *Fold) {
	fmt.Fprintf(r, "%s[", f.End)
	r.stream(r.program.Streams[f.Stream])
	if f.Of != nil {
		r.expr(f.Of)
	}
	fmt.Fprint(r, "]")
}

func (r rule) stream(s *Stream) {
	for i := range s.Stages {
		st := &s.Stages[i]
		fmt.Fprintf(r, "|%s %v %d{", st.Kind, st.Window, st.Within)
		r.exprs(st.Keys)
		switch st.Kind {
		case Filter:
			p := r.program.Predicates[st.Predicate]
			for _, conditions := range [...][]int{p.Row, p.Item, p.Both, p.Asked} {
				for _, c := range conditions {
					r.expr(r.program.Conditions[c].Expr)
				}
			}
		case Then, Unless:
			r.stream(r.program.Streams[st.Other])
		}
		fmt.Fprint(r, "}")
	}
}
