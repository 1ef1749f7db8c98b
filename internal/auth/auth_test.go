package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestScopes(t *testing.T) {
	for _, name := range ScopeNames() {
		s, err := ParseScope(name)
		if err != nil {
			t.Fatal(err)
		}
		if !AllScopes.Has(s) {
			t.Errorf("%s is not in AllScopes", name)
		}
		if area, ok := strings.CutSuffix(name, ":write"); ok {
			read, _ := ParseScope(area + ":read")
			if !s.Has(read) {
				t.Errorf("%s does not include reading", name)
			}
			if read.Has(s) {
				t.Errorf("%s:read includes writing", area)
			}
		}
	}
	if s, _ := ParseScope("events:write"); s.Has(EventsImport) {
		t.Error("events:write includes importing")
	}
	for _, c := range []struct {
		name string
		want Scope
	}{{"sites:read", SitesRead}, {"admin:write", AdminRead | AdminWrite}, {"collectors:read", CollectorsRead}, {"events:import", EventsImport}} {
		if got, err := ParseScope(c.name); err != nil || got != c.want {
			t.Errorf("%s: %b, %v, want %b", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "sites", "sites:", "sites:own", "query:import", "everything:read", "Sites:read", "sites:read:write"} {
		if _, err := ParseScope(bad); err == nil {
			t.Errorf("%q is a scope", bad)
		}
	}
	if d := cmp.Diff([]string{"query:read", "catalog:write", "events:import"},
		(QueryRead | CatalogRead | CatalogWrite | EventsImport).Names()); d != "" {
		t.Error(d)
	}
}

func TestRoles(t *testing.T) {
	cases := []struct {
		role  string
		can   Scopes
		cannt Scopes
	}{
		{RoleViewer, QueryRead | SitesRead, AdminRead | EventsRead | ReadersRead | CatalogWrite | SitesWrite},
		{RoleEditor, CatalogWrite | ProgramWrite | QueryRead, AdminRead | SitesWrite | EventsImport | ReadersWrite},
		{RoleAdmin, AllScopes, 0},
		{"owner", 0, SitesRead},
	}
	for _, c := range cases {
		got := RoleScopes(c.role)
		if !got.Has(c.can) || got&c.cannt != 0 {
			t.Errorf("%s has %s", c.role, got)
		}
	}
}

func TestPrincipalAllows(t *testing.T) {
	cases := []struct {
		name        string
		p           *Principal
		scope, site string
		want        bool
	}{
		{"nobody", nil, "sites:read", "", false},
		{"every site", &Principal{Kind: KindAPI, Scopes: QueryRead}, "query:read", "news", true},
		{"other scope", &Principal{Kind: KindAPI, Scopes: QueryRead}, "sites:read", "news", false},
		{"its site", &Principal{Kind: KindAPI, Scopes: QueryRead, Sites: []string{"news"}}, "query:read", "news", true},
		{"other site", &Principal{Kind: KindAPI, Scopes: QueryRead, Sites: []string{"news"}}, "query:read", "blog", false},
		{"no site", &Principal{Kind: KindAPI, Scopes: QueryRead, Sites: []string{}}, "query:read", "blog", false},
		{"scope alone", &Principal{Kind: KindAPI, Scopes: QueryRead, Sites: []string{"news"}}, "query:read", "", true},
		{"write key", &Principal{Kind: KindWrite, Site: "news"}, "query:read", "news", false},
		{"no such scope", &Principal{Kind: KindRoot, Scopes: AllScopes}, "query:own", "", false},
	}
	for _, c := range cases {
		if got := c.p.Allows(c.scope, c.site); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func quickHasher(t testing.TB) *Hasher {
	t.Helper()
	h, err := newHasher(rand.Reader, 64, 1)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPasswords(t *testing.T) {
	h, ctx := quickHasher(t), t.Context()
	a, err := h.Hash(ctx, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Hash(ctx, "correct horse")
	if err != nil || a == b {
		t.Fatal("two hashes of a password are equal", err)
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Error(a)
	}
	for _, c := range []struct {
		hash, password string
		want           bool
	}{{a, "correct horse", true}, {a, "Correct horse", false}, {a, "", false}, {"", "a password that nobody has", false}} {
		if got, err := h.Verify(ctx, c.hash, c.password); err != nil || got != c.want {
			t.Errorf("%q: %v, %v", c.password, got, err)
		}
	}
	for _, bad := range []string{"x", "$argon2id$v=19$m=64,t=1,p=1$a$", "$argon2i$v=19$m=1,t=1,p=1$YWFh$YWFh", "$argon2id$v=19$m=99999999,t=1,p=1$YWFhYWFhYWFhYWFhYWFhYQ$YWFhYWFhYWFhYWFhYWFhYQ"} {
		if _, err := h.Verify(ctx, bad, "x"); err == nil {
			t.Errorf("%s is a hash", bad)
		}
	}
	for _, c := range []struct {
		password string
		good     bool
	}{{"short", false}, {strings.Repeat("ü", MinPassword), true}, {strings.Repeat("x", MaxPassword), true}, {strings.Repeat("x", MaxPassword+1), false}} {
		if got := CheckPassword(c.password) == ""; got != c.good {
			t.Errorf("%q: %v", c.password, got)
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	h.slots <- struct{}{}
	h.slots <- struct{}{}
	cancel()
	if _, err := h.Verify(stopped, a, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a slot: %v", err)
	}
}

func TestLimiter(t *testing.T) {
	now := time.Unix(0, 0)
	l := &Limiter{Burst: 3, Every: 10 * time.Second, MaxNames: 2, Now: func() time.Time { return now }}
	allow := func(name string, want bool) {
		t.Helper()
		if wait, ok := l.Allow(name); ok != want || !ok && wait <= 0 {
			t.Fatalf("%s at %d: %v, wait %v", name, now.Unix(), ok, wait)
		}
	}
	for range 3 {
		allow("a", true)
	}
	allow("a", false)
	allow("b", true)
	allow("c", false) // no room, a and b have not recovered
	now = now.Add(10 * time.Second)
	allow("a", true)
	allow("a", false)
	allow("c", true) // b has
	now = now.Add(time.Hour)
	for range 3 {
		allow("a", true)
	}
	allow("a", false)
	l.Forgive("a")
	allow("a", true)
}

// The limiter also keeps its word with the clock of a synctest bubble.
func TestLimiterRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Limiter{Burst: 1, Every: time.Minute, MaxNames: 9, Now: time.Now}
		l.Allow("a")
		wait, ok := l.Allow("a")
		if ok || wait != time.Minute {
			t.Fatal(wait, ok)
		}
		time.Sleep(wait)
		if _, ok := l.Allow("a"); !ok {
			t.Fatal("not recovered after the wait it named")
		}
	})
}

func TestNewIDSortsByTime(t *testing.T) {
	early, err := NewID(rand.Reader, time.UnixMilli(1), "x")
	if err != nil {
		t.Fatal(err)
	}
	late, err := NewID(rand.Reader, time.Now(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if early >= late {
		t.Error(early, late)
	}
}
