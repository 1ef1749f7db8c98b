package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/feed"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/query"
)

// site is the site of the clicks.
const site = "globo"

// ours is the engine in this process, with as many shards as threads. The
// cache is what a server keeps between questions; it never holds an answer.
type ours struct {
	engine   *engine.Engine
	position event.Position
	threads  int
	cache    query.Cache
}

func openEngine(ctx context.Context, clicks []dataset.Click, threads int) (system, error) {
	e, err := engine.Open(engine.Config{Shards: threads, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	o := &ours{engine: e, threads: threads}
	sequence := uint64(0)
	err = feed.Messages(feed.Site(site), clicks, time.Now().UnixMilli(), func(stamp int64, message []byte) error {
		sequence++
		o.position = event.MakePosition(int(stamp/day), 0, sequence)
		return e.Apply(o.position, message)
	})
	if err == nil {
		err = e.Wait(ctx, o.position)
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return o, nil
}

func (o *ours) name() string { return "Readership" }
func (o *ours) close() error { return o.engine.Close() }

// ask does what the server does with a question: it gets a view that includes
// everything written, reads the question's text, and answers it.
func (o *ours) ask(ctx context.Context, q *question) ([]row, time.Duration, error) {
	body := []byte(q.api)
	start := time.Now()
	v, err := o.engine.View(ctx, site, o.position)
	if err != nil {
		return nil, 0, err
	}
	result, err := query.Ask(ctx, v, body, query.Options{Now: v.Now, Threads: o.threads, Cache: &o.cache})
	took := time.Since(start)
	if err != nil {
		return nil, 0, fmt.Errorf("%w\n%s", err, q.api)
	}
	rows := make([]row, len(result.Rows))
	for i, r := range result.Rows {
		rows[i].metrics = r.Metrics
		for _, text := range r.Dimensions {
			key, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t, err := time.Parse(time.RFC3339, text)
				if err != nil {
					return nil, 0, fmt.Errorf("dimension %q is neither a number nor a time", text)
				}
				key = t.UnixMilli()
			}
			rows[i].keys = append(rows[i].keys, key)
		}
	}
	return rows, took, nil
}
