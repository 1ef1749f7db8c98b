package edge

import "strings"

// sitePrefix begins the addresses below a site.
const sitePrefix = "/v1/sites/"

// served says whether an address, as it was sent and without the query, belongs
// to what the fast listener serves beside collection: decisions about readers and
// pages, memberships and recommendations. These are the main listener's to answer (Config.Sites).
func served(path string) bool {
	rest, ok := strings.CutPrefix(path, sitePrefix)
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, "/")
	area, rest, more := strings.Cut(rest, "/")
	switch area {
	case "decisions":
		return true
	case "auth":
		return !more
	case "recommendations":
		return more
	case "readers":
		_, what, _ := strings.Cut(rest, "/")
		return what == "segments"
	}
	return false
}
