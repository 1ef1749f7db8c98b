package plan

import (
	"slices"

	"github.com/readership/readership/internal/rubric/value"
)

// AddSegment adds a segment, whose expression refers to segments that were
// added before.
func (b *Builder) AddSegment(s *Segment) *Segment {
	s.ID = len(b.program.Segments)
	s.Uses = b.uses(s.Expr)
	b.program.Segments = append(b.program.Segments, s)
	return s
}

// AddMeter adds a meter.
func (b *Builder) AddMeter(m *Meter) *Meter {
	m.ID = len(b.program.Meters)
	m.Uses, m.Rule = b.uses(m.Limit), limitRule(b.program, m)
	b.program.Meters = append(b.program.Meters, m)
	return m
}

// AddAccess adds an access block.
func (b *Builder) AddAccess(a *Access) *Access {
	a.ID = len(b.program.Accesses)
	var all []*Expr
	for _, c := range a.Clauses {
		var own []*Expr
		for _, e := range []*Expr{c.Cond, c.Price} {
			if e != nil {
				own = append(own, e)
			}
		}
		c.Uses = b.uses(own...)
		c.Asks = asked(c.Cond)
		if c.Burns >= 0 {
			a.Uses.Meters = append(a.Uses.Meters, c.Burns)
		}
		all = append(all, own...)
	}
	burns := a.Uses.Meters
	a.Uses = b.uses(all...)
	for _, m := range burns {
		a.Uses.Meters = append(a.Uses.Meters, m)
		b.take(&a.Uses, &b.program.Meters[m].Uses)
	}
	a.Uses.tidy()
	a.Looks = b.looks(a)
	b.program.Accesses = append(b.program.Accesses, a)
	return a
}

// looks returns what a block can look up.
func (b *Builder) looks(a *Access) (out []*Expr) {
	met, meters := map[int]bool{}, map[int]bool{}
	var walk func(*Expr)
	meter := func(id int) {
		if !meters[id] {
			meters[id] = true
			walk(b.program.Meters[id].Limit)
		}
	}
	walk = func(e *Expr) {
		if e == nil || met[e.Key] {
			return
		}
		met[e.Key] = true
		for _, arg := range e.Args {
			walk(arg)
		}
		if e.Op >= MeterUsed && e.Op <= InMeter {
			meter(e.Ref)
		}
		if e.LooksUp() {
			out = append(out, e)
		}
	}
	for _, c := range a.Clauses {
		walk(c.Cond)
		walk(c.Price)
		if c.Burns >= 0 {
			meter(c.Burns)
		}
	}
	return out
}

// asked returns the meters that a condition names, in its order.
func asked(cond *Expr) []int {
	var out []int
	if cond == nil {
		return nil
	}
	cond.eachOnce(func(e *Expr) {
		if e.Op >= MeterUsed && e.Op <= InMeter && !slices.Contains(out, e.Ref) {
			out = append(out, e.Ref)
		}
	})
	return out
}

// AddMetric adds a metric.
func (b *Builder) AddMetric(m *Metric) *Metric {
	m.ID = len(b.program.Metrics)
	m.Uses = b.uses(m.Expr)
	m.Adds = b.adds(m.Expr)
	b.program.Metrics = append(b.program.Metrics, m)
	return m
}

// adds tells whether the values that all folds of an expression have over two
// spans add up to those over both.
func (b *Builder) adds(e *Expr) bool {
	return !slices.ContainsFunc(b.FoldsOf(e), func(f *Fold) bool {
		return f.End != Count && f.End != Sum || !b.rowByRow(b.program.Streams[f.Stream])
	})
}

// rowByRow tells whether a stream has or has not a row whatever span is looked
// at.
func (b *Builder) rowByRow(s *Stream) bool {
	return !slices.ContainsFunc(s.Stages, func(st Stage) bool { return st.Kind == Distinct })
}

// AddTest adds a test.
func (b *Builder) AddTest(t *Test) *Test {
	t.ID = len(b.program.Tests)
	b.program.Tests = append(b.program.Tests, t)
	return t
}

// UsesOf returns what an expression depends on.
func (b *Builder) UsesOf(e *Expr) Uses { return b.uses(e) }

// uses returns what expressions depend on.
func (b *Builder) uses(exprs ...*Expr) Uses {
	var u Uses
	for _, e := range exprs {
		e.eachOnce(func(e *Expr) { b.use(&u, e) })
	}
	u.tidy()
	return u
}

