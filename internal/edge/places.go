package edge

import (
	"net/netip"
	"sync"

	"github.com/readership/readership/internal/collect"
)

// places counts the open connections of a listener, and of each address.
type places struct {
	most, each int                   // connections at once, and of one address
	exempt     func(netip.Addr) bool // from each; nil: none

	mu      sync.Mutex
	open    int                // guarded by mu
	of      map[netip.Addr]int // by network; guarded by mu
	crowded uint64             // refused for most; guarded by mu
	pushed  uint64             // refused for each; guarded by mu
}

// entry says whether a connection has a place.
type entry uint8

const (
	entered entry = iota
	crowded       // there are as many connections as there may be
	pushed        // its address has as many as it may have
)

func newPlaces(limits *Limits, exempt func(netip.Addr) bool) *places {
	return &places{most: limits.Connections, each: limits.AddressConnections, exempt: exempt, of: make(map[netip.Addr]int)}
}

// take takes a place; it is given back with leave.
func (p *places) take(from netip.Addr) entry {
	network := collect.Network(from)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.open >= p.most:
		p.crowded++
		return crowded
	case p.of[network] >= p.each && (p.exempt == nil || !p.exempt(from)):
		p.pushed++
		return pushed
	}
	p.open++
	p.of[network]++
	return entered
}

// leave gives a place back.
func (p *places) leave(from netip.Addr) {
	network := collect.Network(from)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if p.of[network]--; p.of[network] == 0 {
		delete(p.of, network)
	}
}

// Connections says what became of the connections of a listener.
type Connections struct {
	Open    int    // now
	Crowded uint64 // refused, for there were as many as there may be
	Pushed  uint64 // refused, for their address had as many as it may have
}

func (p *places) connections() Connections {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Connections{p.open, p.crowded, p.pushed}
}
