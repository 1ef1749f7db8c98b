package app

import (
	"context"
	"time"

	"github.com/readership/readership/internal/enrich"
)

// geoEvery is how often the file of places is looked at.
const geoEvery = 10 * time.Second

// openEnrich reads what says more of a request than the request does.
func (n *node) openEnrich() {
	n.enrich = enrich.New()
	if n.cfg.Geo == "" {
		return
	}
	geo := enrich.NewGeo(n.cfg.Geo, n.cfg.Logger)
	n.enrich.Geo = geo
	n.background("places", func(ctx context.Context) { geo.Watch(ctx, geoEvery) })
}
