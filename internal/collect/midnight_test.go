package collect

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sendAt stores a page view of a reader at an instant, which is the wall clock's
// too, and returns its device.
func (w *world) sendAt(reader int, at int64) string {
	w.t.Helper()
	w.now = at
	w.do(call{query: "key=w-news", remote: fmt.Sprintf("198.51.100.%d", reader), headers: headers{"User-Agent": "Mozilla/5.0"}, body: `{"type":"page_view","url":"https://news.example/a"}`})
	return w.stored().Device
}

// A visit keeps the identity of the day on which it began, however often its
// reader is seen after midnight; the next visit has the identity of its own day.
func TestVisitsKeepTheirIdentityOverMidnight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		const midnight = (nowMillis/dayMillis + 1) * dayMillis
		pauses := rapid.SampledFrom([]int64{1, 60_000, 10 * 60_000, visitGap - 1, visitGap, visitGap + 1, 40 * 60_000, 3 * 60 * 60_000, dayMillis})
		type state struct {
			last, day int64
		}
		readers := map[int]*state{}
		devices := map[string]int{}
		at := midnight - rapid.Int64Range(0, 2*visitGap).Draw(rt, "before")
		for range rapid.IntRange(1, 25).Draw(rt, "events") {
			reader := rapid.IntRange(1, 3).Draw(rt, "reader")
			r := readers[reader]
			if r == nil {
				r = &state{last: -dayMillis}
				readers[reader] = r
			}
			day := at / dayMillis
			if at-r.last > visitGap {
				r.day = day
			}
			device := w.sendAt(reader, at)
			key := fmt.Sprint(reader, r.day)
			if of, known := devices[device]; known && of != reader {
				rt.Fatalf("readers %d and %d are %s", of, reader, device)
			}
			devices[device] = reader
			if want := string(hashOf(w.c.infos.of(w.sites["news"], w.c.secret).saltOf(r.day), appendConnection(nil, netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", reader)), "Mozilla/5.0")).append(nil)); device != want {
				rt.Fatalf("%s at %s: %s, want that of day %d", key, time.UnixMilli(at).UTC(), device, r.day)
			}
			r.last = at
			at += pauses.Draw(rt, "pause")
		}
	})
}

// A visit that goes on for days keeps the identity of its first.
func TestAVisitOverManyMidnights(t *testing.T) {
	w := newWorld(t)
	const begin = (nowMillis/dayMillis+1)*dayMillis - 60_000
	first := w.sendAt(1, begin)
	for at := int64(begin); at < begin+4*dayMillis; at += visitGap {
		if device := w.sendAt(1, at); device != first {
			t.Fatalf("%s: %s, want %s", time.UnixMilli(at).UTC(), device, first)
		}
	}
}

// A process that starts anew goes on with what the engine knows of open visits.
func TestVisitsGoOnAfterARestart(t *testing.T) {
	const midnight = (nowMillis/dayMillis + 1) * dayMillis
	before := newWorld(t)
	device := before.sendAt(7, midnight-5*60_000)
	after := newWorld(t)
	after.now = midnight + 60_000
	after.c.Continue("d1", midnight)
	after.c.Continue("~short", midnight)
	after.c.Continue(device, midnight-5*60_000)
	if got := after.sendAt(7, midnight+2*60_000); got != device {
		t.Errorf("%s, want %s", got, device)
	}
	if got := after.sendAt(8, midnight+3*60_000); got == device {
		t.Error("another reader is taken for the first")
	}
}

// Few are remembered, and nobody by day: what a question shows does not count.
func TestCrossingIsBounded(t *testing.T) {
	w := newWorld(t)
	const midnight = (nowMillis/dayMillis + 1) * dayMillis
	w.sendAt(1, midnight-visitGap-1)
	if n := w.c.crossing.n.Load(); n != 0 {
		t.Errorf("%d readers are remembered by day", n)
	}
	w.now = midnight - 1
	w.do(call{query: "key=w-news&debug=1", remote: "198.51.100.1", headers: headers{"User-Agent": "Mozilla/5.0"}, body: `{"type":"page_view","url":"https://news.example/a"}`})
	if n := w.c.crossing.n.Load(); n != 0 {
		t.Errorf("%d readers are remembered of a question", n)
	}
	var c crossing
	for i := range maxCrossing + maxCrossing/4 {
		c.note(hash{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}, crosser{last: int64(i)}, 1000)
	}
	if n := c.n.Load(); n > maxCrossing {
		t.Errorf("%d readers are remembered", n)
	}
	last := maxCrossing + maxCrossing/4 - 1
	newest := hash{byte(last), byte(last >> 8), byte(last >> 16), byte(last >> 24)}
	if _, ok := c.open(newest, int64(last), true, 1000); !ok {
		t.Error("the newest is forgotten")
	}
	if _, ok := c.open(newest, int64(last), true, 1000+2*visitGap); ok || c.n.Load() != 0 {
		t.Errorf("an hour later %d are remembered", c.n.Load())
	}
	w = newWorld(t)
	w.sendAt(1, midnight-1)
	v := w.c.Visitor(w.sites["news"], &Request{Remote: netip.MustParseAddr("198.51.100.1"), Header: headers{"User-Agent": "Mozilla/5.0"}})
	if first, second := w.c.Hash(w.sites["news"], &v, midnight-1), w.c.Hash(w.sites["news"], &v, midnight+1); first != second {
		t.Error("a decision after midnight is another reader's")
	}
}
