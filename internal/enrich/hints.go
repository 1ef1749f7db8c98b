package enrich

import "strings"

// Hints are the headers that browsers send about themselves beside the agent.
type Hints struct {
	Secure    bool   // the browser speaks TLS: only then does it send the others
	Brands    string // Sec-CH-UA
	Platform  string // Sec-CH-UA-Platform
	FetchSite string // Sec-Fetch-Site
	Languages string // Accept-Language
}

// engine is the kind of browser that an agent names.
type engine uint8

const (
	engineOther engine = iota
	engineChromium
	engineGecko
	engineWebKit
)

func engineOf(text string, chromium int) engine {
	has := func(mark string) bool { return strings.Contains(text, mark) }
	switch {
	case !has("Mozilla/"):
		return engineOther
	case chromium > 0:
		return engineChromium
	case has("Firefox/") && has("Gecko/"):
		return engineGecko
	case has("AppleWebKit/") && has("Safari/"):
		return engineWebKit
	}
	return engineOther
}

// system is the family of operating systems that an agent names, as far as
// client hints tell them apart. Phones that ask for desktop pages name Linux.
type system uint8

const (
	systemOther system = iota
	systemWindows
	systemMac
	systemLinux
	systemIOS
)

func systemOf(text string) system {
	has := func(mark string) bool { return strings.Contains(text, mark) }
	switch {
	case has("Windows NT"):
		return systemWindows
	case has("iPhone"), has("iPad"):
		return systemIOS
	case has("Macintosh"):
		return systemMac
	case has("Linux"), has("Android"), has("CrOS"):
		return systemLinux
	}
	return systemOther
}

// platforms are the systems that Sec-CH-UA-Platform names.
var platforms = map[string]system{`"Windows"`: systemWindows, `"macOS"`: systemMac, `"Linux"`: systemLinux, `"Android"`: systemLinux,
	`"Chrome OS"`: systemLinux, `"Chromium OS"`: systemLinux, `"iOS"`: systemIOS}

// hintsSince is the first Chromium that always sends what Contradicts looks for.
const hintsSince = 90

// Contradicts says whether the headers cannot come from the browser that the
// agent names. A header that is missing is no contradiction: proxies and careful
// people strip some. Only where a Chromium sends none of those that it always
// sends, its language included, it is none.
func (h *Hints) Contradicts(a *Agent) bool {
	if h.Brands != "" {
		switch {
		case strings.Contains(h.Brands, "HeadlessChrome"), a.engine == engineGecko, a.engine == engineWebKit:
			return true
		}
		const chromium = `"Chromium";v="`
		if at := strings.Index(h.Brands, chromium); at >= 0 && a.chromium > 0 {
			if version := leadingNumber(h.Brands[at+len(chromium):]); version > 0 && version != a.chromium {
				return true
			}
		}
	}
	if named := platforms[h.Platform]; named != systemOther && a.system != systemOther && named != a.system {
		return true
	}
	return h.Secure && a.engine == engineChromium && a.chromium >= hintsSince && h.Brands == "" && h.FetchSite == "" && h.Languages == ""
}
