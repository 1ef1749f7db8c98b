package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// SiteSettings is what can be set on a site.
type SiteSettings struct {
	Name           string        `json:"name,omitempty" maxLength:"200" doc:"For people; the id if absent"`
	Domains        []string      `json:"domains,omitempty" maxItems:"100" doc:"Hosts of the site's pages; hosts below them count too" example:"[\"news.example\"]"`
	Aliases        []string      `json:"aliases,omitempty" maxItems:"100" doc:"Further names: hosts that serve the same pages, and what foreign trackers call the site (idsite, aid, website, measurement id)"`
	Timezone       string        `json:"timezone,omitempty" maxLength:"64" doc:"IANA name; UTC if absent" example:"America/Sao_Paulo"`
	Window         string        `json:"window,omitempty" maxLength:"16" doc:"How long rows stay in memory, 1d to 400d; 30d if absent" example:"30d"`
	Clock          string        `json:"clock,omitempty" enum:"wall,event" doc:"event for replays of old logs: now is the latest event time. Set when the site is made; wall if absent"`
	WeekStart      string        `json:"week_start,omitempty" enum:"monday,tuesday,wednesday,thursday,friday,saturday,sunday" doc:"monday if absent"`
	Currency       string        `json:"currency,omitempty" pattern:"^[A-Z]{3}$" patternDescription:"three capital letters" doc:"ISO 4217; EUR if absent"`
	IDParams       []string      `json:"id_params,omitempty" maxItems:"20" doc:"Query parameters that belong to a page's address"`
	TrustedProxies []string      `json:"trusted_proxies,omitempty" maxItems:"100" doc:"Addresses or networks whose X-Forwarded-For is believed"`
	Identity       *SiteIdentity `json:"identity,omitempty" doc:"How a reader proves an account"`
	Privacy        *SitePrivacy  `json:"privacy,omitempty" doc:"What happens without consent, and what is kept"`
	Channels       []SiteChannel `json:"channels,omitempty" doc:"Rules that stand before the default ones, in their order"`
}

// SiteInput is a new site.
type SiteInput struct {
	ID string `json:"id" pattern:"^[a-z0-9-]{1,63}$" patternDescription:"1 to 63 of a-z, 0-9 and -" example:"news"`
	SiteSettings
}

// SitePatch changes settings; null puts one back to its default.
type SitePatch struct {
	SiteSettings
}

// SiteIdentity says how a reader proves an account.
type SiteIdentity struct {
	Cookie            string  `json:"cookie,omitempty" maxLength:"100"`
	Header            string  `json:"header,omitempty" maxLength:"100"`
	JWKSURL           string  `json:"jwks_url,omitempty" maxLength:"2048"`
	Secret            *string `json:"secret,omitempty" maxLength:"1024" writeOnly:"true" doc:"For HS256; never answered"`
	Issuer            string  `json:"issuer,omitempty" maxLength:"512"`
	Audience          string  `json:"audience,omitempty" maxLength:"512"`
	AccountClaim      string  `json:"account_claim,omitempty" maxLength:"100"`
	EntitlementsClaim string  `json:"entitlements_claim,omitempty" maxLength:"100"`
	WithoutCookie     string  `json:"without_cookie,omitempty" enum:"new,daily" doc:"A reader without a valid cookie is a new one (default), or new ones of an address and user agent share a meter of the day"`
}

// SitePrivacy says what happens without consent and how much is kept.
type SitePrivacy struct {
	WithoutConsent string `json:"without_consent,omitempty" enum:"cookieless,drop,assume"`
	IP             string `json:"ip,omitempty" enum:"truncated,none,full"`
	Retention      string `json:"retention,omitempty" maxLength:"16" doc:"A duration, or months" example:"25mo"`
}

