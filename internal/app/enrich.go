package app

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/enrich"
)

// geoEvery is how often the file of places is looked at.
const geoEvery = 10 * time.Second

// openEnrich reads what says more of a request than the request does.
func (n *node) openEnrich() {
	n.enrich = enrich.New()
	n.enrich.Crawlers = enrich.NewVerifier(enrich.VerifyConfig{Resolver: net.DefaultResolver, Ranges: n.cfg.CrawlerRanges, Now: n.cfg.Now, Logger: n.cfg.Logger})
	n.background("crawlers", n.enrich.Crawlers.Run)
	if n.cfg.Geo == "" {
		return
	}
	geo := enrich.NewGeo(n.cfg.Geo, n.cfg.Logger)
	n.enrich.Geo = geo
	n.background("places", func(ctx context.Context) { geo.Watch(ctx, geoEvery) })
}

// continueVisits tells the collector of the cookieless visits that are open and
// may have begun before midnight.
func (n *node) continueVisits(ctx context.Context) error {
	for _, site := range n.engine.Sites() {
		view, err := n.engine.View(ctx, site.ID, 0)
		if errors.Is(err, engine.ErrUnknownSite) {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return err
		}
		now := n.engine.SiteNow(site.ID, n.cfg.Now().UnixMilli())
		for _, s := range view.Shards {
			eachOpen(s, now-collect.VisitGap.Milliseconds(), n.collector.Continue)
		}
	}
	return nil
}

// eachOpen calls fn with the devices of visits that end at since or later, Unix
// milliseconds, and with their ends, as far as they have come to the last half
// hour of the day on which they began.
func eachOpen(s *engine.ShardView, since int64, fn func(device string, end int64)) {
	for _, chunk := range s.Visits {
		day := int64(chunk.Day) * block.DayMillis
		for i := range chunk.Visits {
			v := &chunk.Visits[i]
			end := day + int64(v.Start) + int64(v.Duration)
			if end < since || !v.Counted() || end < day+block.DayMillis-collect.VisitGap.Milliseconds() {
				continue
			}
			if b := s.ByID[v.Row.Block()]; b != nil && v.Row.Row() < b.N {
				fn(s.Subjects.Name(b.Subject[v.Row.Row()]), end)
			}
		}
	}
}
