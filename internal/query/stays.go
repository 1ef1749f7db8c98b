package query

import (
	"context"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// stays are visits of a shard, by reader.
type stays struct {
	offset []uint32 // by subject: where its visits begin; one more at the end
	start  []int64  // Unix milliseconds of first and last event
	end    []int64
	visit  []*visit.Visit
}

// find returns the visit of a subject at an instant, -1 if there is none.
func (st *stays) find(subject uint32, t int64) int {
	for i := st.offset[subject]; i < st.offset[subject+1]; i++ {
		if t >= st.start[i] && t <= st.end[i] {
			return int(i)
		}
	}
	return -1
}

// place returns the place in s.blocks of a block, -1 if it has left.
func (s *shard) place(id uint16) int {
	if s.slots == nil {
		s.slots = make(map[uint16]int32, len(s.blocks))
		for i, b := range s.blocks {
			s.slots[b.ID] = int32(i)
		}
	}
	if i, ok := s.slots[id]; ok {
		return int(i)
	}
	return -1
}

// eachVisit calls fn with every visit that counts and starts in the period,
// and with its start.
func (s *shard) eachVisit(ctx context.Context, p period, robots bool, fn func(v *visit.Visit, start int64, day int)) error {
	for _, c := range s.view.Visits {
		base := int64(c.Day) * block.DayMillis
		if base >= p.to || base+block.DayMillis <= p.from {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range c.Visits {
			v := &c.Visits[i]
			start := base + int64(v.Start)
			if start < p.from || start >= p.to || !v.Counted() || !robots && v.Flags&visit.Robot != 0 {
				continue
			}
			fn(v, start, c.Day)
		}
	}
	return nil
}

// collect gathers the visits that start in a period by their reader, and the
// end of the last.
func (s *shard) collect(ctx context.Context, p period, robots bool) (*stays, int64, error) {
	type found struct {
		v       *visit.Visit
		start   int64
		subject uint32
	}
	st := &stays{offset: make([]uint32, s.view.Subjects.Len()+1)}
	var list []found
	last := int64(-1 << 62)
	err := s.eachVisit(ctx, p, robots, func(v *visit.Visit, start int64, _ int) {
		i := s.place(v.Row.Block())
		if i < 0 {
			return
		}
		subject := s.blocks[i].Subject[v.Row.Row()]
		list = append(list, found{v, start, subject})
		st.offset[subject+1]++
		last = max(last, start+int64(v.Duration))
	})
	if err != nil {
		return nil, 0, err
	}
	for i := 1; i < len(st.offset); i++ {
		st.offset[i] += st.offset[i-1]
	}
	st.start, st.end = make([]int64, len(list)), make([]int64, len(list))
	st.visit = make([]*visit.Visit, len(list))
	next := append([]uint32(nil), st.offset...)
	for _, f := range list {
		i := next[f.subject]
		next[f.subject]++
		st.start[i], st.end[i], st.visit[i] = f.start, f.start+int64(f.v.Duration), f.v
	}
	return st, last, nil
}

// everyStay returns all visits of the shard by reader, made at first use.
func (s *shard) everyStay() *stays {
	if s.stays == nil {
		// Without a context there is no error.
		s.stays, _, _ = s.collect(context.Background(), period{-1 << 62, 1 << 62}, true)
	}
	return s.stays
}

// eachView calls fn with every page view of a block that was not erased.
func (s *shard) eachView(b *block.Block, fn func(row int)) {
	code := s.typesOf(b).view
	column := b.ColumnAt(int(event.ColType))
	if code == 0 || column == nil {
		return
	}
	for row := range b.N {
		if column.At(row) == code && b.Time[row] != block.Gone {
			fn(row)
		}
	}
}
