package segment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
)

// turns calls fn with the watcher of the site in each shard.
func (w *script) turns(fn func(*watcher, *engine.Live)) {
	w.t.Helper()
	_, err := w.e.EachWatcher(context.Background(), "news", func(_ int, of engine.Watcher, l *engine.Live) { fn(of.(*watcher), l) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// view sends a page view.
func (w *script) view(device string) {
	ev := event.Event{Time: scriptNow, Device: device}
	ev.Columns[event.ColType] = event.TypePageView
	w.enc.Add("news", &ev, w.sent<<20, 0)
	w.send()
}

// TestBrokenSegments: an evaluation that panics, in the turn of a message or
// between messages, or when it is asked, stops neither the engine nor the answers.
func TestBrokenSegments(t *testing.T) {
	ctx := context.Background()
	site := event.Site{ID: "news", Window: "7d"}.WithDefaults()
	spoil := func(w *watcher, _ *engine.Live) { w.running.table = nil }
	for _, c := range []struct {
		name string
		do   func(w *script)
	}{
		{"with a message", func(w *script) { w.turns(spoil); w.view("d1") }},
		{"between messages", func(w *script) {
			w.turns(func(of *watcher, l *engine.Live) {
				spoil(of, l)
				of.running.jobs.cut()
			})
		}},
		{"when it is asked", func(w *script) {
			w.turns(spoil)
			if got, err := w.s.Of(ctx, &site, "device:d1", scriptNow-1000); err != nil || len(got.Segments) != 0 {
				t.Errorf("%v, %v", got.Segments, err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newScript(t)
			w.site(site, "fan")
			if list := w.s.Broken(); len(list) != 0 {
				t.Fatal(list)
			}
			c.do(w)
			if got, ok := w.s.OfAtOnce(&site, "device:d1", scriptNow); ok {
				t.Errorf("segments %v of version %d at once, where none are kept", got.Segments, got.Version)
			}
			got, err := w.s.Of(ctx, &site, "device:d1", scriptNow)
			if err != nil || !slices.Equal(got.Segments, []string{"fan"}) || got.Version != 1 {
				t.Errorf("segments %v of version %d, %v", got.Segments, got.Version, err)
			}
			if n, err := w.s.Size(ctx, &site, "fan", scriptNow); err != nil || n.Size != 1 {
				t.Errorf("%d members, %v", n.Size, err)
			}
			if f := w.e.Failure(); f != nil {
				t.Fatalf("the engine stands still at %s: %v", f.Position, f.Err)
			}
			if err := w.s.Broken()["news"]; err == nil || !strings.Contains(err.Error(), "20000-0-") {
				t.Errorf("why segments are not kept: %v", err)
			}
			w.turns(func(of *watcher, l *engine.Live) {
				if of.running.broken != nil && of.Bytes() != 0 {
					t.Error("states that are of no use are kept")
				}
			})

			// Another version is kept again.
			_, facts, err := program.Stored("news", event.Active{Stored: 1, Version: 1}, event.Program{Files: map[string]string{event.MainFile: "segment all = reader.first_seen < now\n"}}, false)
			if err != nil {
				t.Fatal(err)
			}
			w.send(append(facts, program.Prepare("news", 2))...)
			if err := w.s.Prepared(ctx, "news", 2); err != nil {
				t.Fatal(err)
			}
			if facts, err = program.Activated("news", event.Active{Stored: 2, Version: 1}, 2); err != nil {
				t.Fatal(err)
			}
			w.send(facts...)
			w.turns(func(of *watcher, l *engine.Live) {
				if !of.running.ready(l) {
					t.Error("the next version is not kept")
				}
			})
			if list := w.s.Broken(); len(list) != 0 {
				t.Error(list)
			}
		})
	}
}

// TestNotPrepared: who waits for a version that cannot be made ready is told so at
// once, and may try again.
func TestNotPrepared(t *testing.T) {
	ctx := context.Background()
	w := newScript(t)
	site := event.Site{ID: "news", Window: "7d"}.WithDefaults()
	w.site(site, "fan")
	w.send(program.Prepare("news", 2)) // which is not stored
	if err := w.s.Prepared(ctx, "news", 2); err == nil || !strings.Contains(err.Error(), program.ErrNotKept.Error()) {
		t.Fatalf("a version that cannot be compiled: %v", err)
	}
	_, facts, err := program.Stored("news", event.Active{Stored: 2, Version: 1}, event.Program{Files: map[string]string{event.MainFile: "segment all = reader.first_seen < now\n"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	w.send(append(facts, program.Abandon("news"))...)
	prepare := func() error {
		w.send(program.Prepare("news", 3))
		return w.s.Prepared(ctx, "news", 3)
	}
	if err := prepare(); err != nil {
		t.Fatal(err)
	}
	w.send(program.Abandon("news"))
	w.turns(func(of *watcher, l *engine.Live) {
		if of.next != nil {
			t.Error("what was abandoned is kept")
		}
	})
	// Nothing of the first time counts.
	waits, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.s.Prepared(waits, "news", 3); err == nil {
		t.Error("an abandoned version is ready")
	}
	if err := prepare(); err != nil {
		t.Fatal(err)
	}
	if list := w.s.Broken(); len(list) != 0 {
		t.Error(list)
	}
}

// counted checks that a stream's changes are part of what its shards' watchers take.
func counted(t *testing.T, s *stream) {
	t.Helper()
	want := int64(0)
	for _, list := range s.shards {
		for i := range list {
			want += bytesOf(list[i].changes)
		}
	}
	for i := range s.kept {
		want += bytesOf(s.kept[i].Changes)
	}
	if got := s.bytes.Load(); got != want {
		t.Fatalf("%d bytes of changes are counted, they take %d", got, want)
	}
	w := watcher{stream: s}
	if got := w.Bytes() * int64(len(s.shards)); got < want-1 || got > want {
		t.Fatalf("the shards count %d bytes of %d", got, want)
	}
}

// TestFullBatch: a message that changes more than is kept is told as a reset, and
// what comes after it as ever.
func TestFullBatch(t *testing.T) {
	change := func(n int) (b batch) {
		for i := range n {
			b.add(Change{Reader: fmt.Sprint("device:", i), Segment: "fan", Entered: true})
		}
		return b
	}
	s := newStream(2)
	seq := uint64(0)
	publish := func(a, b batch) {
		seq++
		for shard, of := range []batch{a, b} {
			of.position, of.version, of.complete = event.MakePosition(20000, 0, seq), 1, true
			s.publish(shard, of)
			counted(t, s)
		}
	}
	c := Changes{stream: s}
	next := func() Batch {
		t.Helper()
		b, ok, _ := c.take()
		if !ok {
			t.Fatal("nothing is told")
		}
		return b
	}
	publish(batch{}, batch{})
	if b := next(); !b.Reset {
		t.Fatal("it does not begin with a reset")
	}
	publish(change(keptChanges), batch{})
	if b := next(); b.Reset || len(b.Changes) != keptChanges {
		t.Fatalf("reset %t, %d changes", b.Reset, len(b.Changes))
	}
	for _, full := range [][2]batch{{change(keptChanges + 1), change(1)}, {change(keptChanges - 1), change(2)}} {
		publish(full[0], full[1])
		publish(change(1), change(1))
		if len(full[0].changes) > keptChanges || s.n > keptChanges {
			t.Fatalf("%d changes are kept", s.n)
		}
		if b := next(); !b.Reset {
			t.Fatalf("%d changes, want a reset", len(b.Changes))
		}
		publish(change(2), batch{})
		if b := next(); b.Reset || len(b.Changes) != 2 {
			t.Fatalf("reset %t, %d changes", b.Reset, len(b.Changes))
		}
	}
	// A shard that is ahead keeps no more than a few full batches.
	for range 10 {
		seq++
		b := change(keptChanges)
		b.position, b.version, b.complete = event.MakePosition(20000, 0, seq), 1, true
		s.publish(0, b)
		counted(t, s)
		held := 0
		for _, of := range s.shards[0] {
			held += len(of.changes)
		}
		if held != s.ahead[0] || held > aheadChanges {
			t.Fatalf("%d changes wait, counted %d", held, s.ahead[0])
		}
	}
}
