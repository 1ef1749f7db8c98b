package app

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/query"
)

// queries joins the interface's questions to the engine's views.
type queries struct {
	engine *engine.Engine
	clock  func() time.Time
	caches sync.Map // of *query.Cache, by site
}

// Query implements api.Queries.
func (q *queries) Query(ctx context.Context, question api.Question) (api.Result, error) {
	v, err := q.engine.View(ctx, question.Site, question.At)
	if err != nil {
		return nil, err
	}
	cache, _ := q.caches.LoadOrStore(question.Site, new(query.Cache))
	result, err := query.Ask(ctx, v, question.Body, query.Options{Now: q.engine.SiteNow(question.Site, question.Wall),
		Threads: runtime.GOMAXPROCS(0), Cache: cache.(*query.Cache), Clock: q.clock})
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
