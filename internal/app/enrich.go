package app

import (
	"context"
	"net"
	"time"

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
