package auth

import "slices"

// Kind says what a principal is.
type Kind uint8

// The kinds of principals.
const (
	KindRoot   Kind = iota + 1 // READERSHIP_ROOT_KEY
	KindAPI                    // an API key
	KindWrite                  // a write key: one site, no scope
	KindPerson                 // a signed-in person
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case KindRoot:
		return "root"
	case KindAPI:
		return "api"
	case KindWrite:
		return "write"
	case KindPerson:
		return "person"
	}
	return "none"
}

// Principal is who makes a request. It is immutable and shared.
type Principal struct {
	Kind   Kind
	ID     string   // of the key or person; "root" for the root key
	Name   string   // for logs and lists
	Site   string   // the site of a write key
	Sites  []string // the sites of an API key or person; nil: every site
	Scopes Scopes
	Role   string // of a person
	Email  string // of a person
}

// Sender tells senders apart whose requests are counted: by key or person, of a write
// key by its site.
func (p *Principal) Sender() (kind byte, name string) {
	if p.Kind == KindWrite {
		return byte(p.Kind), p.Site
	}
	return byte(p.Kind), p.ID
}

// Reaches says whether the principal may act on the site at all.
func (p *Principal) Reaches(site string) bool {
	if p == nil {
		return false
	}
	if p.Kind == KindWrite {
		return p.Site == site
	}
	return p.Sites == nil || slices.Contains(p.Sites, site)
}

// Allows says whether the principal has the scope, named as in the HTTP
// contract, and reaches the site. An empty site asks for the scope alone. It
// does not allocate.
func (p *Principal) Allows(scope, site string) bool {
	want, err := ParseScope(scope)
	return err == nil && p.Has(want, site)
}

// Has is Allows with a parsed scope.
func (p *Principal) Has(scope Scope, site string) bool {
	return p != nil && p.Scopes.Has(scope) && (site == "" || p.Reaches(site))
}