// SiteChannel gives a channel to the page views that meet all its conditions,
// each by any of its values.
type SiteChannel struct {
	Channel      string   `json:"channel" example:"partner" doc:"1 to 32 of a-z, 0-9 and _"`
	ReferrerKind []string `json:"referrer_kind,omitempty" doc:"none, internal, search, social, ai_assistant, email, paid, other"`
	ReferrerHost []string `json:"referrer_host,omitempty" doc:"Hosts; those below them count too"`
	UTMSource    []string `json:"utm_source,omitempty" doc:"Texts, in any case; * at the start or end stands for any"`
	UTMMedium    []string `json:"utm_medium,omitempty"`
	UTMCampaign  []string `json:"utm_campaign,omitempty"`
	ClickID      []string `json:"click_id,omitempty" doc:"Parameters of the page's address" example:"[\"gclid\"]"`
}

// Site is a site as it is answered.
type Site struct {
	ID             string        `json:"id"`
	Name           string        `json:"name"`
	Domains        []string      `json:"domains"`
	Aliases        []string      `json:"aliases"`
	Timezone       string        `json:"timezone"`
	Window         string        `json:"window"`
	Clock          string        `json:"clock" enum:"wall,event"`
	WeekStart      string        `json:"week_start"`
	Currency       string        `json:"currency"`
	IDParams       []string      `json:"id_params"`
	TrustedProxies []string      `json:"trusted_proxies"`
	Identity       SiteIdentity  `json:"identity"`
	Privacy        SitePrivacy   `json:"privacy"`
	Channels       []SiteChannel `json:"channels"`
	Now            time.Time     `json:"now" doc:"The site's now: by its clock"`
}

// NewSite is a site just made, with its first write key.
type NewSite struct {
	Site
	WriteKey string `json:"write_key" doc:"Stands in the site's pages; proves nothing" example:"wk_…"`
}

// SiteList is a page of sites.
type SiteList struct {
	Sites  []Site `json:"sites"`
	Cursor string `json:"cursor,omitempty" doc:"Asks for the next page; absent at the end"`
}

type siteOutput struct {
	ETag string `header:"ETag"`
	Body Site
}

func (a *API) registerSites() {
	register(a, with(huma.Operation{
		OperationID: "create-site", Method: http.MethodPost, Path: "/v1/sites", DefaultStatus: http.StatusCreated,
		Summary: "Create a site", Tags: []string{"Sites"}, Errors: problems(409, 413, 415, 422),
	}, rule{scope: auth.SitesRead | auth.SitesWrite, idempotent: true}), a.createSite)
	register(a, with(huma.Operation{
		OperationID: "list-sites", Method: http.MethodGet, Path: "/v1/sites",
		Summary: "List the sites the key is for", Tags: []string{"Sites"}, Errors: problems(422),
	}, rule{scope: auth.SitesRead}), a.listSites)
	register(a, with(huma.Operation{
		OperationID: "get-site", Method: http.MethodGet, Path: "/v1/sites/{site}",
		Summary: "Read a site", Tags: []string{"Sites"}, Errors: problems(404),
	}, rule{scope: auth.SitesRead}), a.getSite)
	register(a, with(huma.Operation{
		OperationID: "update-site", Method: http.MethodPatch, Path: "/v1/sites/{site}", SkipValidateBody: true,
		Summary: "Change settings of a site (RFC 7396)", Tags: []string{"Sites"}, Errors: problems(404, 412, 413, 415, 422),
	}, rule{scope: auth.SitesRead | auth.SitesWrite, accepts: []string{mediaMerge, mediaJSON}}), a.updateSite)
	a.describeBody("/v1/sites/{site}", http.MethodPatch, mediaMerge, schemaOf[SitePatch](a), mediaMerge, mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "delete-site", Method: http.MethodDelete, Path: "/v1/sites/{site}",
		Summary: "Delete a site with its keys and views", Tags: []string{"Sites"}, Errors: problems(404, 412),
		Description: "Its rows cannot be asked for any more at once; the log forgets them as its days are dropped.",
	}, rule{scope: auth.SitesRead | auth.SitesWrite}), a.deleteSite)
}

