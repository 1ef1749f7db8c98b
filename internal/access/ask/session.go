package ask

import (
	"fmt"
	"slices"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/engine"
)

// SessionCookie keeps what the meters of a reader have burned of whom nothing may
// be stored. It ends with the browser's session and holds nothing else.
const SessionCookie = "rsm"

// session is the state of such a reader's cookie.
type session struct {
	front   *Front
	site    string
	secure  bool
	now     int64
	user    string
	burns   []engine.Burn
	changed bool
}

func (f *Front) session(c *Call, v *collect.Visitor) session {
	now := f.Service.SiteNow(c.Site)
	s := session{front: f, site: c.Site.ID, secure: v.Secure, now: now, user: engine.ReaderName(f.Visitors.Hash(c.Site, v, now))}
	if _, raw, ok := f.Sessions.Open(c.Site.ID, collect.CookieValue(c.Request.Header.Get("Cookie"), SessionCookie)); ok {
		s.burns = access.ReadBurns(raw)
	}
	return s
}

// carry gives a question the burns of the ones before it.
func (s *session) carry(g *access.Given) {
	if g.Session != nil {
		g.Session.Burns = s.burns
	}
}

// burned keeps what a verdict has burned. The answer to a repeated commit says it
// again.
func (s *session) burned(v *access.Verdict) {
	if v.Burned != nil && !slices.Contains(s.burns, *v.Burned) {
		s.burns, s.changed = append(s.burns, *v.Burned), true
	}
}

// cookie is the Set-Cookie header that keeps the session.
func (s *session) cookie() (string, error) {
	nonce, err := s.front.Service.Nonce()
	if err != nil {
		return "", err
	}
	value := s.front.Sessions.Seal(nonce, s.site, access.AppendBurns(nil, s.burns, s.now))
	if s.secure {
		return fmt.Sprintf("%s=%s; Path=/; HttpOnly; Secure; SameSite=None", SessionCookie, value), nil
	}
	return fmt.Sprintf("%s=%s; Path=/; HttpOnly; SameSite=Lax", SessionCookie, value), nil
}
