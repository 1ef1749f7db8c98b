package app

import (
	"context"

	"github.com/readership/readership/internal/catalog"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
)

// openPages starts what fills the catalogue from the sites' own pages.
func (n *node) openPages() {
	n.pages = catalog.New(catalog.Config{
		Site: n.engine.Site, Item: n.engine.Item, ByAddress: n.engine.ItemByAddress, Address: collect.ItemAddress,
		Write: func(ctx context.Context, facts ...event.Fact) error {
			_, err := n.facts.CommitFacts(ctx, facts...)
			return err
		},
		Networks: n.cfg.PageNetworks, Agent: "Readership/" + n.cfg.Version + " (reads its own site's pages)", Logger: n.cfg.Logger,
	})
	n.background("pages", n.pages.Run)
}

// hint is what tells openPages's fetcher which pages are viewed. A sample newspaper
// has none.
func (n *node) hint() func(site *event.Site, page, address string, at int64) {
	if n.cfg.Demo {
		return nil
	}
	return n.pages.Hint
}
