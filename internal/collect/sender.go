package collect

import (
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
)

// sender is for which site, and as whom, a request speaks.
type sender struct {
	site *event.Site
	api  bool
	path string // of the field that names the site
}

// known says whether there is such a site.
func (s sender) known() bool { return s.site != nil }

// siteNamed finds a site by its id, an alias or a domain. If there is none the
// next event is invalid at path.
func (x *foreign) siteNamed(path, name string) sender {
	return sender{site: x.c.siteNamed(name), path: path}
}

// siteOfKey finds a site by its write key.
func (x *foreign) siteOfKey(path, key string) sender {
	return sender{site: x.c.siteOfKey(key), path: path}
}

// siteForKey is siteNamed for a sender that may have an API key of scope
// events:import, and then may say when and where from something was. Another key
// is as none: it may be one of the system that the client was written for.
func (x *foreign) siteForKey(path, name, key string) sender {
	s := x.siteNamed(path, name)
	if key != "" && s.known() {
		principal, known := x.c.keys.APIKey(key)
		s.api = known && principal.Has(auth.EventsImport, "") && principal.Reaches(s.site.ID)
	}
	return s
}

// belongs says whose request it is, before there is an event: so that a body that
// cannot be read is counted.
func (x *foreign) belongs(s sender) {
	if s.known() && x.request.site == nil {
		x.request.site = x.c.infos.of(s.site, x.c.secret)
	}
}

// bearer is the key of the Authorization header, "" if there is none.
func (x *foreign) bearer() string { return bearer(x.q.Header.Get("Authorization")) }
