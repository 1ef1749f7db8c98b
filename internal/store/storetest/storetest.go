// Package storetest is the conformance suite of store.Store: every driver runs
// it against a fresh database.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/store"
)

// Run checks a driver. open returns a new, empty database; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	cases := []struct {
		name string
		test func(*testing.T, context.Context, store.Store)
	}{
		{"people", people}, {"people pages", peoplePages}, {"sessions", sessions}, {"keys", keys},
		{"write keys", writeKeys}, {"views", views}, {"replies", replies}, {"replies race", repliesRace}, {"replies bounded", repliesBounded},
		{"setup", setup}, {"secrets", secrets}, {"sweep", sweep},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			if err := s.Ping(t.Context()); err != nil {
				t.Fatalf("ping: %v", err)
			}
			c.test(t, t.Context(), s)
		})
	}
}

func hash(text string) store.Hash { return sha256.Sum256([]byte(text)) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("(-want +got)\n%s", d)
	}
}

func person(id, email string) store.Person {
	return store.Person{ID: id, Email: email, Name: "Ada", Role: "admin", PasswordHash: "x", CreatedAt: 1, UpdatedAt: 2}
}

func people(t *testing.T, ctx context.Context, s store.Store) {
	p := person("p1", "Ada@Example.org")
	ok(t, s.CreatePerson(ctx, p))
	p.Email = "ada@example.org"
	got, err := s.Person(ctx, "p1")
	ok(t, err)
	same(t, got, p)
	got, err = s.PersonByEmail(ctx, "ADA@example.org")
	ok(t, err)
	same(t, got, p)

	is(t, s.CreatePerson(ctx, person("p2", "ada@example.ORG")), store.ErrExists)
	is(t, s.CreatePerson(ctx, person("p1", "b@example.org")), store.ErrExists)
	_, err = s.Person(ctx, "p2")
	is(t, err, store.ErrNotFound)
	_, err = s.PersonByEmail(ctx, "b@example.org")
	is(t, err, store.ErrNotFound)

	p.Role, p.Sites, p.Name, p.UpdatedAt = "viewer", []string{"news"}, "Ada L. ø \" '", 9
	ok(t, s.UpdatePerson(ctx, p))
	got, err = s.Person(ctx, "p1")
	ok(t, err)
	same(t, got, p)
	p.Sites = []string{}
	ok(t, s.UpdatePerson(ctx, p))
	got, err = s.Person(ctx, "p1")
	ok(t, err)
	same(t, got, p) // no site is not every site
	ok(t, s.CreatePerson(ctx, person("p2", "b@example.org")))
	p.Email = "b@example.org"
	is(t, s.UpdatePerson(ctx, p), store.ErrExists)
	p.ID = "none"
	is(t, s.UpdatePerson(ctx, p), store.ErrNotFound)

	ok(t, s.DeletePerson(ctx, "p1"))
	is(t, s.DeletePerson(ctx, "p1"), store.ErrNotFound)
	n, err := s.CountPeople(ctx)
	ok(t, err)
	same(t, n, 1)
}

func peoplePages(t *testing.T, ctx context.Context, s store.Store) {
	for i := range 5 {
		ok(t, s.CreatePerson(ctx, person(fmt.Sprintf("p%d", 4-i), fmt.Sprintf("%d@example.org", i))))
	}
	var ids []string
	for page := (store.Page{Limit: 2}); ; {
		some, err := s.ListPeople(ctx, page)
		ok(t, err)
		if len(some) == 0 {
			break
		}
		for _, p := range some {
			ids = append(ids, p.ID)
			page.After = p.ID
		}
	}
	same(t, strings.Join(ids, " "), "p0 p1 p2 p3 p4")
	all, err := s.ListPeople(ctx, store.Page{})
	ok(t, err)
	same(t, len(all), 5)
}

