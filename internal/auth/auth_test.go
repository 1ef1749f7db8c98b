package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/store"
	"github.com/readership/readership/internal/store/sqlite"
)

const rootKey = "root-key-for-tests"

func openStore(t *testing.T) store.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openKeys(t *testing.T, db store.Store) *Keys {
	t.Helper()
	k, err := OpenKeys(t.Context(), db, rootKey, time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

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

func TestKeys(t *testing.T) {
	db, ctx := openStore(t), t.Context()
	k := openKeys(t, db)
	key, secret, err := k.CreateKey(ctx, "cms", []string{"catalog:write", "of:tomorrow"}, []string{"news"})
	if err != nil {
		t.Fatal(err)
	}
	write, err := k.CreateWriteKey(ctx, "news", "web")
	if err != nil {
		t.Fatal(err)
	}
	other, err := k.CreateWriteKey(ctx, "blog", "")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := db.ListKeys(ctx, store.Page{})
	if err != nil || len(stored) != 1 || strings.Contains(secret, string(stored[0].Hash[:])) {
		t.Fatalf("stored %v, %v", stored, err)
	}
	check := func(k *Keys) {
		t.Helper()
		p, ok := k.APIKey(secret)
		want := &Principal{Kind: KindAPI, ID: key.ID, Name: "cms", Sites: []string{"news"}, Scopes: CatalogRead | CatalogWrite}
		if d := cmp.Diff(want, p); !ok || d != "" {
			t.Fatal(ok, d)
		}
		if site, ok := k.WriteKey(write.Key); !ok || site != "news" {
			t.Fatal(site, ok)
		}
		if p, ok := k.APIKey(rootKey); !ok || p.Kind != KindRoot || p.Scopes != AllScopes {
			t.Fatal("root key", p, ok)
		}
		for _, bad := range []string{"", secret + "x", secret[1:], write.Key, strings.Repeat("x", 5000)} {
			if _, ok := k.APIKey(bad); ok {
				t.Errorf("%q is a key", bad)
			}
		}
	}
	check(k)
	check(openKeys(t, db)) // after a restart

	if err := k.DeleteWriteKey(ctx, "blog", write.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("delete by the other site: %v", err)
	}
	check(k)
	if err := errors.Join(k.DeleteKey(ctx, key.ID), k.DeleteWriteKey(ctx, "news", write.ID), k.DeleteWriteKeysOf(ctx, "blog")); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.APIKey(secret); ok {
		t.Error("a deleted key works")
	}
	for _, w := range []string{write.Key, other.Key} {
		if _, ok := k.WriteKey(w); ok {
			t.Error("a deleted write key works")
		}
	}
	if err := k.DeleteKey(ctx, "root"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("delete the root key: %v", err)
	}
	if _, ok := k.APIKey(rootKey); !ok {
		t.Error("the root key is gone")
	}
}

func TestRootKeyMustBeLong(t *testing.T) {
	if _, err := OpenKeys(t.Context(), openStore(t), "short", time.Now, rand.Reader); err == nil {
		t.Error("a short root key is taken")
	}
	k, err := OpenKeys(t.Context(), openStore(t), "", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := k.APIKey(""); ok {
		t.Error("no root key is a key")
	}
}

func TestLookUpsDoNotAllocate(t *testing.T) {
	k := openKeys(t, openStore(t))
	_, secret, err := k.CreateKey(t.Context(), "x", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := k.CreateWriteKey(t.Context(), "news", "")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := k.APIKey(secret)
	n := testing.AllocsPerRun(100, func() {
		k.APIKey(secret)
		k.WriteKey(w.Key)
		p.Allows("events:import", "news")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
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

func TestSessionsExpire(t *testing.T) {
	db, h := openStore(t), quickHasher(t)
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CreatePerson(t.Context(), store.Person{ID: "p1", Email: "ada@example.org", Role: RoleEditor, PasswordHash: hash}); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	s := NewSessions(db, h, func() time.Time { return now }, rand.Reader)
	ctx := t.Context()
	p, token, err := s.SignIn(ctx, " Ada@Example.org", "correct horse", "192.0.2.1", strings.Repeat("ü", 300))
	if err != nil || p.ID != "p1" || p.Scopes != RoleScopes(RoleEditor) {
		t.Fatal(p, err)
	}
	start := now
	alive := func(want bool) {
		t.Helper()
		_, err := s.Check(ctx, token)
		if want && err != nil || !want && !errors.Is(err, ErrNoSession) {
			t.Fatalf("after %v: %v", now.Sub(start), err)
		}
	}
	alive(true)
	now = now.Add(SessionIdle - time.Second)
	alive(true) // and prolongs
	now = now.Add(SessionIdle - time.Second)
	alive(true)
	now = now.Add(SessionIdle)
	alive(false)

	start = now
	if token, err = s.Start(ctx, "p1", ""); err != nil {
		t.Fatal(err)
	}
	for now.Add(24 * time.Hour).Before(start.Add(SessionMax)) {
		now = now.Add(24 * time.Hour)
		alive(true)
	}
	now = start.Add(SessionMax)
	alive(false) // used every day, but 90 days old

	if token, err = s.Start(ctx, "p1", ""); err != nil {
		t.Fatal(err)
	}
	alive(true)
	if err := s.End(ctx, token); err != nil {
		t.Fatal(err)
	}
	alive(false)
	if token, err = s.Start(ctx, "p1", ""); err != nil {
		t.Fatal(err)
	}
	if err := db.DeletePerson(ctx, "p1"); err != nil {
		t.Fatal(err)
	}
	alive(false)
	token = ""
	alive(false)
}

func TestSignInIsLimited(t *testing.T) {
	db, h := openStore(t), quickHasher(t)
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CreatePerson(t.Context(), store.Person{ID: "p1", Email: "a@example.org", PasswordHash: hash}); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	s := NewSessions(db, h, func() time.Time { return now }, rand.Reader)
	try := func(email, password, address string) error {
		_, _, err := s.SignIn(t.Context(), email, password, address, "")
		return err
	}
	var limited *LimitError
	for i := range 10 {
		if err := try("a@example.org", "wrong", "192.0.2.1"); !errors.Is(err, ErrCredentials) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if err := try("A@example.org", "correct horse", "192.0.2.9"); !errors.As(err, &limited) || limited.Wait > 30*time.Second {
		t.Fatalf("the e-mail is not limited: %v", err)
	}
	now = now.Add(30 * time.Second)
	if err := try("a@example.org", "correct horse", "192.0.2.9"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := try(strings.Repeat("x", i+1), "x", "2001:db8::1"); !errors.Is(err, ErrCredentials) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if err := try("y", "x", "2001:db8::2"); !errors.As(err, &limited) {
		t.Fatalf("the network is not limited: %v", err)
	}
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
