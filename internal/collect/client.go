package collect

import (
	"net/netip"
	"strings"
)

// ClientAddress returns the address that a request comes from: the connection's
// or, behind trusted proxies, the last address in X-Forwarded-For that is not
// one of them.
func ClientAddress(remote netip.Addr, forwarded string, trusted []netip.Prefix) netip.Addr {
	address := remote.Unmap()
	for len(trusted) > 0 && forwarded != "" && Within(trusted, address) {
		last := forwarded
		if i := strings.LastIndexByte(forwarded, ','); i >= 0 {
			forwarded, last = forwarded[:i], forwarded[i+1:]
		} else {
			forwarded = ""
		}
		next, ok := parseAddress(strings.TrimSpace(last))
		if !ok {
			break
		}
		address = next
	}
	return address
}

// Secure says whether the browser that a request comes from speaks TLS: with us or,
// behind a trusted proxy, as its X-Forwarded-Proto says, the last of several.
func Secure(tls bool, remote netip.Addr, proto string, trusted []netip.Prefix) bool {
	if proto == "" || !Within(trusted, remote.Unmap()) {
		return tls
	}
	return strings.EqualFold(strings.TrimSpace(proto[strings.LastIndexByte(proto, ',')+1:]), "https")
}

// parseAddress reads an IP address with or without a port.
func parseAddress(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// Within says whether one of prefixes holds an address.
func Within(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// primaryLanguage returns the first language of Accept-Language without its
// region, in lower case; "" if there is none.
func (a *arena) primaryLanguage(header string) string {
	n := 0
	for n < len(header) && (header[n]|0x20)-'a' < 26 {
		n++
	}
	if n < 2 || n > 3 || n < len(header) && header[n] != '-' && header[n] != ',' && header[n] != ';' && header[n] != ' ' {
		return ""
	}
	return a.lower(header[:n])
}

// Network returns what addresses are counted by: an address of IPv4, and of IPv6
// the network (/64) that a site or a household has.
func Network(a netip.Addr) netip.Addr {
	if a.Is4() || a.Is4In6() {
		return a.Unmap()
	}
	network, err := a.WithZone("").Prefix(64)
	if err != nil {
		return netip.Addr{} // of no address
	}
	return network.Addr()
}

// Local says whether an address is of this machine or of a private network: no
// reader's on the internet, but a proxy's, a server's or a colleague's.
func Local(a netip.Addr) bool {
	return !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// Exempt says whether an address may speak for many readers: one that is Local,
// or that a site trusts as a proxy.
func (c *Collector) Exempt(a netip.Addr) bool {
	if Local(a) {
		return true
	}
	for _, site := range c.sites.Sites() {
		if Within(c.infos.of(site, c.secret).proxies, a) {
			return true
		}
	}
	return false
}