func sessions(t *testing.T, ctx context.Context, s store.Store) {
	ok(t, s.CreatePerson(ctx, person("p1", "a@example.org")))
	one := store.Session{Hash: hash("1"), Person: "p1", CreatedAt: 1, SeenAt: 1, ExpiresAt: 100, UserAgent: "browser"}
	is(t, s.CreateSession(ctx, store.Session{Hash: hash("x"), Person: "nobody"}), store.ErrNotFound)
	ok(t, s.CreateSession(ctx, one))
	is(t, s.CreateSession(ctx, one), store.ErrExists)
	got, err := s.Session(ctx, one.Hash)
	ok(t, err)
	same(t, got, one)
	ok(t, s.TouchSession(ctx, one.Hash, 5, 200))
	one.SeenAt, one.ExpiresAt = 5, 200
	got, err = s.Session(ctx, one.Hash)
	ok(t, err)
	same(t, got, one)
	ok(t, s.DeleteSession(ctx, one.Hash))
	ok(t, s.DeleteSession(ctx, one.Hash))
	_, err = s.Session(ctx, one.Hash)
	is(t, err, store.ErrNotFound)

	for _, name := range []string{"2", "3"} {
		one.Hash = hash(name)
		ok(t, s.CreateSession(ctx, one))
	}
	ok(t, s.DeleteSessionsOf(ctx, "p1"))
	_, err = s.Session(ctx, hash("2"))
	is(t, err, store.ErrNotFound)

	ok(t, s.CreateSession(ctx, one))
	ok(t, s.DeletePerson(ctx, "p1")) // takes the sessions along
	_, err = s.Session(ctx, one.Hash)
	is(t, err, store.ErrNotFound)
}

func keys(t *testing.T, ctx context.Context, s store.Store) {
	a := store.Key{ID: "k1", Name: "cms", Hash: hash("a"), Hint: "rk_ab", Scopes: []string{"catalog:write"}, Sites: []string{"news"}, CreatedAt: 1}
	b := store.Key{ID: "k2", Name: "bi", Hash: hash("b"), Hint: "rk_cd", Scopes: []string{"query:read", "events:read"}, CreatedAt: 2}
	ok(t, s.CreateKey(ctx, a))
	ok(t, s.CreateKey(ctx, b))
	is(t, s.CreateKey(ctx, store.Key{ID: "k3", Hash: hash("a")}), store.ErrExists)
	got, err := s.ListKeys(ctx, store.Page{})
	ok(t, err)
	same(t, got, []store.Key{a, b})
	got, err = s.ListKeys(ctx, store.Page{After: "k1", Limit: 1})
	ok(t, err)
	same(t, got, []store.Key{b})
	ok(t, s.DeleteKey(ctx, "k1"))
	is(t, s.DeleteKey(ctx, "k1"), store.ErrNotFound)
}

func writeKeys(t *testing.T, ctx context.Context, s store.Store) {
	a := store.WriteKey{ID: "w1", Site: "news", Key: "wk_a", Name: "web", CreatedAt: 1}
	b := store.WriteKey{ID: "w2", Site: "news", Key: "wk_b", Name: "app", CreatedAt: 2}
	c := store.WriteKey{ID: "w3", Site: "blog", Key: "wk_c", CreatedAt: 3}
	for _, k := range []store.WriteKey{a, b, c} {
		ok(t, s.CreateWriteKey(ctx, k))
	}
	is(t, s.CreateWriteKey(ctx, store.WriteKey{ID: "w4", Site: "blog", Key: "wk_a"}), store.ErrExists)
	got, err := s.ListWriteKeys(ctx, "news", store.Page{})
	ok(t, err)
	same(t, got, []store.WriteKey{a, b})
	got, err = s.ListWriteKeys(ctx, "", store.Page{After: "w1"})
	ok(t, err)
	same(t, got, []store.WriteKey{b, c})
	is(t, s.DeleteWriteKey(ctx, "blog", "w1"), store.ErrNotFound) // of another site
	ok(t, s.DeleteWriteKey(ctx, "news", "w1"))
	ok(t, s.DeleteWriteKeysOf(ctx, "news"))
	got, err = s.ListWriteKeys(ctx, "", store.Page{})
	ok(t, err)
	same(t, got, []store.WriteKey{c})
}

