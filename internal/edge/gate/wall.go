package gate

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/offer"
	"github.com/readership/readership/internal/edge/proxy"
)

// page makes the page of a reader who is stopped: 402 with the price for a charge,
// 302 where the offer sends readers elsewhere, else 403.
func (g *Gate) page(r *ruling) (*proxy.Page, error) {
	item, _ := g.Engine.Item(r.site.ID, r.asked.Item())
	o, about := g.Offers.Offer(r.site.ID, r.verdict.Offer), offer.Of(r.site, r.url, r.verdict, item)
	p := &proxy.Page{Status: http.StatusForbidden, Header: http.Header{headerCache: {cacheNothing}, headerType: {typeHTML}}}
	charge := r.verdict.Decision == access.Charge
	if charge {
		p.Status = http.StatusPaymentRequired
		p.Header.Set(headerPrice, price(r.verdict))
	}
	to, err := o.Redirect(about)
	if err != nil {
		return nil, fmt.Errorf("offer %s of site %s: %w", r.verdict.Offer, r.site.ID, err)
	}
	if to != "" && !charge {
		p.Status = http.StatusFound
		p.Header = http.Header{headerCache: {cacheNothing}, headerLocation: {to}}
		return p, nil
	}
	var b bytes.Buffer
	if err := o.Write(&b, about); err != nil {
		return nil, fmt.Errorf("offer %s of site %s: %w", r.verdict.Offer, r.site.ID, err)
	}
	p.Body = b.Bytes()
	return p, nil
}
