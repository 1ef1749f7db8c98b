package proxy

import (
	"sync"
	"time"

	"github.com/readership/readership/internal/edge/route"
)

// balancer divides the requests of a rule among its origins.
type balancer struct {
	rule    *route.Rule
	members []member // their credit is owned by mu
	plain   bool     // all of them are asked over HTTP/1.1 without TLS

	mu sync.Mutex
}

type member struct {
	origin *origin
	weight int
	credit int
}

func newBalancer(rule *route.Rule, origins map[originKey]*origin) *balancer {
	b := &balancer{rule: rule, plain: true}
	for _, o := range rule.Origins {
		if o.Weight > 0 { // else it is being drained
			m := member{origin: origins[keyOf(rule, o.URL)], weight: o.Weight}
			b.members = append(b.members, m)
			b.plain = b.plain && m.origin.client != nil
		}
	}
	return b
}

// pick returns the origin for the next attempt of a request and its bit in
// tried; nil: there is none that has not been tried. Full ones are passed over,
// and so are those that are not well while others are.
func (b *balancer) pick(tried uint64, now time.Time, room int64) (o *origin, bit uint64) {
	if i := b.next(tried, now, room, false); i >= 0 {
		return b.members[i].origin, 1 << i
	}
	if i := b.next(tried, now, room, true); i >= 0 { // better than no answer at all
		return b.members[i].origin, 1 << i
	}
	return nil, 0
}

// next is smooth weighted round robin, as nginx has it: everybody is credited
// its weight, who has most is taken and pays the sum.
func (b *balancer) next(tried uint64, now time.Time, room int64, anyhow bool) int {
	if len(b.members) == 1 {
		o := b.members[0].origin
		if tried&1 == 0 && o.flying.Load() < room && (anyhow || o.admits(now)) {
			return 0
		}
		return -1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	eligible := uint64(0)
	for i := range b.members {
		o := b.members[i].origin
		if tried&(1<<i) == 0 && o.flying.Load() < room && (anyhow || o.well(now)) {
			eligible |= 1 << i
		}
	}
	for eligible != 0 {
		best, sum := -1, 0
		for i := range b.members {
			m := &b.members[i]
			if eligible&(1<<i) == 0 {
				continue
			}
			sum += m.weight
			if best < 0 || m.credit+m.weight > b.members[best].credit+b.members[best].weight {
				best = i
			}
		}
		if !anyhow && !b.members[best].origin.admits(now) { // somebody else tries it
			eligible &^= 1 << best
			continue
		}
		for i := range b.members {
			if eligible&(1<<i) != 0 {
				b.members[i].credit += b.members[i].weight
			}
		}
		b.members[best].credit -= sum
		return best
	}
	return -1
}

// another says whether an attempt at another origin that is well could be made.
func (b *balancer) another(tried uint64, now time.Time, room int64) bool {
	for i := range b.members {
		if o := b.members[i].origin; tried&(1<<i) == 0 && o.flying.Load() < room && o.well(now) {
			return true
		}
	}
	return false
}
