package enrich

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// crawlerDomains are where the names of an operator's crawlers end, as the
// operators publish them; but for googleusercontent.com, under which Google also
// names the machines that it rents to anybody.
var crawlerDomains = map[string][]string{
	"Google":       {"googlebot.com", "google.com"},
	"Microsoft":    {"search.msn.com"},
	"Apple":        {"applebot.apple.com"},
	"Yandex":       {"yandex.ru", "yandex.net", "yandex.com"},
	"Baidu":        {"baidu.com", "baidu.jp"},
	"Yahoo":        {"crawl.yahoo.net"},
	"Amazon":       {"crawl.amazonbot.amazon"},
	"Huawei":       {"petalsearch.com", "aspiegel.com"},
	"Seznam":       {"seznam.cz"},
	"Naver":        {"naver.com"},
	"Sogou":        {"sogou.com"},
	"Mail.Ru":      {"mail.ru"},
	"Pinterest":    {"pinterest.com"},
	"Mojeek":       {"mojeek.com"},
	"Common Crawl": {"crawl.commoncrawl.org"},
	"Semrush":      {"semrush.com"},
	"Ahrefs":       {"ahrefs.com", "ahrefs.net"},
	"Majestic":     {"mj12bot.com"},
}

// Resolver asks DNS. *net.Resolver is one.
type Resolver interface {
	LookupAddr(ctx context.Context, address string) (names []string, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// How long answers of DNS hold, and bounds of asking it.
const (
	holdsYes     = 24 * time.Hour
	holdsNo      = time.Hour
	holdsFault   = time.Minute // it could not be asked
	holdsPending = 30 * time.Second
	lookupTime   = 5 * time.Second
	maxPending   = 1024
	maxNames     = 8 // of one address
	verifiers    = 4
	cachedProofs = 64 << 10
)

// VerifyConfig is what a Verifier stands on.
type VerifyConfig struct {
	Resolver Resolver
	// Ranges is a folder with the address ranges that operators publish; "" for
	// none. See Ranges.
	Ranges string
	Now    func() time.Time
	Logger *slog.Logger
}

// Verifier says whether a robot is its operator's: by the ranges that the
// operator publishes, or because the name of its address ends as the operator
// says and leads back to the address. It answers at once: until DNS has been
// asked a robot is not verified. Safe for concurrent use. A nil Verifier
// verifies nothing.
type Verifier struct {
	ranges   *Ranges
	resolver Resolver
	now      func() time.Time
	known    *cache[claim, proof]
	queue    chan claim
}

// claim is that an address is an operator's.
type claim struct {
	operator string
	address  netip.Addr
}

type proof struct {
	true bool

	until time.Time // asked again from then on
}

// NewVerifier makes a verifier; Run asks DNS.
func NewVerifier(cfg VerifyConfig) *Verifier {
	return &Verifier{ranges: NewRanges(cfg.Ranges, cfg.Logger), resolver: cfg.Resolver, now: cfg.Now,
		known: newCache[claim, proof](cachedProofs), queue: make(chan claim, maxPending)}
}

// Verified says whether an address is known to be an operator's.
func (v *Verifier) Verified(operator string, address netip.Addr) bool {
	if v == nil || operator == "" || !address.IsValid() {
		return false
	}
	address = address.Unmap().WithZone("")
	if v.ranges.Contain(operator, address) {
		return true
	}
	if _, named := crawlerDomains[operator]; !named {
		return false
	}
	c := claim{operator, address}
	p, ok := v.known.get(c)
	if now := v.now(); !ok || !now.Before(p.until) {
		v.ask(c, p.true && ok, now)
	}
	return p.true
}

// ask lets DNS be asked, unless more is asked than it answers: then the next
// request asks again. What was true holds until the new answer.
func (v *Verifier) ask(c claim, was bool, now time.Time) {
	v.known.put(c, proof{true: was, until: now.Add(holdsPending)})
	select {
	case v.queue <- c:
	default:
		v.known.put(c, proof{true: was, until: now})
	}
}

// Run asks DNS, and looks at the folder of ranges, until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	var running sync.WaitGroup
	for range verifiers {
		running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case c := <-v.queue:
					v.answer(ctx, c)
				}
			}
		})
	}
	running.Go(func() { repeat(ctx, rangesEvery, v.ranges.Refresh) })
	running.Wait()
}

// answer asks DNS about a claim.
func (v *Verifier) answer(ctx context.Context, c claim) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	holds, err := v.prove(ctx, c)
	p := proof{true: holds, until: v.now().Add(holdsNo)}
	switch {
	case holds:
		p.until = v.now().Add(holdsYes)
	case err != nil:
		before, _ := v.known.get(c)
		p = proof{true: before.true, until: v.now().Add(holdsFault)}
	}
	v.known.put(c, p)
}

// prove asks for the names of an address and for the addresses of those that
// end as the operator's do. The error is that DNS could not be asked.
func (v *Verifier) prove(ctx context.Context, c claim) (holds bool, err error) {
	names, err := v.resolver.LookupAddr(ctx, c.address.String())
	if err != nil {
		return false, fault(err)
	}
	for _, name := range names[:min(len(names), maxNames)] {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !below(crawlerDomains[c.operator], name) {
			continue
		}
		addresses, err := v.resolver.LookupNetIP(ctx, "ip", name+".")
		if err = fault(err); err != nil {
			return false, err
		}
		for _, a := range addresses {
			if a.Unmap() == c.address {
				return true, nil
			}
		}
	}
	return false, nil
}

// fault returns err unless it says that there is no such name.
func fault(err error) error {
	var of *net.DNSError
	if errors.As(err, &of) && of.IsNotFound {
		return nil
	}
	return err
}
