package proxy

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/readership/readership/internal/collect"
)

// Headers that are set here.
const (
	headerFor      = "X-Forwarded-For"
	headerHost     = "X-Forwarded-Host"
	headerProto    = "X-Forwarded-Proto"
	headerRealIP   = "X-Real-Ip"
	headerFallback = "X-Readership-Fallback"
)

// peer is what is known of the connection that a request came by and of the
// reader behind it.
type peer struct {
	remote  netip.Addr // of the connection
	trusted bool       // it is one of the site's proxies
	reader  netip.Addr
	secure  bool // the reader speaks TLS
}

// peerOf finds the reader of a request: the last address in X-Forwarded-For that
// is not one of the site's trusted proxies, if the connection is one's.
func peerOf(r *http.Request, proxies []netip.Prefix) peer {
	p := peer{secure: r.TLS != nil}
	if address, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.remote = address.Addr().Unmap().WithZone("")
	}
	p.reader = p.remote
	if p.trusted = collect.Within(proxies, p.remote); !p.trusted {
		return p
	}
	p.secure = collect.Secure(p.secure, p.remote, strings.Join(r.Header[headerProto], ","), proxies)
	p.reader = collect.ClientAddress(p.remote, strings.Join(r.Header[headerFor], ","), proxies)
	return p
}

// ownPrefix begins the headers that only we may set.
const ownPrefix = "X-Readership-"

// forwardedHeaders say who a request is from; only trusted proxies may.
var forwardedHeaders = []string{"Forwarded", "X-Real-Ip"}

const forwardedPrefix = "X-Forwarded-"

// pathHeaders are where some origins take the path from, which is then not the one
// that was decided about. Trusted proxies pass on what readers send of them.
var pathHeaders = []string{"X-Original-Uri", "X-Original-Url", "X-Rewrite-Url"}

// strip removes what nobody outside may say: X-Readership-*, another path and, but
// from a trusted proxy, X-Forwarded-* and its kin, of a request's headers or trailers.
// It knows them however they are written: many origins take X_Readership_Decision for
// X-Readership-Decision.
func strip(h http.Header, trusted bool) {
	for name := range h {
		if beginsAs(name, ownPrefix) || isOne(name, pathHeaders) || !trusted && (beginsAs(name, forwardedPrefix) || isOne(name, forwardedHeaders)) {
			delete(h, name)
		}
	}
}

func isOne(name string, of []string) bool {
	for _, known := range of {
		if len(name) == len(known) && beginsAs(name, known) {
			return true
		}
	}
	return false
}

// beginsAs says whether a name begins as known does, in any case, whatever it has in
// place of hyphens.
func beginsAs(name, known string) bool {
	if len(name) < len(known) {
		return false
	}
	for i := range len(known) {
		c, k := name[i], known[i]
		if k == '-' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			continue
		}
		if c|0x20 != k|0x20 {
			return false
		}
	}
	return true
}

// forward sets what the origin is told of the way here.
func (p *peer) forward(in, out http.Header, host string) {
	address := p.remote.String()
	out[headerRealIP] = []string{p.reader.String()}
	if chain := in[headerFor]; p.trusted && len(chain) > 0 {
		out[headerFor] = []string{strings.Join(chain, ", ") + ", " + address}
	} else {
		out[headerFor] = []string{address}
	}
	proto := "http"
	if p.secure {
		proto = "https"
	}
	out[headerProto] = []string{proto}
	if named := in[headerHost]; p.trusted && len(named) > 0 {
		out[headerHost] = named
	} else {
		out[headerHost] = []string{host}
	}
	delete(out, "Forwarded") // it would end before us
}
