package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// TestShortenedLog: a log that begins with the daily snapshot of facts gives the
// streams of the whole log, once what was dropped has left the window.
func TestShortenedLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		site := event.Site{ID: "news", Window: "2d"}
		a, b := newFeed(t, engine.Config{Shards: 2}, site), newFeed(t, engine.Config{Shards: rapid.IntRange(1, 3).Draw(rt, "shards")}, site)
		defer func() { _, _ = a.e.Close(), b.e.Close() }()
		var idA, idB uint64
		shift, parts := int64(0), uint64(0)
		part := func(feeds ...*feed) {
			log := drawActs(rt, false)
			parts++
			for _, acts := range log {
				for i := range acts {
					acts[i].stamp += shift
					acts[i].ev.Time += shift
					if acts[i].view != 0 {
						acts[i].view += parts << 20 // views are of one part
					}
				}
				for _, f := range feeds {
					id := &idA
					if f == b {
						id = &idB
					}
					f.sendActs(acts, id)
				}
			}
			shift = log[len(log)-1][0].stamp - t0
		}
		part(a) // is dropped
		shift += 5 * 24 * 3600_000
		part(a, b) // is kept, and stands before the snapshot
		var snapshot []event.Fact
		add := func(f event.Fact) error { snapshot = append(snapshot, f); return nil }
		if err := a.e.EachFact(add); err != nil {
			rt.Fatal(err)
		}
		for _, each := range []func(context.Context, string, int, func(event.Fact) error) error{a.e.EachSeen, a.e.EachPair} {
			if err := each(context.Background(), "news", 100, add); err != nil {
				rt.Fatal(err)
			}
		}
		for _, f := range []*feed{a, b} {
			f.facts(t0+shift, snapshot...)
			f.facts(t0+shift, snapshot...) // whoever reads it twice knows no more
		}
		part(a, b)
		va, vb := a.readers(rt), b.readers(rt)
		for _, reader := range peopleReaders {
			want, got := streamOf(rt, va, reader, new(engine.Rows)), streamOf(rt, vb, reader, new(engine.Rows))
			if diff := gocmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s (-whole log +shortened):\n%s", reader, diff)
			}
			ra, _ := va.Reader(reader)
			rb, _ := vb.Reader(reader)
			if ra.Known != rb.Known || ra.FirstSeen != rb.FirstSeen {
				rt.Fatalf("%s first seen %d, want %d", reader, rb.FirstSeen, ra.FirstSeen)
			}
			names := func(r engine.Reader) map[string]bool {
				out := map[string]bool{}
				r.Others(func(name string) { out[name] = true })
				return out
			}
			for name := range names(rb) {
				if !names(ra)[name] {
					rt.Fatalf("%s has %s", reader, name)
				}
			}
		}
	})
}

