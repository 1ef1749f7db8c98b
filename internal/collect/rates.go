package collect

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/rate"
)

// Rates bound how often requests come: by key, by the address of the reader, and
// for devices how many events. Ten seconds' worth may come at once. 0: no bound.
type Rates struct {
	// Key is requests a second with one key.
	Key int
	// Address is requests a second of one address, behind trusted proxies the
	// reader's, with a write key. Addresses that may speak for many are exempt
	// (Collector.Exempt).
	Address int
	// Device is events a second of one device that is proven or named, with a
	// write key.
	Device int
}

// rateSpan is how long what may come at once would take to come evenly.
const rateSpan = 10 * time.Second

// A long body counts as several requests: as one more for each tokenBytes.
const tokenBytes = 16 << 10

// The kinds of what is limited. They are the ledger's reasons and the metric's
// label.
type limited uint8

const (
	limitedKey limited = iota
	limitedAddress
	limitedDevice
	numLimited
)

var limitedNames = [numLimited]string{"key_rate", "address_rate", "device_rate"}

// rates are the limits at work.
type rates struct {
	key, address, device rate.Rate
	perDevice            string
	buckets              *rate.Buckets
	refused              [numLimited]atomic.Uint64
}

// rateKeys is how many keys, addresses and devices are told apart at once: 1 MB.
const rateKeys = 64 << 10

func newRates(r Rates) *rates {
	return &rates{key: rate.Of(r.Key, rateSpan), address: rate.Of(r.Address, rateSpan), device: rate.Of(r.Device, rateSpan),
		perDevice: "the device sends more than " + strconv.Itoa(r.Device) + " events a second", buckets: rate.New(rateKeys)}
}

// tooOften are the answers to who sends too often. Prepared: a refusal is to cost
// little, and has to cost least where most come.
var tooOften = [...]*problem.Problem{
	limitedKey:     rateProblem("the key is used more often than it may be").Prepare(),
	limitedAddress: rateProblem("your address sends more than it may").Prepare(),
}

func rateProblem(detail string) *problem.Problem {
	return problem.New(http.StatusTooManyRequests, detail).WithCode("rate_limited").WithRetryAfter(time.Second)
}

// Limited says how many requests, of devices events, were refused for coming too
// often, by ledger reason.
func (c *Collector) Limited() map[string]uint64 {
	all := make(map[string]uint64, numLimited)
	for kind, name := range limitedNames {
		all[name] = c.rates.refused[kind].Load()
	}
	return all
}

// limit takes a request's tokens; reason is "" if there were enough. Only then is
// the agent looked at: one that is made to be costly is no way around the limit.
func (x *exchange) limit(r *request) (p *problem.Problem, reason string) {
	l := x.c.rates
	tokens := int64(1)
	if !r.api && x.q.Length > 0 {
		tokens += x.q.Length / tokenBytes
	}
	now := r.received * int64(time.Millisecond)
	kind := limitedKey
	wait, ok := time.Duration(0), true
	if r.key != 0 {
		wait, ok = l.buckets.Take(r.key, l.key, tokens, now)
	}
	if ok && !r.api && !Local(r.address) {
		kind = limitedAddress
		wait, ok = l.buckets.Take(l.addressKey(r.site.ID, r.address), l.address, tokens, now)
		ok = ok || Within(r.site.proxies, r.address)
	}
	if ok {
		if !r.api {
			r.who = x.c.connectionOf(r.site, x.q, r.agent, r.address, r.secure)
		}
		return nil, ""
	}
	l.refused[kind].Add(1)
	p = tooOften[kind]
	if wait > time.Second {
		p = rateProblem(p.Detail).WithRetryAfter(wait)
	}
	return p, limitedNames[kind]
}

// Kinds of keys of buckets.
const (
	bucketKey     = 'k'
	bucketAddress = 'a'
	bucketDevice  = 'd'
	bucketSite    = 's' // beside another: each site has buckets of its own
)

func (l *rates) addressKey(site string, a netip.Addr) uint64 {
	bytes := Network(a).As16()
	return l.buckets.KeyOf(bucketAddress, bytes[:]) ^ l.buckets.Key(bucketSite, site)
}

// hot says whether the device of an event sends more events than it may. The cookieless
// identity is none: readers behind one address may have it in common.
func (l *rates) hot(r *request, ev *event.Event) bool {
	if r.api || r.debug || l.device == (rate.Rate{}) || ev.Flags&event.FlagCookieless != 0 {
		return false
	}
	key := l.buckets.Key(bucketDevice, ev.Device) ^ l.buckets.Key(bucketSite, r.site.ID)
	_, ok := l.buckets.Take(key, l.device, 1, r.received*int64(time.Millisecond))
	if !ok {
		l.refused[limitedDevice].Add(1)
	}
	return !ok
}
