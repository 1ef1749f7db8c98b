package collect

import (
	"net/netip"
	"strings"
)

// clientAddress returns the address that a request comes from: the connection's
// or, behind trusted proxies, the last address in X-Forwarded-For that is not
// one of them.
func clientAddress(remote netip.Addr, forwarded string, trusted []netip.Prefix) netip.Addr {
	address := remote.Unmap()
	for len(trusted) > 0 && forwarded != "" && contains(trusted, address) {
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

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
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