// found returns the files below a folder that hold a text.
func found(t testing.TB, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestErasureLeavesNothing: an erased reader is unknown at once, in replays too;
// after the work that follows nothing in the checkpoint has its name or what
// only it had; every other reader is as before.
func TestErasureLeavesNothing(t *testing.T) {
	const secretDevice, secretAccount = "device-of-nobody-else", "account-of-nobody-else"
	for _, c := range []struct {
		erase, text, other string
	}{
		{"device:" + secretDevice, secretDevice, "account:" + secretAccount},
		{"account:" + secretAccount, secretAccount, "device:" + secretDevice},
	} {
		t.Run(c.erase, func(t *testing.T) {
			dir := t.TempDir()
			cfg := engine.Config{Shards: 2, Dir: dir}
			f := newFeed(t, cfg, event.Site{ID: "news"})
			f.facts(t0, factOf(event.FactAccount, secretAccount, event.Account{Traits: map[string]any{"mail": "me@" + secretAccount}}),
				factOf(event.FactLogin, secretDevice, event.Login{Account: secretAccount}),
				factOf(event.FactUse, event.UseKey("l1", "account:"+secretAccount), event.LinkUse{Kind: event.LinkGift, Giver: "the giver", Uses: 10, Expires: t0 + 1<<40, At: t0}),
				factOf(event.FactUse, event.UseKey("l1", "device:"+secretDevice), event.LinkUse{Kind: event.LinkGift, Giver: "the giver", Uses: 10, Expires: t0 + 1<<40, At: t0}))
			var events []event.Event
			for i := range 40 {
				// Theirs, with values that nobody else has, between those of others.
				e := pageView(t0-int64(i)*3600_000, secretDevice, "a1")
				e.Columns[event.ColURL] = "https://news.example/?me=" + secretDevice + "&as=" + secretAccount
				e.Properties = []event.Property{{Name: "user", Value: secretDevice + secretAccount + fmt.Sprint(i)}, {Name: "plan", Value: "x"}}
				e.Columns[event.ColItem] = fmt.Sprint("a", i%3)
				if i%2 == 0 {
					e = proven(e, secretAccount)
				}
				events = append(events, e)
				for d := range 3 {
					other := pageView(t0-int64(i)*3600_000, fmt.Sprint("other", d), fmt.Sprint("a", i%3))
					other.Properties = []event.Property{{Name: "plan", Value: "x"}}
					if d == 1 && i%3 == 0 {
						other = proven(other, "k1")
					}
					events = append(events, other)
				}
			}
			f.events(t0, events...)
			if err := f.e.Checkpoint(context.Background()); err != nil {
				t.Fatal(err)
			}
			if len(found(t, dir, c.text)) == 0 {
				t.Fatal("the test proves nothing: the checkpoint never held the name")
			}
			others := []string{"device:other0", "device:other1", "device:other2", "account:k1"}
			before := map[string][]streamRow{}
			v := f.readers(t)
			for _, reader := range others {
				before[reader] = streamOf(t, v, reader, new(engine.Rows))
			}
			f.facts(t0, factOf(event.FactErase, c.erase, event.Erase{Giver: map[bool]string{true: "the giver"}[c.text == secretAccount]}))
			if f.readers(t); f.e.Erasures() != 1 {
				t.Fatalf("%d erasures wait for their work", f.e.Erasures())
			}
			check := func(what string, e *engine.Engine) {
				t.Helper()
				v, err := e.Readers(context.Background(), "news", 0)
				if err != nil {
					t.Fatal(err)
				}
				r, _ := v.Reader(c.erase)
				var rows engine.Rows
				r.Rows(-1<<62, 1<<61, &rows)
				if r.Known || rows.Len() > 0 || r.Profile(v.Now) != nil {
					t.Fatalf("%s: %s is known: %+v, %d rows", what, c.erase, r, rows.Len())
				}
				for _, reader := range others {
					if diff := gocmp.Diff(before[reader], streamOf(t, v, reader, new(engine.Rows))); diff != "" {
						t.Fatalf("%s: %s has changed:\n%s", what, reader, diff)
					}
				}
				for _, row := range streamOf(t, v, c.other, new(engine.Rows)) {
					if row.Device == c.text || row.Account == c.text {
						t.Fatalf("%s: %s still has a row of it", what, c.other)
					}
				}
				_ = e.EachFact(func(f event.Fact) error {
					if bytes.Contains(f.Value, []byte(c.text)) || bytes.Contains([]byte(f.Key), []byte(c.text)) {
						t.Fatalf("%s: fact %s %q names it", what, f.Kind, f.Key)
					}
					if c.text == secretAccount && bytes.Contains(f.Value, []byte("the giver")) {
						t.Fatalf("%s: fact %s %q says who gave it", what, f.Kind, f.Key)
					}
					return nil
				})
			}
			check("at once", f.e)
			if err := f.e.Checkpoint(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := f.e.Close(); err != nil {
				t.Fatal(err)
			}
			e, err := engine.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			f.e = e
			if e.Erasures() != 1 {
				t.Fatal("a restart forgets the work")
			}
			check("after a restart", e)
			if err := e.Purge(context.Background()); err != nil {
				t.Fatal(err)
			}
			if files := found(t, dir, c.text); len(files) > 0 || e.Erasures() != 0 {
				t.Fatalf("%d erasures wait; %q", e.Erasures(), files)
			}
			check("after the work", e)
			// What comes later is a new reader's.
			f.events(t0+1, pageView(t0+1, secretDevice, "a1"), proven(pageView(t0+2, "other2", "a2"), "k2"))
			f.readers(t)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := engine.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if f.e = again; again.Position() == 0 {
				t.Fatal("the checkpoint was not used")
			}
			v, _ = again.Readers(context.Background(), "news", 0)
			want := 1
			if c.erase[0] == 'a' {
				want = 21 // what it did without the account stays
			}
			if rows := streamOf(t, v, "device:"+secretDevice, new(engine.Rows)); len(rows) != want {
				t.Fatalf("the device has %d rows, want %d", len(rows), want)
			}
		})
	}
}