// site answers a site's settings.
func (a *API) site(s *event.Site) Site {
	identity := SiteIdentity(s.Identity)
	identity.Secret = nil
	return Site{
		ID: s.ID, Name: s.Name, Domains: filled(s.Domains), Aliases: filled(s.Aliases), Timezone: s.Timezone,
		Window: s.Window, Clock: s.Clock, WeekStart: s.WeekStart, Currency: s.Currency, IDParams: filled(s.IDParams),
		TrustedProxies: filled(s.TrustedProxies), Identity: identity, Privacy: SitePrivacy(s.Privacy),
		Channels: mapped(s.Channels, func(r event.ChannelRule) SiteChannel { return SiteChannel(r) }),
		Now:      stamp(a.Engine.SiteNow(s.ID, a.Now().UnixMilli())),
	}
}

func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// settings returns what of a site can be changed.
func settings(s *event.Site) SitePatch {
	identity, privacy := SiteIdentity(s.Identity), SitePrivacy(s.Privacy)
	return SitePatch{SiteSettings{Name: s.Name, Domains: s.Domains, Aliases: s.Aliases, Timezone: s.Timezone,
		Window: s.Window, Clock: s.Clock, WeekStart: s.WeekStart, Currency: s.Currency, IDParams: s.IDParams,
		TrustedProxies: s.TrustedProxies, Identity: &identity, Privacy: &privacy,
		Channels: mapped(s.Channels, func(r event.ChannelRule) SiteChannel { return SiteChannel(r) })}}
}

// mapped applies fn to a list; of none it makes an empty one.
func mapped[A, B any](list []A, fn func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = fn(a)
	}
	return out
}

// fact makes the settings of a site as they are stored.
func (s SiteSettings) fact(id string) event.Site {
	site := event.Site{ID: id, Name: s.Name, Domains: lowered(s.Domains), Aliases: lowered(s.Aliases), Timezone: s.Timezone,
		Window: s.Window, Clock: s.Clock, WeekStart: s.WeekStart, Currency: s.Currency, IDParams: s.IDParams,
		TrustedProxies: s.TrustedProxies,
		Channels:       mapped(s.Channels, func(r SiteChannel) event.ChannelRule { return event.ChannelRule(r) })}
	if s.Identity != nil {
		site.Identity = event.Identity(*s.Identity)
	}
	if s.Privacy != nil {
		site.Privacy = event.Privacy(*s.Privacy)
	}
	return site.WithDefaults()
}

func lowered(hosts []string) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = strings.ToLower(h)
	}
	return out
}

var (
	hostPattern  = regexp.MustCompile(`^(?i)[\pL\pN]([\pL\pN_-]*[\pL\pN])?(\.[\pL\pN]([\pL\pN_-]*[\pL\pN])?)*(:\d{1,5})?$`)
	tokenPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110, section 5.6.2
	monthPattern = regexp.MustCompile(`^[1-9]\d{0,3}mo$`)
)

// Bounds of a site's window.
const (
	minWindow = 24 * time.Hour
	maxWindow = 400 * 24 * time.Hour
)

// Resolve implements huma.ResolverWithPath: the rules beyond the schema.
func (s *SiteSettings) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	s.check(f)
	return f.errors()
}

func (s *SitePatch) check(f *faults) { s.SiteSettings.check(f) }

