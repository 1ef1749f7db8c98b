package identity

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/readership/readership/internal/event"
)

// Config is what Tokens stand on.
type Config struct {
	// Sites are those whose key sets are kept. Of an id the same pointer is
	// returned until the settings change.
	Sites func() []*event.Site
	Fetch Fetch
	Now   func() time.Time
	// Logger is told of key sets that cannot be fetched. nil: none.
	Logger *slog.Logger
}

// Tokens verifies the tokens of every site. Verify answers from memory; Run
// keeps the key sets up to date. Safe for concurrent use.
type Tokens struct {
	cfg  Config
	wake chan struct{} // a key set is wanted sooner

	mu        sync.Mutex // over changes of what follows
	verifiers atomic.Pointer[map[*event.Site]*cached]
	sets      atomic.Pointer[map[string]*set]
}

// set is the place of a key set.
type set struct {
	url    string
	now    atomic.Pointer[keySet] // nil: not fetched yet
	wanted atomic.Bool            // a token named a key that is not in it
}

// cached is a verifier with what it verified lately.
type cached struct {
	*verifier
	seed   maphash.Seed
	recent [16]recent
}

// recent remembers tokens that were verified, by their text: up to two times
// recentTokens, the ones that were asked for last.
type recent struct {
	mu       sync.Mutex
	keys     *keySet // they were verified with; others make them unknown
	new, old map[string]*Token
}

const recentTokens = 2048

// NewTokens returns a Tokens without keys; call Run.
func NewTokens(cfg Config) *Tokens {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Tokens{cfg: cfg, wake: make(chan struct{}, 1)}
	t.verifiers.Store(&map[*event.Site]*cached{})
	t.sets.Store(&map[string]*set{})
	return t
}

// Header reads a request's headers.
type Header interface {
	// Get returns the value of a header, "" if the request has none.
	Get(name string) string
}

// Verify returns what the token of a request proves under a site's settings.
// The token stands in the site's header, with or without "Bearer ", else in its
// cookie.
func (t *Tokens) Verify(site *event.Site, header Header) *Token {
	id := &site.Identity
	if id.Header == "" && id.Cookie == "" {
		return none
	}
	raw := ""
	if id.Header != "" {
		raw = strings.TrimSpace(header.Get(id.Header))
		if scheme, rest, ok := strings.Cut(raw, " "); ok && strings.EqualFold(scheme, "Bearer") {
			raw = strings.TrimSpace(rest)
		}
	}
	if raw == "" && id.Cookie != "" {
		raw = cookieOf(header.Get("Cookie"), id.Cookie)
	}
	if raw == "" {
		return none
	}
	v := t.verifierOf(site)
	if len(v.algorithms) == 0 {
		return invalid
	}
	now := t.cfg.Now()
	place, keys := t.keysOf(v)
	bucket := &v.recent[maphash.String(v.seed, raw)%uint64(len(v.recent))]
	if known := bucket.find(raw, keys); known != nil {
		return known.at(now)
	}
	token, err := v.verify(raw, keys.current(now), now)
	if err != nil {
		if place != nil && errors.Is(err, errUnknownKey) && !place.wanted.Swap(true) {
			t.hurry()
		}
		return invalid
	}
	if token.Status == Valid {
		bucket.add(strings.Clone(raw), keys, token)
	}
	return token
}

var (
	none    = &Token{}
	invalid = &Token{Status: Invalid}
)

// cookieOf finds a cookie in a Cookie header.
func cookieOf(header, name string) string {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// find returns a token that was verified with these keys.
func (r *recent) find(raw string, keys *keySet) *Token {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys != keys {
		r.keys, r.new, r.old = keys, nil, nil
		return nil
	}
	if token := r.new[raw]; token != nil {
		return token
	}
	token := r.old[raw]
	if token != nil {
		r.put(raw, token)
	}
	return token
}

func (r *recent) add(raw string, keys *keySet, token *Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == keys {
		r.put(raw, token)
	}
}

func (r *recent) put(raw string, token *Token) {
	if r.new == nil || len(r.new) >= recentTokens/len(cached{}.recent) {
		r.new, r.old = map[string]*Token{}, r.new
	}
	r.new[raw] = token
}

// verifierOf returns the verifier of a site's settings.
func (t *Tokens) verifierOf(site *event.Site) *cached {
	if v := (*t.verifiers.Load())[site]; v != nil {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.verifiers.Load()
	if v := old[site]; v != nil {
		return v
	}
	next := map[*event.Site]*cached{}
	for s, v := range old {
		if s.ID != site.ID { // settings that were replaced
			next[s] = v
		}
	}
	v := &cached{verifier: newVerifier(site.Identity), seed: maphash.MakeSeed()}
	next[site] = v
	t.verifiers.Store(&next)
	return v
}

// keysOf returns the key set of a verifier, nil while there is none.
func (t *Tokens) keysOf(v *cached) (*set, *keySet) {
	url := v.identity.JWKSURL
	if url == "" {
		return nil, nil
	}
	s := (*t.sets.Load())[url]
	if s == nil {
		t.hurry() // the site is new
		return nil, nil
	}
	return s, s.now.Load()
}

// hurry wakes Run.
func (t *Tokens) hurry() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run fetches key sets when they are due, until ctx ends.
func (t *Tokens) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-t.wake:
		}
		t.meetSites()
		t.fetchDue(ctx)
		timer.Reset(t.pause())
	}
}

