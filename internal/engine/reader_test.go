package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

func proven(e event.Event, account string) event.Event {
	e.Columns[event.ColAccount] = account
	e.Flags |= event.FlagProven
	return e
}

func (f *feed) events(stamp int64, events ...event.Event) {
	f.enc.Reset(stamp)
	for i := range events {
		f.enc.Add("news", &events[i], f.seq<<20|uint64(i), 0)
	}
	f.send()
}

func TestReaderIsAnswered(t *testing.T) {
	f := newFeed(t, engine.Config{Shards: 2}, event.Site{ID: "news"})
	f.facts(t0, factOf(event.FactAccount, "a7", event.Account{Traits: map[string]any{"city": "Köln"}}), factOf(event.FactLogin, "d1", event.Login{Account: "a7"}))
	f.events(t0, pageView(t0, "d1", "a1"), proven(pageView(t0+1, "d1", "a2"), "a7"), pageView(t0+2, "d1", "a3"))
	v := f.readers(t)
	r, ok := v.Reader("account:a7")
	if !ok || !r.Known || !r.Registered() || r.FirstSeen != t0 {
		t.Fatalf("%+v", r)
	}
	if trait, ok := r.Profile(t0).Trait("city"); !ok || trait.Value != "Köln" {
		t.Fatalf("%+v", trait)
	}
	var others []string
	r.Others(func(name string) { others = append(others, name) })
	device, _ := v.Reader("device:d1")
	device.Others(func(name string) { others = append(others, name) })
	if !slices.Equal(others, []string{"device:d1", "account:a7"}) {
		t.Fatalf("%q", others)
	}
	if account, ok := device.Login(); !ok || account != "a7" || device.Registered() || device.Profile(t0) != nil {
		t.Fatalf("%q %v", account, ok)
	}
	unknown, ok := v.Reader("device:nobody")
	var rows engine.Rows
	unknown.Rows(0, t0, &rows)
	if !ok || unknown.Known || rows.Len() != 0 {
		t.Fatalf("%+v", unknown)
	}
	for _, bad := range []string{"", "d1", "device:", "account:", "reader:1"} {
		if _, ok := v.Reader(bad); ok {
			t.Errorf("%q is a reader", bad)
		}
		if err := f.e.InTurn(context.Background(), "news", bad, nil); !errors.Is(err, engine.ErrUnknownReader) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := f.e.InTurn(context.Background(), "shop", "device:d1", nil); !errors.Is(err, engine.ErrUnknownSite) {
		t.Error(err)
	}
	// A span takes in both ends.
	device.Rows(t0+2, t0+2, &rows)
	if rows.Len() != 1 || rows.Time(0) != t0+2 {
		t.Fatalf("%d rows", rows.Len())
	}
}

// BenchmarkReaderRows loads the rows of a reader with 200 rows over 14 days
// among 2,000 others and looks at two columns of each, as a fold does. Each
// time it is another reader.
func BenchmarkReaderRows(b *testing.B) {
	const readers, each = 2000, 200
	f := newFeed(b, engine.Config{Shards: 1}, event.Site{ID: "news"})
	for day := range 14 {
		for part := range 10 {
			f.enc.Reset(t0 + int64(day)*24*3600_000)
			for n := range readers * each / 140 {
				k := n + part*readers*each/140
				e := pageView(t0+int64(day)*24*3600_000+int64(n), fmt.Sprint("d", k*7919%readers), fmt.Sprint("a", k%5000))
				f.enc.Add("news", &e, f.seq<<20|uint64(n), 0)
			}
			f.send()
		}
	}
	v := f.readers(b)
	names := make([]string, readers)
	for i := range names {
		names[i] = fmt.Sprint("device:d", i)
	}
	var rows engine.Rows
	fold := func(r *engine.Reader) (sum int) {
		r.Rows(-1<<62, r.Now, &rows)
		for i := range rows.Len() {
			typ, _ := rows.Code(i, int(event.ColType))
			item, _ := rows.Code(i, int(event.ColItem))
			sum += int(typ) + int(item)
		}
		return sum
	}
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		i, total := 0, 0
		for b.Loop() {
			r, _ := v.Reader(names[i*7%readers])
			total += fold(&r)
			i++
		}
		if rows.Len() < each/2 || total == 0 {
			b.Fatalf("%d rows", rows.Len())
		}
	})
	b.Run("turn", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if err := f.e.InTurn(context.Background(), "news", names[i*7%readers], func(r *engine.Reader) { fold(r) }); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