func (s *SiteSettings) check(f *faults) {
	hosts := func(field string, list []string) {
		for i, h := range list {
			if len(h) > 253 || !hostPattern.MatchString(h) {
				f.add(index(field, i), "bad_value", "is not a host name; leave scheme and path out", h)
			}
		}
	}
	hosts("domains", s.Domains)
	hosts("aliases", s.Aliases)
	if s.Timezone != "" {
		if _, err := time.LoadLocation(s.Timezone); err != nil || s.Timezone == "Local" {
			f.add("timezone", "bad_value", "is not an IANA time zone, such as Europe/Berlin", s.Timezone)
		}
	}
	if s.Window != "" {
		if d, err := event.ParseDuration(s.Window); err != nil {
			f.add("window", "bad_value", err.Error(), s.Window)
		} else if d < minWindow || d > maxWindow {
			f.add("window", "bad_value", "is not between 1d and 400d", s.Window)
		}
	}
	for i, p := range s.IDParams {
		if p == "" || len(p) > 64 {
			f.add(index("id_params", i), "bad_value", "has 1 to 64 characters", p)
		}
	}
	for i, p := range s.TrustedProxies {
		_, errAddress := netip.ParseAddr(p)
		_, errNetwork := netip.ParsePrefix(p)
		if errAddress != nil && errNetwork != nil {
			f.add(index("trusted_proxies", i), "bad_value", "is neither an IP address nor a network such as 10.0.0.0/8", p)
		}
	}
	for _, fault := range enrich.CheckRules(mapped(s.Channels, func(r SiteChannel) enrich.Rule { return enrich.Rule(r) })) {
		f.add("channels"+fault.At, "bad_value", fault.Message, nil)
	}
	if s.Identity != nil && s.Identity.JWKSURL != "" {
		if u, err := url.Parse(s.Identity.JWKSURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			f.add("identity.jwks_url", "bad_value", "is not an http address", s.Identity.JWKSURL)
		}
	}
	if s.Identity != nil {
		for _, name := range []struct{ field, text string }{{"identity.header", s.Identity.Header}, {"identity.cookie", s.Identity.Cookie}} {
			if name.text != "" && !tokenPattern.MatchString(name.text) {
				f.add(name.field, "bad_value", "is not the name of one", name.text)
			}
		}
		if strings.EqualFold(s.Identity.Header, "Authorization") {
			f.add("identity.header", "bad_value", "carries our own keys; choose another", s.Identity.Header)
		}
	}
	if s.Privacy != nil && s.Privacy.Retention != "" && !monthPattern.MatchString(s.Privacy.Retention) {
		if _, err := event.ParseDuration(s.Privacy.Retention); err != nil {
			f.add("privacy.retention", "bad_value", "is neither a duration such as 90d nor months such as 25mo", s.Privacy.Retention)
		}
	}
}

// storeSite writes a site's settings into the log.
func (a *API) storeSite(ctx context.Context, site event.Site) error {
	value, err := json.Marshal(site)
	if err != nil {
		return err
	}
	return a.commit(ctx, event.Fact{Kind: event.FactSite, Site: site.ID, Key: site.ID, Value: value})
}

type createSiteOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     NewSite
}

func (a *API) createSite(ctx context.Context, in *struct{ Body SiteInput }) (*createSiteOutput, error) {
	c := callOf(ctx)
	if !c.principal.Reaches(in.Body.ID) {
		return nil, problem.Newf(http.StatusForbidden, "this key is not for site %q", in.Body.ID).WithCode("wrong_site")
	}
	site, key, err := a.makeSite(ctx, in.Body)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &createSiteOutput{ETag: etag(site), Location: "/v1/sites/" + site.ID,
		Body: NewSite{Site: a.site(site), WriteKey: key}}, nil
}

// makeSite stores a new site and its first write key. The key comes first: a
// crash in between leaves a key without a site, which the next attempt adds
// to, rather than a site that nothing can be sent to.
func (a *API) makeSite(ctx context.Context, in SiteInput) (*event.Site, string, error) {
	a.siteWrites.Lock()
	defer a.siteWrites.Unlock()
	if _, ok := a.Engine.Site(in.ID); ok {
		return nil, "", problem.Newf(http.StatusConflict, "there is a site %q already", in.ID).WithCode("exists")
	}
	key, err := a.Keys.CreateWriteKey(ctx, in.ID, "")
	if err != nil {
		return nil, "", err
	}
	if err := a.storeSite(ctx, in.fact(in.ID)); err != nil {
		if _, ok := a.Engine.Site(in.ID); !ok {
			_ = a.Keys.DeleteWriteKey(context.WithoutCancel(ctx), in.ID, key.ID) // the commit's error is the one to tell
		}
		return nil, "", err
	}
	site, ok := a.Engine.Site(in.ID)
	if !ok {
		return nil, "", notFound("site", in.ID, nil)
	}
	return site, key.Key, nil
}

