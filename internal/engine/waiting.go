package engine

import "github.com/readership/readership/internal/engine/viewid"

// waiting holds engagement whose page view is not known yet, in order of
// arrival, 48 hours of the site's clock at most.
//
// Engagement of no device goes to every shard, since any may have its view, and must
// be an orphan once or not at all. The shard that the row would belong to counts it as
// one if its view is not there; for the others it is foreign, and the one that finds
// the view takes it off again, when the row's own shard counts it.
type waiting struct {
	byView map[uint64][]waitingEngagement
	queue  []waitingView // in order of arrival
	first  uint64        // number of the first in queue
	n      int           // that wait
}

// waitingView is one engagement in the queue. If it waits no more, its view was found.
type waitingView struct {
	view    uint64
	since   int64 // Unix ms
	foreign bool
}

type waitingEngagement struct {
	engagement
	number uint64 // in the queue
}

// engagement is one event of attention, without its view.
type engagement struct {
	time   int64
	millis uint32
	scroll uint8
}

// maxWaiting bounds the queue of a site in a shard, to 25 MB; past it the oldest gives
// way. No time would bound it: what is sent is up to the sender.
const maxWaiting = 1 << 18

func newWaiting() waiting { return waiting{byView: map[uint64][]waitingEngagement{}} }

// add has an engagement wait. Where it, or another, leaves the queue, orphan is told
// by how much the number of orphans changes.
func (w *waiting) add(view uint64, now int64, e engagement, foreign bool, orphan func(int)) {
	w.push(waitingView{view, now, foreign}, orphan)
	w.byView[view] = append(w.byView[view], waitingEngagement{e, w.first + uint64(len(w.queue)-1)})
	w.n++
}

// found notes that a foreign engagement has found its view at once.
func (w *waiting) found(view uint64, now int64, orphan func(int)) {
	w.push(waitingView{view, now, true}, orphan)
}

func (w *waiting) push(v waitingView, orphan func(int)) {
	if len(w.queue) == maxWaiting {
		w.pop(orphan)
	}
	w.queue = append(w.queue, v)
}

// take returns what waits for a view and forgets it.
func (w *waiting) take(view uint64) []waitingEngagement {
	if w.n == 0 {
		return nil
	}
	list, ok := w.byView[view]
	if !ok {
		return nil
	}
	delete(w.byView, view)
	w.n -= len(list)
	return list
}

func (w *waiting) expire(now int64, orphan func(int)) {
	for len(w.queue) > 0 && now-w.queue[0].since > viewid.Hours*3600*1000 {
		w.pop(orphan)
	}
}

// pop forgets the oldest.
func (w *waiting) pop(orphan func(int)) {
	v, number := w.queue[0], w.first
	w.queue = w.queue[1:]
	w.first++
	list := w.byView[v.view]
	waits := len(list) > 0 && list[0].number == number
	if waits {
		w.n--
		if len(list) == 1 {
			delete(w.byView, v.view)
		} else {
			w.byView[v.view] = list[1:]
		}
	}
	switch {
	case waits && !v.foreign:
		orphan(1)
	case !waits && v.foreign:
		orphan(-1)
	}
}

// list returns what waits, and what has yet to be taken off, in order of arrival.
func (w *waiting) list() []waitingHead {
	var out []waitingHead
	next := map[uint64]int{} // of the list of a view
	for i, q := range w.queue {
		head := waitingHead{View: q.view, Since: q.since, Foreign: q.foreign, Found: true}
		if list, k := w.byView[q.view], next[q.view]; k < len(list) && list[k].number == w.first+uint64(i) {
			next[q.view]++
			head.Time, head.Millis, head.Scroll, head.Found = list[k].time, list[k].millis, list[k].scroll, false
		}
		if !head.Found || q.foreign {
			out = append(out, head)
		}
	}
	return out
}

// restore takes what list returned.
func (w *waiting) restore(list []waitingHead) {
	for _, h := range list {
		if h.Found {
			w.found(h.View, h.Since, func(int) {})
		} else {
			w.add(h.View, h.Since, engagement{h.Time, h.Millis, h.Scroll}, h.Foreign, func(int) {})
		}
	}
}

func (w *waiting) bytes() int64 { return int64(len(w.queue))*24 + int64(w.n)*72 }