func views(t *testing.T, ctx context.Context, s store.Store) {
	a := store.View{ID: "v1", Site: "news", Owner: "p1", Name: "Morning", State: []byte(`{"span":"24h"}`), Version: 1, CreatedAt: 1, UpdatedAt: 1}
	b := store.View{ID: "v2", Site: "news", Owner: "p2", Name: "Desk", Shared: true, State: []byte(`{}`), Version: 1, CreatedAt: 1, UpdatedAt: 1}
	c := store.View{ID: "v3", Site: "blog", Owner: "p1", Name: "Blog", State: []byte(`{}`), Version: 1}
	for _, v := range []store.View{a, b, c} {
		ok(t, s.CreateView(ctx, v))
	}
	is(t, s.CreateView(ctx, a), store.ErrExists)
	got, err := s.ListViews(ctx, "news", "p1", store.Page{})
	ok(t, err)
	same(t, got, []store.View{a, b})
	got, err = s.ListViews(ctx, "news", "p2", store.Page{})
	ok(t, err)
	same(t, got, []store.View{b}) // p1's is private
	_, err = s.View(ctx, "blog", "v1")
	is(t, err, store.ErrNotFound)

	a.Name, a.State, a.UpdatedAt = "Evening", []byte(`{"span":"7d"}`), 5
	ok(t, s.UpdateView(ctx, a))
	is(t, s.UpdateView(ctx, a), store.ErrStale)
	a.Version = 2
	one, err := s.View(ctx, "news", "v1")
	ok(t, err)
	same(t, one, a)
	is(t, s.UpdateView(ctx, store.View{ID: "none", Site: "news"}), store.ErrNotFound)
	ok(t, s.DeleteView(ctx, "news", "v1"))
	is(t, s.DeleteView(ctx, "news", "v1"), store.ErrNotFound)
	ok(t, s.DeleteViewsOf(ctx, "news"))
	_, err = s.View(ctx, "news", "v2")
	is(t, err, store.ErrNotFound)
	_, err = s.View(ctx, "blog", "v3")
	ok(t, err)
}

func replies(t *testing.T, ctx context.Context, s store.Store) {
	r := store.Reply{Key: hash("key"), Fingerprint: hash("body"), CreatedAt: 10, ExpiresAt: 20}
	_, err := s.BeginReply(ctx, r, 100)
	ok(t, err)
	earlier, err := s.BeginReply(ctx, store.Reply{Key: r.Key, Fingerprint: hash("other"), CreatedAt: 11, ExpiresAt: 21}, 100)
	is(t, err, store.ErrExists)
	same(t, earlier, r)
	ok(t, s.EndReply(ctx, r.Key, []byte("sealed"), 50))
	r.Done, r.Sealed, r.ExpiresAt = true, []byte("sealed"), 50
	earlier, err = s.BeginReply(ctx, store.Reply{Key: r.Key, CreatedAt: 49, ExpiresAt: 59}, 100)
	is(t, err, store.ErrExists)
	same(t, earlier, r)

	_, err = s.BeginReply(ctx, store.Reply{Key: r.Key, CreatedAt: 50, ExpiresAt: 60}, 100) // expired: free again
	ok(t, err)
	ok(t, s.DropReply(ctx, r.Key))
	_, err = s.BeginReply(ctx, store.Reply{Key: r.Key, CreatedAt: 51, ExpiresAt: 61}, 100)
	ok(t, err)
	_, err = s.BeginReply(ctx, store.Reply{Key: r.Key, CreatedAt: 61, ExpiresAt: 71}, 100) // never ended: lapsed
	ok(t, err)
}

