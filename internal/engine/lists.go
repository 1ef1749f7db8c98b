package engine

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/readership/readership/internal/event"
)

// list is an entitlement list in force.
type list struct {
	name        string
	entitlement string
	seats       int
}

// lists are a site's entitlement lists, ready to be asked. It is immutable.
type lists struct {
	byName  map[string]*list
	domains map[string][]*list
	// starts divides the addresses: from starts[i] on, up to the next, the lists
	// in ranges[i] hold.
	starts []netip.Addr
	ranges [][]*list
}

// newLists compiles the lists of a site. Entries that cannot be read are left
// out: the interface has checked them.
func newLists(values map[string]*event.List) *lists {
	l := &lists{byName: map[string]*list{}, domains: map[string][]*list{}}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var edges []edge
	for _, name := range names {
		v := values[name]
		one := &list{name: name, entitlement: v.Entitlement, seats: v.Seats}
		l.byName[name] = one
		for _, d := range v.Domains {
			d = strings.ToLower(d)
			l.domains[d] = append(l.domains[d], one)
		}
		for _, text := range v.CIDRs {
			if p, err := parseNetwork(text); err == nil {
				edges = append(edges, edge{p.Addr(), one, 1})
				if end := lastAddr(p).Next(); end.IsValid() {
					edges = append(edges, edge{end, one, -1})
				} else if p.Addr().Is4() {
					edges = append(edges, edge{netip.IPv6Unspecified(), one, -1}) // the addresses after the last of IPv4
				}
			}
		}
	}
	l.divide(edges)
	return l
}

// edge is where a network of a list begins or ends.
type edge struct {
	at    netip.Addr
	list  *list
	delta int
}

// divide sweeps over the edges of overlapping networks.
func (l *lists) divide(edges []edge) {
	slices.SortStableFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	open := map[*list]int{}
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			open[edges[i].list] += edges[i].delta
		}
		var in []*list
		for one, n := range open {
			if n > 0 {
				in = append(in, one)
			} else {
				delete(open, one)
			}
		}
		slices.SortFunc(in, func(a, b *list) int { return strings.Compare(a.name, b.name) })
		l.starts, l.ranges = append(l.starts, at), append(l.ranges, in)
	}
}

// parseNetwork reads a network, or an address as the network of itself.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, err
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// lastAddr returns the last address of a network.
func lastAddr(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(raw); i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return last
}

// byAddress returns the lists that hold an address.
func (l *lists) byAddress(address netip.Addr) []*list {
	if !address.IsValid() || len(l.starts) == 0 {
		return nil
	}
	address = address.Unmap().WithZone("")
	i, exact := slices.BinarySearchFunc(l.starts, address, netip.Addr.Compare)
	if !exact {
		i--
	}
	if i < 0 {
		return nil
	}
	return l.ranges[i]
}

// byDomain calls fn with the lists that hold the domain or one above it, until
// fn returns false.
func (l *lists) byDomain(domain string, fn func(*list) bool) {
	for domain != "" {
		for _, one := range l.domains[domain] {
			if !fn(one) {
				return
			}
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
}

// decodeList reads the value of a FactList.
func decodeList(value []byte) (*event.List, bool) {
	l := &event.List{}
	return l, json.Unmarshal(value, l) == nil
}
