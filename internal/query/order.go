package query

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// ranker orders groups.
type ranker struct {
	m       *merged
	metrics []Metric
	order   []Order
	dims    int
	a, b    []uint32
}

// best returns the groups from offset on, in order, at most limit.
func (m *merged) best(q *Query) []uint32 {
	k := &ranker{m: m, metrics: q.Metrics, order: q.Order, dims: len(m.run.dims)}
	k.a, k.b = make([]uint32, k.dims), make([]uint32, k.dims)
	ids := m.ids
	keep := q.Offset + q.Limit
	if len(k.order) > 0 && k.order[0].Metric >= 0 {
		if keep < len(ids)/4 {
			ids = k.candidates(ids, keep)
		}
	}
	ids = slices.Clone(ids)
	if !slices.IsSortedFunc(ids, k.compare) {
		slices.SortFunc(ids, k.compare)
	}
	return ids[min(q.Offset, len(ids)):min(keep, len(ids))]
}

// key is a metric as an ascending key; what has none comes last.
func key(v float64, desc bool) float64 {
	switch {
	case math.IsNaN(v):
		return math.Inf(1)
	case desc:
		return -v
	}
	return v
}

// candidates returns the groups whose first key is at most the keep-th least:
// those that can be among the first keep, ties included.
func (k *ranker) candidates(ids []uint32, keep int) []uint32 {
	o := k.order[0]
	metric := k.metrics[o.Metric]
	keys := make([]float64, len(ids))
	for i, id := range ids {
		keys[i] = key(k.m.value(metric, id), o.Desc)
	}
	// A heap of the least keep keys, greatest on top.
	heap := slices.Clone(keys[:keep])
	for i := keep/2 - 1; i >= 0; i-- {
		sink(heap, i)
	}
	for _, v := range keys[keep:] {
		if v < heap[0] {
			heap[0] = v
			sink(heap, 0)
		}
	}
	limit := heap[0]
	out := make([]uint32, 0, 2*keep)
	for i, v := range keys {
		if v <= limit {
			out = append(out, ids[i])
		}
	}
	return out
}

func sink(heap []float64, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && heap[child+1] > heap[child] {
			child++
		}
		if heap[i] >= heap[child] {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}

// compare orders by the keys asked for, then by all dimensions ascending.
func (k *ranker) compare(a, b uint32) int {
	split := false
	values := func() {
		if !split && k.dims > 0 {
			k.m.group.split(a, k.a)
			k.m.group.split(b, k.b)
		}
		split = true
	}
	for _, o := range k.order {
		c := 0
		if o.Metric >= 0 {
			metric := k.metrics[o.Metric]
			c = cmp.Compare(key(k.m.value(metric, a), o.Desc), key(k.m.value(metric, b), o.Desc))
		} else {
			values()
			if c = k.dimension(o.Dimension); o.Desc {
				c = -c
			}
		}
		if c != 0 {
			return c
		}
	}
	values()
	for i := range k.dims {
		if c := k.dimension(i); c != 0 {
			return c
		}
	}
	return 0
}

// dimension compares the values split last.
func (k *ranker) dimension(i int) int {
	if i == k.m.run.time {
		return cmp.Compare(k.a[i], k.b[i])
	}
	if k.a[i] == k.b[i] {
		return 0
	}
	return strings.Compare(k.m.name(i, k.a[i]), k.m.name(i, k.b[i]))
}
