package engine

import "github.com/readership/readership/internal/engine/viewid"

// waiting holds engagement whose page view is not known yet, in order of
// arrival, 48 hours of the site's clock at most.
type waiting struct {
	byView map[uint64][]engagement
	queue  []waitingView // in order of arrival
	n      int
}

type waitingView struct {
	view  uint64
	since int64 // Unix ms
}

// engagement is one event of attention, without its view.
type engagement struct {
	time   int64
	millis uint32
	scroll uint8
}

// maxWaiting bounds the table; past it the oldest becomes an orphan.
const maxWaiting = 1 << 18

func newWaiting() waiting { return waiting{byView: map[uint64][]engagement{}} }

func (w *waiting) add(view uint64, now int64, e engagement, orphan func()) {
	if w.n == maxWaiting {
		w.dropOldest(orphan)
	}
	w.byView[view] = append(w.byView[view], e)
	w.queue = append(w.queue, waitingView{view, now})
	w.n++
}

// take returns what waits for a view and forgets it.
func (w *waiting) take(view uint64) []engagement {
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

func (w *waiting) expire(now int64, orphan func()) {
	for len(w.queue) > 0 && now-w.queue[0].since > viewid.Hours*3600*1000 {
		w.pop(orphan)
	}
}

func (w *waiting) dropOldest(orphan func()) {
	for before := w.n; w.n == before && len(w.queue) > 0; {
		w.pop(orphan)
	}
}

// pop forgets the oldest entry; one whose view came in time is gone already.
func (w *waiting) pop(orphan func()) {
	view := w.queue[0].view
	w.queue = w.queue[1:]
	list := w.byView[view]
	if len(list) == 0 {
		return
	}
	orphan()
	w.n--
	if len(list) == 1 {
		delete(w.byView, view)
	} else {
		w.byView[view] = list[1:]
	}
}

// list returns what waits, in order of arrival: the k-th mention of a view in
// the queue is its k-th engagement.
func (w *waiting) list() []waitingHead {
	var out []waitingHead
	mention := map[uint64]int{}
	for _, q := range w.queue {
		k := mention[q.view]
		mention[q.view]++
		if list := w.byView[q.view]; k < len(list) {
			out = append(out, waitingHead{q.view, q.since, list[k].time, list[k].millis, list[k].scroll})
		}
	}
	return out
}

func (w *waiting) bytes() int64 { return int64(len(w.queue))*16 + int64(w.n)*64 }
