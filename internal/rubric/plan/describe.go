package plan

import (
	"math"
	"slices"
)

// maxSize bounds the streams whose reach is worked out exactly; larger ones, of
// streams within streams, reach over the whole window.
const maxSize = 10_000

// describe fills in what follows from a stream's stages.
func (b *Builder) describe(s *Stream) {
	age := int64(math.MaxInt64)
	for i := range s.Stages {
		stage := &s.Stages[i]
		s.Size = addSize(s.Size, 1)
		switch stage.Kind {
		case Filter:
			p := b.program.Predicates[stage.Predicate]
			s.PerRequest = s.PerRequest || len(p.Asked) > 0
			s.Periods |= stage.Window.Periods
			age = min(age, stage.Window.Span())
			if i == 0 {
				s.Bases = append(s.Bases, stage.Predicate)
			}
		case Then, Unless:
			o := b.program.Streams[stage.Other]
			s.Bases = append(s.Bases, o.Bases...)
			s.Periods |= o.Periods
			s.Waits = s.Waits || o.Waits || stage.Kind == Unless
			s.PerRequest = s.PerRequest || o.PerRequest
			s.Size = addSize(s.Size, o.Size)
			if stage.Kind == Then {
				age = o.Age
			}
		default:
			s.PerRequest = s.PerRequest || slices.ContainsFunc(stage.Keys, asks)
		}
	}
	s.Bases = unique(s.Bases)
	s.Age = min(age, b.program.Window)
	s.Reach = b.program.Window
	if s.Size <= maxSize {
		s.Reach = min(s.Reach, b.reach(s, len(s.Stages)-1, s.Age))
	}
}

// reach returns the greatest age of the rows that decide which rows of an age of
// at most `age` a stream has after a stage.
func (b *Builder) reach(s *Stream, stage int, age int64) int64 {
	if stage < 0 {
		return age
	}
	st := &s.Stages[stage]
	switch st.Kind {
	case Filter:
		return b.reach(s, stage-1, min(age, st.Window.Span()))
	case Distinct: // any earlier row may be the first of its key
		return b.reach(s, stage-1, math.MaxInt64)
	case Then:
		o := b.program.Streams[st.Other]
		return max(b.reach(o, len(o.Stages)-1, age), b.reach(s, stage-1, addSize(age, st.Within)))
	case Unless:
		o := b.program.Streams[st.Other]
		return max(b.reach(o, len(o.Stages)-1, age), b.reach(s, stage-1, age))
	default:
		return b.reach(s, stage-1, age)
	}
}

// addSize adds what is not negative, up to the end of the range.
func addSize(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
