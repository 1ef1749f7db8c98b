package engine_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// fewRows is below how many rows who asks takes the turn.
const fewRows = 256

// TestTurnsAreOfOnePlace: while messages arrive, a turn sees the facts and the rows of
// one place of the log, not before that which was queued when it was asked for, whether
// who asks takes it or the shard does; and about readers with many rows the shard does.
func TestTurnsAreOfOnePlace(t *testing.T) {
	const perReader, readers, askers = 200, 12, 3
	f := newFeed(t, engine.Config{Shards: 2}, event.Site{ID: "news"})
	type place struct{ reader, messages int } // of the log
	var queued atomic.Pointer[place]
	queued.Store(&place{})
	var once, turns, many atomic.Int64
	ask := func() {
		at := *queued.Load()
		done := make(chan struct{})
		err := f.e.Turn(t.Context(), "news", fmt.Sprint("device:d", at.reader), true, engine.Few{Rows: fewRows, Burns: fewRows}, func(r *engine.Reader, err error) {
			defer close(done)
			if err != nil {
				t.Error(err)
				return
			}
			n := 0
			if item, ok := r.Items.Item(fmt.Sprint("a", at.reader)); ok {
				n, _ = strconv.Atoi(item.Title)
			}
			var rows engine.Rows
			r.Rows(0, t0, &rows)
			if n != rows.Len() || n < at.messages {
				t.Errorf("%+v: the item is of message %d, with %d rows", at, n, rows.Len())
			}
			turns.Add(1)
			if strings.Contains(string(debug.Stack()), "atOnce") {
				once.Add(1)
				if n >= fewRows {
					many.Add(1)
				}
			}
		})
		if err != nil {
			t.Error(err)
			return
		}
		<-done
	}
	var asking sync.WaitGroup
	var over atomic.Bool
	for range askers {
		asking.Go(func() {
			for !over.Load() && !t.Failed() {
				ask()
			}
		})
	}
	for reader := range readers {
		most := perReader
		if reader == readers-1 {
			most = 2 * fewRows
		}
		for m := range most {
			f.enc.Reset(t0)
			f.enc.AddFact(factOf(event.FactItem, fmt.Sprint("a", reader), event.Item{ID: fmt.Sprint("a", reader), Title: strconv.Itoa(m + 1)}))
			e := pageView(t0, fmt.Sprint("d", reader), "a1")
			f.enc.Add("news", &e, f.seq<<20, 0)
			f.send()
			queued.Store(&place{reader, m + 1})
		}
		for before := once.Load(); reader < readers-1 && once.Load() == before && !t.Failed(); { // at rest some are sure to be
			runtime.Gosched()
		}
	}
	over.Store(true)
	asking.Wait()
	if n := once.Load(); n == 0 || n == turns.Load() || many.Load() > 0 {
		t.Errorf("%d of %d turns were taken at once, %d of them of many rows", n, turns.Load(), many.Load())
	}
}

// TestTurnWithinATurn: what is asked in a turn, about a reader of the same shard, has
// its own turn, after it.
func TestTurnWithinATurn(t *testing.T) {
	f := newFeed(t, engine.Config{Shards: 1}, event.Site{ID: "news"})
	f.view("news")
	inner := make(chan bool, 1)
	var outside atomic.Bool
	err := f.e.InTurn(t.Context(), "news", "device:d1", func(*engine.Reader) {
		err := f.e.Turn(t.Context(), "news", "device:d2", false, engine.Few{Rows: fewRows, Burns: fewRows}, func(*engine.Reader, error) { inner <- outside.Load() })
		if err != nil {
			t.Error(err)
		}
		if len(inner) != 0 {
			t.Error("a turn was taken within another")
		}
		outside.Store(true)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !<-inner {
		t.Error("a turn was taken within another")
	}
}
