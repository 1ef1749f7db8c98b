package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// recorder is a Decider whose rows have a long text each of their own.
type recorder struct{}

func (recorder) Commit(c *engine.Commit) engine.Outcome {
	return engine.Outcome{Properties: []event.Property{{Name: event.PropertyDecision + "record", Value: c.Text(event.ColTitle) + strings.Repeat("x", 512)}}}
}

// TestDecidedTextsLeave: what each decision says of itself leaves with its row,
// however few decisions there are a day.
func TestDecidedTextsLeave(t *testing.T) {
	f := newFeed(t, engine.Config{Shards: 1, Decide: func(int) engine.Decider { return recorder{} }}, event.Site{ID: "news", Window: "2d"})
	const days, daily = 20, 100
	var id uint64
	for day := range days {
		at := t0 + int64(day)*24*3600_000
		var acts []act
		for n := range daily {
			a := act{stamp: at, ev: event.Event{Time: at, Device: "d1", Flags: event.FlagCommit}}
			a.ev.Columns[event.ColType], a.ev.Columns[event.ColTitle] = event.TypeDecision, fmt.Sprint(day, "-", n)
			acts = append(acts, a)
		}
		f.sendActs(acts, &id)
	}
	stats, err := f.e.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, most := stats.Sites[0].Bytes.Dictionaries, int64(daily*512); got > most {
		t.Errorf("dictionaries of the shard have %d bytes after %d days, want %d at most", got, days, most)
	}
	kept := 0
	r, _ := f.readers(t).Reader("device:d1")
	var rows engine.Rows
	r.Decisions(1<<20, &rows)
	for i := range rows.Len() {
		rows.Each(i, func(_ int, name, text string, _ event.Kind) {
			if name == event.PropertyDecision+"record" && strings.HasPrefix(text, fmt.Sprint(days-1-i/daily, "-")) {
				kept++
			}
		})
	}
	if kept != rows.Len() || kept < daily {
		t.Errorf("%d of %d decisions have what was recorded", kept, rows.Len())
	}
}
