package collect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
)

// policy is what a site does without consent.
type policy uint8

const (
	policyCookieless policy = iota
	policyDrop
	policyAssume
)

// siteInfo is a site's settings as requests need them. It is made anew when
// the settings change.
type siteInfo struct {
	*event.Site
	hosts    []string // domains, and aliases that are hosts, in lower case
	proxies  []netip.Prefix
	policy   policy
	channels *enrich.Channels
	secret   []byte

	mu    sync.Mutex // over making salts
	salts atomic.Pointer[[]salt]
}

func newSiteInfo(site *event.Site, secret []byte) *siteInfo {
	s := &siteInfo{Site: site, secret: secret}
	for i, list := range [][]string{site.Domains, site.Aliases} {
		for _, domain := range list {
			if host := strings.ToLower(locate(domain).host); host != "" && (i == 0 || strings.Contains(host, ".")) {
				s.hosts = append(s.hosts, host)
			}
		}
	}
	for _, proxy := range site.TrustedProxies {
		if prefix, err := netip.ParsePrefix(proxy); err == nil {
			s.proxies = append(s.proxies, prefix.Masked())
		} else if address, err := netip.ParseAddr(proxy); err == nil {
			s.proxies = append(s.proxies, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
		}
	}
	rules := make([]enrich.Rule, len(site.Channels))
	for i, r := range site.Channels {
		rules[i] = enrich.Rule(r)
	}
	s.channels = enrich.NewChannels(rules)
	switch site.Privacy.WithoutConsent {
	case "drop":
		s.policy = policyDrop
	case "assume":
		s.policy = policyAssume
	}
	return s
}

// owns says whether host, in lower case, is one of the site's domains or below
// one. A site without domains owns every host.
func (s *siteInfo) owns(host string) bool {
	if len(s.hosts) == 0 {
		return true
	}
	for _, own := range s.hosts {
		if rest, ok := strings.CutSuffix(host, own); ok && (rest == "" || rest[len(rest)-1] == '.') {
			return true
		}
	}
	return false
}

// salt is the key of the cookieless identity on one UTC day.
type salt struct {
	day    int64
	k0, k1 uint64
}

// maxSalts is how many days' salts a site keeps at hand.
const maxSalts = 64

// saltOf returns the salt of a day, in days since 1970. It is derived, not
// stored: HMAC(secret, site, day).
//
// That is as good as a random salt that is thrown away at the end of its day
// towards everybody but who holds the server's secret: without it the salts of
// other days are unpredictable, so hashes of two days cannot be linked. Who
// holds the secret could try addresses and user agents; in exchange every
// edge, restart and late import gives a reader of a day the same identity.
func (s *siteInfo) saltOf(day int64) salt {
	if known := s.salts.Load(); known != nil {
		for _, k := range *known {
			if k.day == day {
				return k
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("cookieless\x00" + s.ID + "\x00" + strconv.FormatInt(day, 10)))
	sum := mac.Sum(nil)
	made := salt{day, binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])}
	salts := []salt{made}
	if known := s.salts.Load(); known != nil {
		salts = append(salts, (*known)[:min(len(*known), maxSalts-1)]...)
	}
	s.salts.Store(&salts)
	return made
}

// siteCache keeps a siteInfo for each site's settings in force.
type siteCache struct {
	mu    sync.Mutex
	infos atomic.Pointer[map[string]*siteInfo]
}

func (c *siteCache) of(site *event.Site, secret []byte) *siteInfo {
	if infos := c.infos.Load(); infos != nil {
		if info := (*infos)[site.ID]; info != nil && info.Site == site {
			return info
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	infos := map[string]*siteInfo{}
	if old := c.infos.Load(); old != nil {
		for id, info := range *old {
			infos[id] = info
		}
	}
	info := newSiteInfo(site, secret)
	infos[site.ID] = info
	c.infos.Store(&infos)
	return info
}
