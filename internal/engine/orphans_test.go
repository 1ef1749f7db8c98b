package engine_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// TestOrphans: engagement that finds no page view within 48 hours is an orphan, once,
// however many shards there are, whether or not it names its reader, and with restarts.
func TestOrphans(t *testing.T) {
	const minute, hour = 60_000, 3600_000
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "orphans")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := engine.Config{Shards: rapid.IntRange(1, 4).Draw(rt, "shards"), Dir: dir}
		f := newFeed(t, cfg, event.Site{ID: "news"})
		now := t0
		send := func(e event.Event, view uint64) {
			f.enc.Reset(now)
			f.enc.Add("news", &e, uint64(now), view)
			f.send()
		}
		orphans := func() (n int) {
			f.view("news")
			for _, l := range f.e.Losses("news", 0, now+hour) {
				n += int(l.N)
			}
			return n
		}
		nameless, came, waits := 0, map[uint64]bool{}, map[uint64]int{}
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			now += rapid.Int64Range(1, 30*minute).Draw(rt, "later")
			view := uint64(rapid.IntRange(0, 12).Draw(rt, "view")) // 0: names none
			e := pageView(now, fmt.Sprint("d", view%5), "a1")
			if rapid.Bool().Draw(rt, "engagement") {
				e = event.Event{Time: now, Device: e.Device, EngagedMillis: 1000}
				e.Columns[event.ColType] = event.TypeEngagement
				if rapid.Bool().Draw(rt, "of no device") {
					e.Device, e.Flags = "", event.FlagNoDevice
				}
				if view == 0 {
					nameless++
				} else if !came[view] {
					waits[view]++
				}
			} else {
				came[view] = true
				delete(waits, view)
			}
			send(e, view)
			if rapid.IntRange(0, 15).Draw(rt, "restart") == 0 {
				f.view("news")
				if err := f.e.Checkpoint(context.Background()); err != nil {
					rt.Fatal(err)
				}
				f.e.Close()
				if f.e, err = engine.Open(cfg); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if n := orphans(); n != nameless {
			rt.Fatalf("%d orphans at once, want %d", n, nameless)
		}
		want := nameless
		for _, n := range waits {
			want += n
		}
		now += 49 * hour
		send(pageView(now, "d9", "a1"), 99)
		if n := orphans(); n != want {
			rt.Fatalf("%d orphans after two days, want %d", n, want)
		}
		f.e.Close()
	})
}

// TestWaitingIsBounded: of too much engagement that waits the oldest is an orphan
// early, and that of another site waits on.
func TestWaitingIsBounded(t *testing.T) {
	const bound, hour = 1 << 18, 3600_000 // of one site in one shard
	for _, shards := range []int{1, 2} {
		f := newFeed(t, engine.Config{Shards: shards}, event.Site{ID: "news"})
		f.site(t0, event.Site{ID: "quiet"})
		engaged := event.Event{Time: t0, Flags: event.FlagNoDevice, EngagedMillis: 1000}
		engaged.Columns[event.ColType] = event.TypeEngagement
		send := func(site string, now int64, e event.Event, id, view uint64) {
			f.enc.Reset(now)
			f.enc.Add(site, &e, id, view)
			f.send()
		}
		send("quiet", t0, engaged, 1, 1)
		for view := uint64(1); view <= bound+1; {
			f.enc.Reset(t0)
			for range 4096 {
				if view <= bound+1 {
					f.enc.Add("news", &engaged, view, view)
					view++
				}
			}
			f.send()
		}
		orphans := func(site string) (n int) {
			f.view(site)
			for _, l := range f.e.Losses(site, 0, t0+100*hour) {
				n += int(l.N)
			}
			return n
		}
		if n := orphans("news"); n != 1 {
			t.Errorf("%d shards: %d orphans past the bound, want the oldest", shards, n)
		}
		for i, late := range []uint64{1, 2, bound + 1} {
			send("news", t0, pageView(t0, "d1", "a1"), uint64(1<<40+i), late)
		}
		send("quiet", t0, pageView(t0, "d1", "a1"), 1<<40, 1)
		for _, site := range []string{"news", "quiet"} {
			send(site, t0+49*hour, pageView(t0+49*hour, "d1", "a1"), 1<<41, 0)
		}
		if n, quiet := orphans("news"), orphans("quiet"); n != bound-1 || quiet != 0 {
			t.Errorf("%d shards: %d orphans, want %d; %d of another site", shards, n, bound-1, quiet)
		}
	}
}