// use takes what one node depends on.
func (b *Builder) use(u *Uses, e *Expr) {
	switch e.Op {
	case ReaderRegistered:
		u.Facts = u.Facts.With(Registered)
	case ReaderEntitled, ReaderEntitledBy:
		u.Facts = u.Facts.With(Entitlements)
	case ReaderTrait:
		u.Facts = u.Facts.With(Traits)
	case ReaderFirstSeen:
		u.Facts = u.Facts.With(FirstSeen)
	case ExperimentArm:
		u.Facts = u.Facts.With(Experiment)
	case TimeNow:
		u.Facts = u.Facts.With(Now)
	case AskedField, AskedAttribute:
		u.Facts = u.Facts.With(AskedItem)
	case RequestColumn, RequestFlag:
		u.Facts = u.Facts.With(Request)
	case BotVerified, BotClass, BotOperator:
		u.Facts = u.Facts.With(Bot)
	case RowItem, RowAttribute:
		u.Facts = u.Facts.With(Catalogue)
	case RowSegments:
		for _, s := range b.program.Segments {
			u.Segments = append(u.Segments, s.ID)
			b.take(u, &s.Uses)
		}
	case FoldValue:
		u.Folds = append(u.Folds, e.Ref)
		b.useFold(u, b.program.Folds[e.Ref])
	case SegmentMember:
		u.Segments = append(u.Segments, e.Ref)
		b.take(u, &b.program.Segments[e.Ref].Uses)
	case MeterUsed, MeterLeft, MeterLimit, MeterResetsAt, InMeter:
		u.Meters = append(u.Meters, e.Ref)
		b.take(u, &b.program.Meters[e.Ref].Uses)
	}
}

// take takes over what something that is named depends on.
func (b *Builder) take(u, of *Uses) {
	u.AllFolds = append(u.AllFolds, of.AllFolds...)
	u.AllSegments = append(u.AllSegments, of.AllSegments...)
	u.Facts |= of.Facts
	u.Reach = max(u.Reach, of.Reach)
	u.Periods |= of.Periods
	u.PerRequest = u.PerRequest || of.PerRequest
}

func (b *Builder) useFold(u *Uses, f *Fold) {
	s := b.program.Streams[f.Stream]
	u.Reach = max(u.Reach, s.Reach)
	u.Periods |= s.Periods
	u.PerRequest = u.PerRequest || f.PerRequest
	if f.Of != nil {
		f.Of.eachOnce(func(e *Expr) { b.use(u, e) })
	}
	b.useStream(u, s, map[int]bool{})
}

// useStream takes what the conditions and keys of a stream depend on.
func (b *Builder) useStream(u *Uses, s *Stream, seen map[int]bool) {
	if seen[s.ID] {
		return
	}
	seen[s.ID] = true
	for i := range s.Stages {
		st := &s.Stages[i]
		for _, k := range st.Keys {
			k.eachOnce(func(e *Expr) { b.use(u, e) })
		}
		switch st.Kind {
		case Filter:
			p := b.program.Predicates[st.Predicate]
			for _, id := range slices.Concat(p.Row, p.Item, p.Both, p.Asked) {
				b.program.Conditions[id].Expr.eachOnce(func(e *Expr) { b.use(u, e) })
			}
		case Then, Unless:
			b.useStream(u, b.program.Streams[st.Other], seen)
		}
	}
}

func (u *Uses) tidy() {
	u.AllFolds = unique(append(u.AllFolds, u.Folds...))
	u.AllSegments = unique(append(u.AllSegments, u.Segments...))
	u.Folds, u.Segments, u.Meters = unique(u.Folds), unique(u.Segments), unique(u.Meters)
}

// Program lays out what depends on what and returns the program. The builder is
// used up.
func (b *Builder) Program() *Program {
	p := b.program
	for _, s := range p.Segments {
		for _, f := range s.Uses.AllFolds {
			p.Folds[f].Segments = append(p.Folds[f].Segments, s.ID)
		}
		for f := range NumFacts {
			if s.Uses.Facts.Has(f) {
				p.ByFact[f] = append(p.ByFact[f], s.ID)
			}
		}
	}
	for _, f := range p.Folds {
		for _, id := range p.Streams[f.Stream].Bases {
			base := p.Predicates[id]
			base.Folds = append(base.Folds, f.ID)
			base.Segments = append(base.Segments, f.Segments...)
		}
	}
	for _, s := range p.Streams {
		for i := range s.Stages {
			if st := &s.Stages[i]; st.Kind == Filter {
				pr := p.Predicates[st.Predicate]
				pr.Streams = append(pr.Streams, s.ID)
			}
		}
	}
	for _, pr := range p.Predicates {
		pr.Streams, pr.Segments = unique(pr.Streams), unique(pr.Segments)
	}
	return p
}

// Names sets the names that come from data.
func (b *Builder) Names(properties, attributes, traits []Typed) {
	b.program.Properties, b.program.Attributes, b.program.Traits = properties, attributes, traits
}

// Calendar returns the calendar of the program's site.
func (b *Builder) Calendar() value.Calendar { return b.program.Calendar }
