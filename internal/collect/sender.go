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

// siteForKey finds a site by its name for a sender with an API key of scope
// events:import, who may say when and where from something was.
func (x *foreign) siteForKey(path, name, keyPath, key string) sender {
	s := x.siteNamed(path, name)
	principal, known := x.c.keys.APIKey(key)
	if s.site != nil && (!known || !principal.Has(auth.EventsImport, "") || !principal.Reaches(s.site.ID)) {
		return sender{path: keyPath}
	}
	s.api = true
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