// meetSites makes places for the key sets that sites name, and drops what no
// site needs any more.
func (t *Tokens) meetSites() {
	t.mu.Lock()
	defer t.mu.Unlock()
	sites := t.cfg.Sites()
	verifiers := map[*event.Site]*cached{}
	for site, v := range *t.verifiers.Load() {
		if slices.Contains(sites, site) {
			verifiers[site] = v
		}
	}
	t.verifiers.Store(&verifiers)
	old, next := *t.sets.Load(), map[string]*set{}
	for _, site := range sites {
		url := site.Identity.JWKSURL
		if url == "" || next[url] != nil || len(next) == maxKeySets {
			continue
		}
		if next[url] = old[url]; next[url] == nil {
			next[url] = &set{url: url}
		}
	}
	t.sets.Store(&next)
}

// due says when a key set is fetched next.
func (s *set) due() time.Time {
	k := s.now.Load()
	switch {
	case k == nil:
		return time.Time{}
	case k.failures == 0 && s.wanted.Load():
		return k.fetched.Add(refreshSoon)
	}
	return k.next
}

func (t *Tokens) fetchDue(ctx context.Context) {
	now := t.cfg.Now()
	var group errgroup.Group
	group.SetLimit(fetchesAtOnce)
	for _, s := range *t.sets.Load() {
		if s.due().After(now) {
			continue
		}
		group.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, fetchTime)
			defer cancel()
			s.wanted.Store(false)
			body, err := t.cfg.Fetch(limited, s.url)
			if ctx.Err() != nil {
				return nil
			}
			k := s.now.Load().after(body, err, t.cfg.Now())
			s.now.Store(k)
			if k.err != nil {
				t.cfg.Logger.Warn("key set cannot be fetched", "url", s.url, "failures", k.failures, "again", k.next, "error", k.err)
			}
			return nil
		})
	}
	_ = group.Wait() // failures are kept in the sets
}

// pause returns how long Run waits: until the next key set is due, a minute at
// most, since sites come and go.
func (t *Tokens) pause() time.Duration {
	now, wait := t.cfg.Now(), time.Minute
	for _, s := range *t.sets.Load() {
		wait = min(wait, s.due().Sub(now))
	}
	return max(wait, 10*time.Millisecond)
}

// KeySet is how it stands with the keys behind an address.
type KeySet struct {
	URL      string
	Sites    []string // that name it
	Keys     int      // that hold now
	Fetched  time.Time
	Failures int // since then
	Err      error
}

// KeySets returns the key sets in use, by address.
func (t *Tokens) KeySets() []KeySet {
	now := t.cfg.Now()
	byURL := map[string][]string{}
	for _, site := range t.cfg.Sites() {
		if url := site.Identity.JWKSURL; url != "" {
			byURL[url] = append(byURL[url], site.ID)
		}
	}
	var out []KeySet
	for url, sites := range byURL {
		k := KeySet{URL: url, Sites: sites}
		if s := (*t.sets.Load())[url]; s != nil {
			if set := s.now.Load(); set != nil {
				k.Keys, k.Fetched, k.Failures, k.Err = len(set.current(now)), set.fetched, set.failures, set.err
			}
		}
		slices.Sort(k.Sites)
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b KeySet) int { return strings.Compare(a.URL, b.URL) })
	return out
}

// Warnings says what an operator should know of the sites' tokens.
func (t *Tokens) Warnings() []string {
	var out []string
	for _, k := range t.KeySets() {
		sites := strings.Join(k.Sites, ", ")
		switch {
		case k.Failures > 0 && k.Keys == 0:
			out = append(out, fmt.Sprintf("readers of %s are anonymous: the key set at %s cannot be fetched: %v", sites, k.URL, k.Err))
		case k.Failures > 0:
			out = append(out, fmt.Sprintf("the key set of %s at %s cannot be fetched since %s, the keys from then hold for a day: %v",
				sites, k.URL, k.Fetched.UTC().Format(time.RFC3339), k.Err))
		}
	}
	for _, site := range t.cfg.Sites() {
		if s := site.Identity.Secret; s != nil && *s != "" && len(*s) < 32 {
			out = append(out, fmt.Sprintf("the secret of site %q has %d bytes: HS256 asks for 32, shorter ones can be guessed", site.ID, len(*s)))
		}
	}
	return out
}
