package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Site is the settings of one site. They are a fact: they change by log
// message, and this struct's JSON is that fact's value.
type Site struct {
	ID             string   `json:"id"`
	Name           string   `json:"name,omitempty"`
	Domains        []string `json:"domains"`
	Aliases        []string `json:"aliases,omitempty"`
	Timezone       string   `json:"timezone"`
	Window         string   `json:"window"`
	Clock          string   `json:"clock"`
	WeekStart      string   `json:"week_start,omitempty"`
	Currency       string   `json:"currency,omitempty"`
	IDParams       []string `json:"id_params,omitempty"`
	TrustedProxies []string `json:"trusted_proxies,omitempty"`
	Identity       Identity `json:"identity"`
	Privacy        Privacy  `json:"privacy"`
	// Channels are rules that stand before the default ones.
	Channels []ChannelRule `json:"channels,omitempty"`
}

// ChannelRule gives a channel to page views by how they were reached; package
// enrich says how.
type ChannelRule struct {
	Channel      string   `json:"channel"`
	ReferrerKind []string `json:"referrer_kind,omitempty"`
	ReferrerHost []string `json:"referrer_host,omitempty"`
	UTMSource    []string `json:"utm_source,omitempty"`
	UTMMedium    []string `json:"utm_medium,omitempty"`
	UTMCampaign  []string `json:"utm_campaign,omitempty"`
	ClickID      []string `json:"click_id,omitempty"`
}

// Identity says how a reader proves an account (see the HTTP contract, Readers),
// and who it is without any proof.
type Identity struct {
	Cookie            string  `json:"cookie,omitempty"`
	Header            string  `json:"header,omitempty"`
	JWKSURL           string  `json:"jwks_url,omitempty"`
	Secret            *string `json:"secret,omitempty"`
	Issuer            string  `json:"issuer,omitempty"`
	Audience          string  `json:"audience,omitempty"`
	AccountClaim      string  `json:"account_claim,omitempty"`
	EntitlementsClaim string  `json:"entitlements_claim,omitempty"`
	WithoutCookie     string  `json:"without_cookie,omitempty"` // new, daily
}

// WithoutCookieDaily holds readers who prove no device to one meter for each
// address and user agent a day, until that lets them be a device of their own.
const WithoutCookieDaily = "daily"

// Privacy says what happens without consent and how much of an address is kept.
type Privacy struct {
	WithoutConsent string `json:"without_consent"` // cookieless, drop, assume
	IP             string `json:"ip"`              // truncated, none, full
	Retention      string `json:"retention"`       // a duration, or months: 25mo
}

// The clocks a site can have.
const (
	ClockWall  = "wall"
	ClockEvent = "event"
)

// WithDefaults returns s with empty settings filled in.
func (s Site) WithDefaults() Site {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&s.Name, s.ID)
	set(&s.Timezone, "UTC")
	set(&s.Window, "30d")
	set(&s.Clock, ClockWall)
	set(&s.WeekStart, "monday")
	set(&s.Currency, "EUR")
	set(&s.Privacy.WithoutConsent, "cookieless")
	set(&s.Privacy.IP, "truncated")
	set(&s.Privacy.Retention, "25mo")
	if s.Domains == nil {
		s.Domains = []string{}
	}
	return s
}

// WindowDuration returns the site's window; 30 days if it cannot be read.
func (s *Site) WindowDuration() time.Duration {
	d, err := ParseDuration(s.Window)
	if err != nil || d <= 0 {
		return 30 * 24 * time.Hour
	}
	return d
}

// ParseDuration reads a whole number with one unit: ms, s, m, h, d (24 h) or
// w (7 d).
func ParseDuration(text string) (time.Duration, error) {
	units := []struct {
		suffix string
		unit   time.Duration
	}{
		{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute},
		{"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour},
	}
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok || digits == "" || digits[len(digits)-1] > '9' {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > int64((1<<63-1)/u.unit) {
			return 0, fmt.Errorf("duration %q is out of range", text)
		}
		return time.Duration(n) * u.unit, nil
	}
	return 0, fmt.Errorf("duration %q is not a whole number with a unit (ms, s, m, h, d, w)", text)
}

// Fact is one thing that outlives the window: a site's settings, an item,
// when readers were first seen. A fact with the same kind, site and key replaces the
// one before; an empty Value removes it.
type Fact struct {
	Kind  string // FactSite, FactItem, …
	Site  string
	Key   string
	Value []byte // JSON; empty removes the fact
}

// Kinds of facts.
const (
	FactSite = "site" // Key = site id, Value = Site
	FactItem = "item" // Key = item id, Value = Item
	FactSkip = "skip" // Key = position of a message whose events are left out, Value = Skip
	FactSeen = "seen" // Value = subjects with their first_seen (engine.AppendSeen)
)

// Skip says why a message of the log is left out. Its JSON is the value of a
// FactSkip.
type Skip struct {
	Cause string `json:"cause"` // what happened when the message was applied
}

// Item is one catalogue entry. Its JSON is the value of a FactItem.
type Item struct {
	ID          string            `json:"id"`
	URL         string            `json:"url,omitempty"`
	Aliases     []string          `json:"aliases,omitempty"`
	Kind        string            `json:"kind,omitempty"`
	Title       string            `json:"title,omitempty"`
	Section     string            `json:"section,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Authors     []string          `json:"authors,omitempty"`
	Tier        string            `json:"tier,omitempty"`
	PublishedAt *time.Time        `json:"published_at,omitempty"`
	UpdatedAt   *time.Time        `json:"updated_at,omitempty"`
	Language    string            `json:"language,omitempty"`
	Image       string            `json:"image,omitempty"`
	Region      string            `json:"region,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	// Source says where an entry comes from that nobody keeps by hand: SourcePage. Such
	// an entry never takes the place of one that is kept by hand, and gives way to one
	// that claims the address which is its id.
	Source string `json:"source,omitempty"`
}

// SourcePage marks the entries that were read from their pages.
const SourcePage = "page"

// Count is one line of the ledger: how many events of a site arrived with a
// verdict and a reason ("" for stored).
type Count struct {
	Site    string
	Verdict string // stored, duplicate, rejected, refused, bot, no_consent, orphan …
	Reason  string
	N       uint64
}
