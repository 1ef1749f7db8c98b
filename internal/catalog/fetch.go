package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/html/charset"

	"github.com/readership/readership/internal/event"
)

// Bounds of fetching.
const (
	maxPage      = 2 << 20          // bytes of a page, decompressed
	maxWaiting   = 256              // hints of a site; further ones are dropped, the next view of the page hints again
	maxFetches   = 4                // at once
	maxRedirects = 5                // of one fetch
	fetchTime    = 10 * time.Second // for all of a page
	pause        = 500 * time.Millisecond
	again        = time.Hour // a page is looked at again when it is viewed after that, to the minute
)

// Config is what a Fetcher stands on. All but Networks and Logger is needed.
type Config struct {
	Site func(id string) (*event.Site, bool)
	Item func(site, id string) (*event.Item, bool)
	// ByAddress finds the entry that claims an address, Address makes one of a URL.
	ByAddress func(site, address string) (id string, ok bool)
	Address   func(site *event.Site, page string) string
	Write     func(ctx context.Context, facts ...event.Fact) error
	// Networks are the addresses that pages may be fetched from though they are not
	// public, and at any port.
	Networks []netip.Prefix
	Agent    string       // the User-Agent
	Logger   *slog.Logger // nil: none
}

// Fetcher fetches pages that were viewed and keeps what they say. Life: New, Run.
// Safe for concurrent use.
type Fetcher struct {
	cfg       Config
	seed      maphash.Seed
	transport *http.Transport
	slots     chan struct{} // one for each fetch

	seen seen // pages that were hinted at; who adds one holds mu

	mu      sync.Mutex
	ctx     context.Context // of Run; nil: hints are not taken
	lanes   map[string]*lane
	running sync.WaitGroup

	fetched, failed, dropped atomic.Uint64
	waiting                  atomic.Int64
}

// lane is the queue of a site, with a goroutine while it is not empty.
type lane struct{ waiting []string }

// New makes a fetcher.
func New(cfg Config) *Fetcher {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fetcher{cfg: cfg, seed: maphash.MakeSeed(), slots: make(chan struct{}, maxFetches), lanes: map[string]*lane{}}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: f.mayDial}
	f.transport = &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: fetchTime,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 1, IdleConnTimeout: 10 * time.Second, ForceAttemptHTTP2: true}
	return f
}

// Run takes hints until ctx ends, and returns when the last fetch has.
func (f *Fetcher) Run(ctx context.Context) {
	f.mu.Lock()
	f.ctx = ctx
	f.mu.Unlock()
	<-ctx.Done()
	f.mu.Lock()
	f.ctx = nil
	f.mu.Unlock()
	f.running.Wait()
	f.transport.CloseIdleConnections()
}

// Figures are what a Fetcher counts since it was made, and how many pages wait now.
type Figures struct {
	Fetched uint64 // pages that were read, whether they changed their entry or not
	Failed  uint64 // pages that could not be, and entries that could not be written
	Dropped uint64 // hints that found no room
	Waiting int64
}

// Figures returns what the fetcher counts.
func (f *Fetcher) Figures() Figures {
	return Figures{f.fetched.Load(), f.failed.Load(), f.dropped.Load(), f.waiting.Load()}
}

// Hint says that a page, whose item has the address, was viewed at a time, Unix
// milliseconds. It does not wait, keeps nothing of its texts, and takes no lock for
// a page that was looked at lately.
func (f *Fetcher) Hint(site *event.Site, page, address string, at int64) {
	if len(site.Domains) == 0 {
		return // any page could claim to be the site's
	}
	key := maphash.String(f.seed, address) ^ 31*maphash.String(f.seed, site.ID)
	if !f.seen.lately(key, at) {
		f.add(site, page, key, at)
	}
}

// add puts a page into its site's queue.
func (f *Fetcher) add(site *event.Site, page string, key uint64, at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx == nil || f.seen.lately(key, at) {
		return
	}
	l := f.lanes[site.ID]
	if l == nil {
		l = &lane{}
		id := strings.Clone(site.ID)
		f.lanes[id] = l
		f.running.Add(1)
		go f.work(f.ctx, id, l)
	}
	if len(l.waiting) == maxWaiting {
		f.dropped.Add(1)
		return
	}
	f.seen.remember(key, at+again.Milliseconds())
	l.waiting = append(l.waiting, strings.Clone(page))
	f.waiting.Add(1)
}

