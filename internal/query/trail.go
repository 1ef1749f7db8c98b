package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// trail knows of each page view whether it is of an article, and whether
// another article followed in the same visit.
type trail struct {
	marks map[int][]uint8 // by place of the block
}

const (
	trailNone = iota
	trailArticle
	trailFollowed
)

func (t *trail) of(index, row int) uint8 {
	if m := t.marks[index]; m != nil {
		return m[row]
	}
	return trailNone
}

// step is an article page view in a visit.
type step struct {
	visit int
	time  int64
	index int // place of the block
	row   int
	item  uint32
}

// follow builds the shard's trail for the visits that reach into the period.
func (s *shard) follow(ctx context.Context) error {
	if s.trail != nil {
		return nil
	}
	s.trail = &trail{marks: map[int][]uint8{}}
	st := s.everyStay()
	end := int64(-1 << 62)
	for i := range st.start {
		if st.start[i] < s.run.period.to && st.end[i] >= s.run.period.from {
			end = max(end, st.end[i])
		}
	}
	numbers, _, _ := s.run.entry(&itemDimension).translate(s.number, s.dict(int(event.ColItem)))
	articles := s.articles()
	var steps []step
	for index, b := range s.blocks {
		if base := int64(b.Day) * block.DayMillis; base+block.DayMillis <= s.run.period.from || base > end {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		column := cellsOf(b.ColumnAt(int(event.ColItem)))
		s.eachView(b, func(row int) {
			code := column.raw(row)
			if code == 0 || !articles[code] {
				return
			}
			t := b.Unix(row)
			steps = append(steps, step{st.find(b.Subject[row], t), t, index, row, numbers[code]})
		})
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		if d := cmp.Compare(a.visit, b.visit); d != 0 {
			return d
		}
		return cmp.Compare(a.time, b.time)
	})
	for from := 0; from < len(steps); {
		to := from + 1
		for to < len(steps) && steps[to].visit == steps[from].visit {
			to++
		}
		s.trail.walk(s, steps[from:to])
		from = to
	}
	return nil
}

// walk marks the steps of one visit, from the last to the first.
func (t *trail) walk(s *shard, steps []step) {
	later, others := uint32(0), false // the item that follows, and whether there is another
	for i := len(steps) - 1; i >= 0; i-- {
		p := &steps[i]
		marks := t.marks[p.index]
		if marks == nil {
			marks = make([]uint8, s.blocks[p.index].N)
			t.marks[p.index] = marks
		}
		marks[p.row] = trailArticle
		if p.visit >= 0 && i < len(steps)-1 && (others || later != p.item) {
			marks[p.row] = trailFollowed
		}
		if i < len(steps)-1 && later != p.item {
			others = true
		}
		later = p.item
	}
}

// articles tells which item codes of the shard are articles: every item but
// those that the catalogue says are something else.
func (s *shard) articles() []bool {
	texts := s.dict(int(event.ColItem)).Texts
	out := make([]bool, len(texts))
	for code := 1; code < len(texts); code++ {
		item, ok := s.run.catalog.Item(s.run.catalog.Canonical(texts[code]))
		out[code] = !ok || item.Kind == "" || item.Kind == "article"
	}
	return out
}
