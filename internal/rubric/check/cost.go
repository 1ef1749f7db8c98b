package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/cost"
	"github.com/readership/readership/internal/rubric/plan"
)

// cost estimates what the program costs and refuses one that costs too much.
func (c *checker) cost() {
	p := c.plan
	cost.Estimate(p)
	var times, sizes []dear
	for _, s := range p.Segments {
		times = append(times, dear{s.Name, s.Place, s.Cost.NanosPerEvent})
		sizes = append(sizes, dear{s.Name, s.Place, s.Cost.BytesPerReader})
	}
	for _, m := range p.Meters {
		sizes = append(sizes, dear{m.Name, m.Place, m.Cost.BytesPerReader})
	}
	limit := c.limits.NanosPerEvent
	if n := p.Cost.NanosPerEvent; n > limit {
		c.tooDear(times, micros, "an event takes about %s, at most %s", micros(n), micros(limit))
	}
	for _, a := range p.Accesses {
		if n := a.Cost.NanosPerEvent; n > limit {
			c.tooDear([]dear{{a.Name, a.Place, n}}, micros, "a decision of `%s` takes about %s, at most %s", a.Name, micros(n), micros(limit))
		}
	}
	if n := p.Cost.BytesPerReader; n > c.limits.BytesPerReader {
		c.tooDear(sizes, bytes, "an active reader takes about %s, at most %s", bytes(n), bytes(c.limits.BytesPerReader))
	}
	if c.failed {
		c.plan = nil
	}
}

func micros(nanos int64) string { return fmt.Sprintf("%d µs", (nanos+999)/1000) }

func bytes(n int64) string { return fmt.Sprintf("%d bytes", n) }

// dear is a definition and what it costs.
type dear struct {
	name string
	at   plan.Place
	cost int64
}

// tooDear refuses the program at its dearest definition and names the dearest.
func (c *checker) tooDear(of []dear, unit func(int64) string, format string, args ...any) {
	slices.SortStableFunc(of, func(a, b dear) int { return cmp.Compare(b.cost, a.cost) })
	const shown = 3
	var names []string
	for _, d := range of[:min(len(of), shown)] {
		names = append(names, fmt.Sprintf("`%s` %s", d.name, unit(d.cost)))
	}
	c.errorAt(of[0].at, "too_dear", "dearest: "+strings.Join(names, ", "), "the program costs too much: "+format, args...)
}
