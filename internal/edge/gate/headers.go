package gate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/access"
)

// Headers of a verdict, on the answers of …/auth and on requests to origins. From
// outside they are not believed.
const (
	prefix         = "X-Readership-"
	headerDecision = prefix + "Decision"
	headerClause   = prefix + "Clause"
	headerOffer    = prefix + "Offer"
	headerMeter    = prefix + "Meter"
	headerID       = prefix + "Decision-Id"
	headerReader   = prefix + "Reader"
	headerSegments = prefix + "Segments"
	headerFallback = prefix + "Fallback"
	headerCounts   = prefix + "Counts"
	headerError    = prefix + "Error"
	headerPrice    = "Crawler-Price"
	headerCookie   = "Set-Cookie"
	headerCache    = "Cache-Control"
	headerType     = "Content-Type"
	headerLocation = "Location"
	cacheNothing   = "no-store"
	typeHTML       = "text/html; charset=utf-8"
)

// setVerdict writes a verdict as headers.
func setVerdict(h http.Header, v *access.Verdict) {
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(headerDecision, v.Decision)
	set(headerClause, v.Clause)
	set(headerOffer, v.Offer)
	set(headerID, v.DecisionID)
	set(headerReader, escaped(v.Reader))
	set(headerSegments, strings.Join(v.Segments, ","))
	if m := v.Meter; m != nil {
		set(headerMeter, fmt.Sprintf("%s;used=%d;limit=%d", m.Name, m.Used, m.Limit))
	}
	if v.Fallback {
		set(headerFallback, "1")
	}
	if c := v.Counts; c != nil && c.EngagedSeconds > 0 {
		set(headerCounts, "engaged_seconds="+strconv.FormatFloat(c.EngagedSeconds, 'f', -1, 64))
	} else if c != nil && c.ScrollPercent > 0 {
		set(headerCounts, "scroll_percent="+strconv.FormatInt(c.ScrollPercent, 10))
	}
}

// escaped percent-encodes what cannot stand in a header.
func escaped(text string) string {
	return percentEncoded(text, func(c byte) bool { return c > ' ' && c < 0x7f && c != '%' })
}

// percentEncoded percent-encodes the bytes of text that are not plain.
func percentEncoded(text string, plain func(byte) bool) string {
	i := 0
	for i < len(text) && plain(text[i]) {
		i++
	}
	if i == len(text) {
		return text
	}
	var b strings.Builder
	for _, c := range []byte(text) {
		if plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