func (a *API) listSites(ctx context.Context, in *struct{ Paging }) (*struct{ Body SiteList }, error) {
	c := callOf(ctx)
	var sites []*event.Site
	for _, s := range a.Engine.Sites() {
		if c.principal.Reaches(s.ID) {
			sites = append(sites, s)
		}
	}
	id := func(s *event.Site) string { return s.ID }
	slices.SortFunc(sites, func(x, y *event.Site) int { return strings.Compare(x.ID, y.ID) })
	sites, err := skipTo(in.Paging, sites, id)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body SiteList }{}
	sites, out.Body.Cursor = cut(in.Paging, sites, id)
	out.Body.Sites = make([]Site, len(sites))
	for i, s := range sites {
		out.Body.Sites[i] = a.site(s)
	}
	return out, nil
}

// SitePath is the site of a request; the guard has resolved it.
type SitePath struct {
	Site string `path:"site" doc:"Id of the site" example:"news"`
}

func (a *API) getSite(ctx context.Context, in *struct {
	SitePath
	Unchanged
}) (*siteOutput, error) {
	site := callOf(ctx).site
	tag := etag(site)
	if err := in.Unchanged.check(tag); err != nil {
		return nil, err
	}
	return &siteOutput{ETag: tag, Body: a.site(site)}, nil
}

func (a *API) updateSite(ctx context.Context, in *struct {
	SitePath
	Conditions
	RawBody []byte `contentType:"application/merge-patch+json"`
}) (*siteOutput, error) {
	a.siteWrites.Lock()
	defer a.siteWrites.Unlock()
	current, ok := a.Engine.Site(in.Site)
	if !ok {
		return nil, notFound("site", in.Site, a.siteIDs(callOf(ctx).principal))
	}
	if err := in.Conditions.hold(etag(current)); err != nil {
		return nil, err
	}
	patch, faults, err := patched(a, settings(current), in.RawBody)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	site := patch.fact(current.ID)
	if site.Clock != current.Clock {
		faults = append(faults, problem.Fault{Location: "body.clock", Code: "immutable", Message: "cannot be changed; make another site", Value: site.Clock})
	}
	if len(faults) > 0 {
		return nil, unprocessable(faults...)
	}
	if err := a.storeSite(ctx, site); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &siteOutput{ETag: etag(&site), Body: a.site(&site)}, nil
}

func (a *API) deleteSite(ctx context.Context, in *struct {
	SitePath
	Conditions
}) (*struct{}, error) {
	a.siteWrites.Lock()
	defer a.siteWrites.Unlock()
	current, ok := a.Engine.Site(in.Site)
	if !ok {
		return nil, notFound("site", in.Site, a.siteIDs(callOf(ctx).principal))
	}
	if err := in.Conditions.hold(etag(current)); err != nil {
		return nil, err
	}
	if err := a.commit(ctx, event.Fact{Kind: event.FactSite, Site: in.Site, Key: in.Site}); err != nil {
		return nil, a.failed(ctx, err)
	}
	a.live.forget(in.Site)
	a.Queries.Forget(in.Site)
	a.simulations.Forget(in.Site)
	if err := a.Keys.DeleteWriteKeysOf(ctx, in.Site); err != nil {
		return nil, a.failed(ctx, err)
	}
	if err := a.Store.DeleteViewsOf(ctx, in.Site); err != nil {
		return nil, a.failed(ctx, err)
	}
	return nil, nil
}
