// Package auth says who speaks and what they may do: principals, scopes, roles,
// and the hashing and limiting that proving it needs. It knows no storage;
// package credentials below it keeps keys and sessions.
package auth

import (
	"fmt"
	"strings"
)

// Scopes is a set of scopes.
type Scopes uint32

// Scope is a set with one scope in it, as an operation requires it.
type Scope = Scopes

// areas are the areas that a scope opens, in the order of their bits: area i
// has bit 2i for reading and 2i+1 for writing.
var areas = [...]string{
	"sites", "events", "query", "segments", "readers", "program", "catalog",
	"decisions", "recommendations", "collectors", "admin",
}

// The scopes that operations ask for.
const (
	SitesRead Scope = 1 << iota
	SitesWrite
	EventsRead
	EventsWrite
	QueryRead
	QueryWrite
	SegmentsRead
	SegmentsWrite
	ReadersRead
	ReadersWrite
	ProgramRead
	ProgramWrite
	CatalogRead
	CatalogWrite
	DecisionsRead
	DecisionsWrite
	RecommendationsRead
	RecommendationsWrite
	CollectorsRead
	CollectorsWrite
	AdminRead
	AdminWrite
	EventsImport
	// AllScopes is what the root key has.
	AllScopes Scopes = 1<<iota - 1
)

const importName = "events:import"

// ParseScope reads "area:read", "area:write" (which includes reading) or
// "events:import".
func ParseScope(text string) (Scopes, error) {
	if text == importName {
		return EventsImport, nil
	}
	area, verb, _ := strings.Cut(text, ":")
	for i, name := range areas {
		if name != area {
			continue
		}
		switch verb {
		case "read":
			return 1 << (2 * i), nil
		case "write":
			return 3 << (2 * i), nil
		}
	}
	return 0, fmt.Errorf("scope %q is unknown", text)
}

// ScopeNames lists every scope, as ParseScope reads them.
func ScopeNames() []string { return AllScopes.expand() }

// Has says whether s includes all of want.
func (s Scopes) Has(want Scopes) bool { return s&want == want }

// Names lists the scopes in s; write stands for read and write.
func (s Scopes) Names() []string {
	names := []string{}
	for i, area := range areas {
		switch s >> (2 * i) & 3 {
		case 1:
			names = append(names, area+":read")
		case 2, 3:
			names = append(names, area+":write")
		}
	}
	if s.Has(EventsImport) {
		names = append(names, importName)
	}
	return names
}

// expand lists the scopes in s one by one.
func (s Scopes) expand() []string {
	names := []string{}
	for i, area := range areas {
		for bit, verb := range [...]string{":read", ":write"} {
			if s>>(2*i+bit)&1 == 1 {
				names = append(names, area+verb)
			}
		}
	}
	if s.Has(EventsImport) {
		names = append(names, importName)
	}
	return names
}

// String names the scopes in s.
func (s Scopes) String() string { return strings.Join(s.expand(), ", ") }

// Roles of people.
const (
	RoleViewer = "viewer"
	RoleEditor = "editor"
	RoleAdmin  = "admin"
)

// RoleScopes returns the scopes of a role; none for an unknown one. A viewer
// sees the numbers and keeps own views of them; an editor works on content and
// rules; an admin does everything.
func RoleScopes(role string) Scopes {
	viewer := SitesRead | QueryRead | QueryWrite | SegmentsRead | ProgramRead | CatalogRead | RecommendationsRead | CollectorsRead
	switch role {
	case RoleViewer:
		return viewer
	case RoleEditor:
		return viewer | SegmentsWrite | ProgramWrite | CatalogWrite | RecommendationsWrite | CollectorsWrite |
			ReadersRead | DecisionsRead | EventsRead
	case RoleAdmin:
		return AllScopes
	}
	return 0
}
