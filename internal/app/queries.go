package app

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/query"
	"github.com/readership/readership/internal/segment"
)

// queries joins the interface's questions to the engine's views.
type queries struct {
	engine   *engine.Engine
	segments *segment.Service
	clock    func() time.Time
	caches   sync.Map // of *query.Cache, by site
}

// Query implements api.Queries.
func (q *queries) Query(ctx context.Context, question api.Question) (api.Result, error) {
	v, err := q.engine.View(ctx, question.Site, question.At)
	if err != nil {
		return nil, err
	}
	cache, _ := q.caches.LoadOrStore(question.Site, new(query.Cache))
	now := q.engine.SiteNow(question.Site, question.Wall)
	result, err := query.Ask(ctx, v, question.Body, query.Options{Now: now,
		Threads: runtime.GOMAXPROCS(0), Cache: cache.(*query.Cache), Clock: q.clock,
		Segments: func(ctx context.Context, only []string) (*engine.View, *query.Segments, error) {
			v, standing, err := q.segments.Standing(ctx, v.Site, now, only)
			return v, (*query.Segments)(standing), err
		}})
	if _, ok := q.engine.Site(question.Site); !ok {
		q.Forget(question.Site) // deleted since the question was asked
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// Forget implements api.Queries.
func (q *queries) Forget(site string) { q.caches.Delete(site) }
