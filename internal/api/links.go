package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/problem"
)

// Bounds and defaults of links.
const (
	minLinkTime  = time.Minute
	maxLinkTime  = 400 * 24 * time.Hour
	linkTime     = 14 * 24 * time.Hour
	giftUses     = 10
	linkParam    = "rs"
	codeMissing  = "missing_field"
	codeBadValue = "bad_value"
)

// LinkBody asks for a signed link.
type LinkBody struct {
	Kind      string `json:"kind" enum:"gift,preview,newsletter" doc:"A gift of a reader; an editor's preview; a newsletter's link"`
	Item      string `json:"item" minLength:"1" maxLength:"512" example:"a1"`
	Giver     string `json:"giver,omitempty" maxLength:"600" doc:"Reader who gives it: required of a gift, which counts in the giver's month" example:"account:7"`
	ExpiresIn string `json:"expires_in,omitempty" maxLength:"16" doc:"1m to 400d; 14d if absent" example:"14d"`
	Uses      *int   `json:"uses,omitempty" minimum:"1" maximum:"1000" doc:"By how many readers; of a gift 10 if absent, else without limit"`
}

// Resolve implements huma.ResolverWithPath: the rules beyond the schema.
func (l *LinkBody) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	if _, ok := engine.SubjectName(l.Giver); l.Giver != "" && !ok {
		f.add("giver", codeBadValue, "expected device:ID or account:ID", l.Giver)
	}
	if l.Kind == event.LinkGift && l.Giver == "" {
		f.add("giver", codeMissing, "is required of a gift", nil)
	}
	if len(l.Item) > event.MaxStringBytes {
		f.add("item", "too_long", "has at most 512 bytes", l.Item)
	}
	if l.ExpiresIn != "" {
		if d, err := event.ParseDuration(l.ExpiresIn); err != nil {
			f.add("expires_in", codeBadValue, err.Error(), l.ExpiresIn)
		} else if d < minLinkTime || d > maxLinkTime {
			f.add("expires_in", codeBadValue, "is not between 1m and 400d", l.ExpiresIn)
		}
	}
	return f.errors()
}

// Link is a signed link.
type Link struct {
	URL       string    `json:"url" doc:"The item's address with the token; only the token where the catalogue has no address" example:"https://news.example/a1?rs=TOKEN"`
	Token     string    `json:"token"`
	Kind      string    `json:"kind"`
	Item      string    `json:"item"`
	Giver     string    `json:"giver,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
	Uses      *int      `json:"uses" nullable:"true" doc:"null: without limit"`
	Left      *int      `json:"left,omitempty" doc:"How many gifts of the giver can still be opened this calendar month"`
}

func (a *API) registerLinks() {
	register(a, with(huma.Operation{
		OperationID: "create-link", Method: http.MethodPost, Path: "/v1/sites/{site}/links", DefaultStatus: http.StatusCreated,
		Summary: "Sign a link to one item", Tags: []string{"Readers"}, Errors: problems(404, 413, 415, 422),
		Description: "Rules see a valid link as request.gift, request.preview or request.newsletter. A link is used once by a reader, however often it is opened; " +
			"a giver's gifts are opened by ten readers in a calendar month.",
	}, rule{scope: auth.DecisionsRead | auth.DecisionsWrite, idempotent: true}), a.createLink)
}

func (a *API) createLink(ctx context.Context, in *struct {
	SitePath
	Body LinkBody
}) (*struct{ Body Link }, error) {
	b := &in.Body
	id, err := a.Links.NewID(a.Random)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	now, lasts := a.siteNow(in.Site), linkTime
	if b.ExpiresIn != "" {
		lasts, _ = event.ParseDuration(b.ExpiresIn) // Resolve has read it
	}
	giver := ""
	if name, ok := engine.SubjectName(b.Giver); ok {
		giver = a.Links.Giver(in.Site, engine.ReaderName(name))
	}
	link := identity.Link{ID: id, Kind: b.Kind, Site: in.Site, Item: b.Item, Giver: giver, Expires: (now + lasts.Milliseconds()) / 1000 * 1000}
	switch {
	case b.Uses != nil:
		link.Uses = *b.Uses
	case b.Kind == event.LinkGift:
		link.Uses = giftUses
	}
	token, err := a.Links.Sign(link)
	if err != nil {
		return nil, unprocessable(problem.Fault{Location: "body", Code: "too_long", Message: err.Error()})
	}
	out := Link{URL: linkURL(a.itemURL(callOf(ctx).site, b.Item), token), Token: token, Kind: b.Kind, Item: b.Item, Giver: b.Giver, ExpiresAt: stamp(link.Expires)}
	if link.Uses > 0 {
		out.Uses = &link.Uses
	}
	if b.Kind == event.LinkGift {
		left := a.Engine.Profiles(in.Site).GiftsLeft(giver, b.Kind, now)
		out.Left = &left
	}
	return &struct{ Body Link }{out}, nil
}

// itemURL returns the address of an item, "" if it has none: an item that the
// catalogue does not have may be an address itself, without a scheme.
func (a *API) itemURL(site *event.Site, id string) string {
	if item, ok := a.Engine.Item(site.ID, id); ok {
		return item.URL
	}
	host, _, _ := strings.Cut(id, "/")
	for _, domain := range site.Domains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return "https://" + id
		}
	}
	return ""
}

// linkURL adds a token to an address.
func linkURL(address, token string) string {
	u, err := url.Parse(address)
	if err != nil {
		u = &url.URL{}
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += linkParam + "=" + token
	return u.String()
}
