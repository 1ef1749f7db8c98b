package credentials

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store"
	"github.com/readership/readership/internal/store/sqlite"
)

const rootKey = "root-key-for-tests"

func quickHasher(t *testing.T) *auth.Hasher {
	t.Helper()
	h, err := auth.NewTestHasher(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

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
		want := &auth.Principal{Kind: auth.KindAPI, ID: key.ID, Name: "cms", Sites: []string{"news"}, Scopes: auth.CatalogRead | auth.CatalogWrite}
		if d := cmp.Diff(want, p); !ok || d != "" {
			t.Fatal(ok, d)
		}
		if site, ok := k.WriteKey(write.Key); !ok || site != "news" {
			t.Fatal(site, ok)
		}
		if p, ok := k.APIKey(rootKey); !ok || p.Kind != auth.KindRoot || p.Scopes != auth.AllScopes {
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

func TestSessionsExpire(t *testing.T) {
	db, h := openStore(t), quickHasher(t)
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CreatePerson(t.Context(), store.Person{ID: "p1", Email: "ada@example.org", Role: auth.RoleEditor, PasswordHash: hash}); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	s := NewSessions(db, h, func() time.Time { return now }, rand.Reader)
	ctx := t.Context()
	p, token, err := s.SignIn(ctx, " Ada@Example.org", "correct horse", "192.0.2.1", strings.Repeat("ü", 300))
	if err != nil || p.ID != "p1" || p.Scopes != auth.RoleScopes(auth.RoleEditor) {
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