// work fetches the pages of a site, one after the other.
func (f *Fetcher) work(ctx context.Context, site string, l *lane) {
	defer f.running.Done()
	for {
		f.mu.Lock()
		if len(l.waiting) == 0 || ctx.Err() != nil {
			f.waiting.Add(-int64(len(l.waiting)))
			delete(f.lanes, site)
			f.mu.Unlock()
			return
		}
		page := l.waiting[0]
		l.waiting = l.waiting[1:]
		f.waiting.Add(-1)
		f.mu.Unlock()
		select {
		case f.slots <- struct{}{}:
			if err := f.look(ctx, site, page); err != nil {
				f.failed.Add(1)
				f.cfg.Logger.Debug("a page could not be looked at", "site", site, "page", page, "error", err)
			} else {
				f.fetched.Add(1)
			}
			<-f.slots
		case <-ctx.Done():
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// look fetches a page and writes its entry.
func (f *Fetcher) look(ctx context.Context, id, page string) error {
	site, ok := f.cfg.Site(id)
	if !ok {
		return nil
	}
	at, err := place(site, page)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	found, at, err := f.fetch(ctx, site, at)
	if err != nil || found == nil {
		return err
	}
	item := f.entry(site, at, found)
	if item == nil {
		return nil
	}
	value, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("encode item %s: %w", item.ID, err)
	}
	return f.cfg.Write(ctx, event.Fact{Kind: event.FactItem, Site: site.ID, Key: item.ID, Value: value})
}

// errElsewhere says that an address is not the site's to speak of.
var errElsewhere = errors.New("is none of the site's pages")

// place makes the address to fetch of what a browser named: without what tells
// readers apart.
func place(site *event.Site, page string) (*url.URL, error) {
	at, err := url.Parse(page)
	if err != nil {
		return nil, fmt.Errorf("address of a page: %w", err)
	}
	if !owns(site, at) {
		return nil, errElsewhere
	}
	query := url.Values{}
	for _, name := range site.IDParams {
		if values := at.Query()[name]; len(values) > 0 {
			query[name] = values[:1]
		}
	}
	return &url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path, RawPath: at.RawPath, RawQuery: query.Encode()}, nil
}

// owns says whether an address is on one of the site's domains, or below one.
func owns(site *event.Site, at *url.URL) bool {
	if at.Scheme != "http" && at.Scheme != "https" {
		return false
	}
	host := strings.ToLower(at.Hostname())
	return host != "" && slices.ContainsFunc(site.Domains, func(domain string) bool {
		rest, ok := strings.CutSuffix(host, strings.ToLower(domain))
		return ok && domain != "" && (rest == "" || strings.HasSuffix(rest, "."))
	})
}

// fetch reads a page; found is nil if it shows no article. It returns where the page
// was in the end.
func (f *Fetcher) fetch(ctx context.Context, site *event.Site, at *url.URL) (found *Page, end *url.URL, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("User-Agent", f.cfg.Agent)
	request.Header.Set("Accept", "text/html, application/xhtml+xml")
	client := &http.Client{Transport: f.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		if !owns(site, next.URL) {
			return errElsewhere
		}
		return nil
	}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	kind := answer.Header.Get("Content-Type")
	media, _, _ := mime.ParseMediaType(kind)
	if answer.StatusCode != http.StatusOK || media != "text/html" && media != "application/xhtml+xml" {
		return nil, nil, fmt.Errorf("the page is %s, %s", answer.Status, media)
	}
	text, err := charset.NewReader(io.LimitReader(answer.Body, maxPage), kind)
	if err != nil {
		return nil, nil, fmt.Errorf("read page: %w", err)
	}
	page, ok, err := Read(text)
	if err != nil || !ok {
		return nil, nil, err
	}
	return page, answer.Request.URL, nil
}

// entry makes the entry of a page; nil if there is nothing to write: it is kept by
// hand, or says the same already. One that somebody writes by hand meanwhile stays
// all the same: the engine takes no entry of a page in its place.
func (f *Fetcher) entry(site *event.Site, at *url.URL, page *Page) *event.Item {
	if canonical, err := at.Parse(page.Canonical); err == nil && page.Canonical != "" && owns(site, canonical) && len(canonical.String()) <= event.MaxURLBytes {
		canonical.Fragment, canonical.User = "", nil
		at = canonical
	}
	address := f.cfg.Address(site, at.String())
	id := page.ID
	if owner, ok := f.cfg.ByAddress(site.ID, address); ok {
		id = owner
	} else if id == "" {
		id = address
	}
	before, known := f.cfg.Item(site.ID, id)
	if id == "" || known && before.Source != event.SourcePage {
		return nil
	}
	item := &event.Item{ID: id, URL: at.String(), Kind: "article", Title: page.Title, Section: page.Section, Tags: page.Tags, Authors: page.Authors, Tier: page.Tier,
		PublishedAt: page.PublishedAt, UpdatedAt: page.UpdatedAt, Language: page.Language, Source: event.SourcePage}
	if image, err := at.Parse(page.Image); err == nil && page.Image != "" && strings.HasPrefix(image.Scheme, "http") && len(image.String()) <= event.MaxURLBytes {
		item.Image = image.String()
	}
	if known && reflect.DeepEqual(before, item) {
		return nil
	}
	return item
}

// mayDial refuses addresses that are not public, whatever name led to them, unless
// the operator has named their network.
func (f *Fetcher) mayDial(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(f.cfg.Networks, func(n netip.Prefix) bool { return n.Contains(ip) }) {
		return nil
	}
	if !public(ip) {
		return fmt.Errorf("%s is no public address", ip)
	}
	if at.Port() != 80 && at.Port() != 443 {
		return fmt.Errorf("port %d is none of the web's", at.Port())
	}
	return nil
}

// reserved are the networks that are nobody's public address, beside those that
// netip knows.
var reserved = func() (list []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "5f00::/16", "fec0::/10"} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}()

func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(reserved, func(n netip.Prefix) bool { return n.Contains(ip) })
}