// repliesBounded: of more answers than are kept the oldest go, whatever their time.
func repliesBounded(t *testing.T, ctx context.Context, s store.Store) {
	begin := func(key string, most int) error {
		_, err := s.BeginReply(ctx, store.Reply{Key: hash(key), CreatedAt: 1, ExpiresAt: 99}, most)
		return err
	}
	for _, key := range []string{"a", "b", "c"} {
		ok(t, begin(key, 3))
		ok(t, s.EndReply(ctx, hash(key), []byte("sealed"), 99))
	}
	is(t, begin("a", 3), store.ErrExists)
	ok(t, begin("d", 3))
	is(t, begin("b", 3), store.ErrExists)
	is(t, begin("c", 3), store.ErrExists)
	ok(t, begin("a", 3)) // it was forgotten
	is(t, begin("d", 3), store.ErrExists)
	ok(t, begin("b", 3))
}

func repliesRace(t *testing.T, ctx context.Context, s store.Store) {
	var wg sync.WaitGroup
	results := make(chan error, 8)
	for range cap(results) {
		wg.Go(func() {
			_, err := s.BeginReply(ctx, store.Reply{Key: hash("key"), CreatedAt: 1, ExpiresAt: 9}, 100)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
			continue
		}
		is(t, err, store.ErrExists)
	}
	same(t, won, 1)
}

func setup(t *testing.T, ctx context.Context, s store.Store) {
	ok(t, s.PutSetupToken(ctx, hash("old"), 100))
	ok(t, s.PutSetupToken(ctx, hash("new"), 100))
	for _, c := range []struct {
		token string
		now   int64
		want  bool
	}{{"old", 1, false}, {"new", 99, true}, {"new", 100, false}} {
		valid, err := s.SetupToken(ctx, hash(c.token), c.now)
		ok(t, err)
		same(t, valid, c.want)
	}
	is(t, s.FinishSetup(ctx, hash("old"), 1, person("p1", "a@example.org")), store.ErrNotFound)
	is(t, s.FinishSetup(ctx, hash("new"), 100, person("p1", "a@example.org")), store.ErrNotFound)
	ok(t, s.FinishSetup(ctx, hash("new"), 50, person("p1", "a@example.org")))
	_, err := s.Person(ctx, "p1")
	ok(t, err)
	valid, err := s.SetupToken(ctx, hash("new"), 50)
	ok(t, err)
	same(t, valid, false)
	ok(t, s.PutSetupToken(ctx, hash("again"), 100))
	is(t, s.FinishSetup(ctx, hash("again"), 50, person("p2", "b@example.org")), store.ErrExists)
}

func secrets(t *testing.T, ctx context.Context, s store.Store) {
	a, err := s.Secret(ctx, "cookie", 4, bytes.NewReader([]byte("abcd")))
	ok(t, err)
	same(t, a, []byte("abcd"))
	a, err = s.Secret(ctx, "cookie", 4, bytes.NewReader([]byte("wxyz")))
	ok(t, err)
	same(t, a, []byte("abcd"))
	if _, err = s.Secret(ctx, "cookie", 8, bytes.NewReader([]byte("wxyzwxyz"))); err == nil {
		t.Fatal("a secret of another size was returned")
	}
}

func sweep(t *testing.T, ctx context.Context, s store.Store) {
	ok(t, s.CreatePerson(ctx, person("p1", "a@example.org")))
	ok(t, s.CreateSession(ctx, store.Session{Hash: hash("old"), Person: "p1", ExpiresAt: 10}))
	ok(t, s.CreateSession(ctx, store.Session{Hash: hash("new"), Person: "p1", ExpiresAt: 11}))
	_, err := s.BeginReply(ctx, store.Reply{Key: hash("r"), ExpiresAt: 10}, 100)
	ok(t, err)
	ok(t, s.PutSetupToken(ctx, hash("s"), 10))
	ok(t, s.Sweep(ctx, 10))
	_, err = s.Session(ctx, hash("old"))
	is(t, err, store.ErrNotFound)
	_, err = s.Session(ctx, hash("new"))
	ok(t, err)
}
