package credentials

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store"
)

// Prefixes of keys, so that a leaked one is recognised.
const (
	apiPrefix   = "rk_"
	writePrefix = "wk_"
)

// maxKeyBytes bounds a key that is looked up; longer ones are unknown.
const maxKeyBytes = 256

// tables are the keys in force. They are replaced as a whole.
type tables struct {
	api   map[store.Hash]*auth.Principal
	write map[string]string // write key → site
}

// Keys holds all keys in memory and writes changes through to the store.
// Look-ups take no lock and do not allocate.
type Keys struct {
	db     store.Store
	now    func() time.Time
	random io.Reader
	root   store.Hash
	rooted bool

	mu      sync.Mutex // serialises changes; held over the write to db
	tables  atomic.Pointer[tables]
	changed func() // told of each change, with mu held; nil: nobody
}

// OpenKeys loads the keys of db. root is the root key, "" for none.
func OpenKeys(ctx context.Context, db store.Store, root string, now func() time.Time, random io.Reader) (*Keys, error) {
	k := rootedKeys(root)
	k.db, k.now, k.random = db, now, random
	if root != "" && len(root) < 16 {
		return nil, errors.New("the root key is shorter than 16 characters")
	}
	if len(root) > maxKeyBytes {
		return nil, fmt.Errorf("the root key is longer than %d characters", maxKeyBytes)
	}
	t := &tables{api: map[store.Hash]*auth.Principal{}, write: map[string]string{}}
	keys, err := db.ListKeys(ctx, store.Page{})
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	for _, key := range keys {
		t.api[key.Hash] = principalOf(key)
	}
	writes, err := db.ListWriteKeys(ctx, "", store.Page{})
	if err != nil {
		return nil, fmt.Errorf("load write keys: %w", err)
	}
	for _, w := range writes {
		t.write[w.Key] = w.Site
	}
	k.use(t)
	return k, nil
}

func rootedKeys(root string) *Keys {
	return &Keys{root: sha256.Sum256([]byte(root)), rooted: root != ""}
}

// use puts keys in force, the root key with them.
func (k *Keys) use(t *tables) {
	if k.rooted {
		t.api[k.root] = &auth.Principal{Kind: auth.KindRoot, ID: "root", Name: "root", Scopes: auth.AllScopes}
	}
	k.tables.Store(t)
}

// principalOf makes the principal of a stored key. Scopes that this program
// does not know grant nothing.
func principalOf(key store.Key) *auth.Principal {
	p := &auth.Principal{Kind: auth.KindAPI, ID: key.ID, Name: key.Name, Sites: key.Sites}
	for _, name := range key.Scopes {
		if s, err := auth.ParseScope(name); err == nil {
			p.Scopes |= s
		}
	}
	return p
}

// WriteKey returns the site of a write key. Write keys are public, so they are
// compared as they are.
func (k *Keys) WriteKey(key string) (site string, ok bool) {
	site, ok = k.tables.Load().write[key]
	return site, ok
}

// APIKey returns the principal of an API key or of the root key. The look-up
// goes by the key's SHA-256, so its timing says nothing about other keys.
func (k *Keys) APIKey(key string) (*auth.Principal, bool) {
	if key == "" || len(key) > maxKeyBytes {
		return nil, false
	}
	var buffer [maxKeyBytes]byte // keeps the conversion off the heap
	n := copy(buffer[:], key)
	p, ok := k.tables.Load().api[sha256.Sum256(buffer[:n])]
	return p, ok
}

// change replaces the tables by an edited copy after write has succeeded.
func (k *Keys) change(write func() error, edit func(*tables)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := write(); err != nil {
		return err
	}
	old := k.tables.Load()
	t := &tables{api: maps.Clone(old.api), write: maps.Clone(old.write)}
	edit(t)
	k.tables.Store(t)
	if k.changed != nil {
		k.changed()
	}
	return nil
}

// CreateKey makes an API key and returns it with its secret, which is shown
// this once.
func (k *Keys) CreateKey(ctx context.Context, name string, scopes, sites []string) (store.Key, string, error) {
	secret, err := k.secret(apiPrefix)
	if err != nil {
		return store.Key{}, "", err
	}
	id, err := k.id("key")
	if err != nil {
		return store.Key{}, "", err
	}
	key := store.Key{ID: id, Name: name, Hash: sha256.Sum256([]byte(secret)), Hint: secret[:len(apiPrefix)+4],
		Scopes: scopes, Sites: sites, CreatedAt: k.now().UnixMilli()}
	err = k.change(func() error { return k.db.CreateKey(ctx, key) },
		func(t *tables) { t.api[key.Hash] = principalOf(key) })
	return key, secret, err
}

// DeleteKey removes an API key; requests with it are refused from now on.
func (k *Keys) DeleteKey(ctx context.Context, id string) error {
	return k.change(func() error { return k.db.DeleteKey(ctx, id) }, func(t *tables) {
		for hash, p := range t.api {
			if p.Kind == auth.KindAPI && p.ID == id {
				delete(t.api, hash)
			}
		}
	})
}

// CreateWriteKey makes a write key of a site.
func (k *Keys) CreateWriteKey(ctx context.Context, site, name string) (store.WriteKey, error) {
	secret, err := k.secret(writePrefix)
	if err != nil {
		return store.WriteKey{}, err
	}
	id, err := k.id("wkey")
	if err != nil {
		return store.WriteKey{}, err
	}
	key := store.WriteKey{ID: id, Site: site, Key: secret, Name: name, CreatedAt: k.now().UnixMilli()}
	err = k.change(func() error { return k.db.CreateWriteKey(ctx, key) },
		func(t *tables) { t.write[key.Key] = site })
	return key, err
}

// DeleteWriteKey removes a write key of a site.
func (k *Keys) DeleteWriteKey(ctx context.Context, site, id string) error {
	keys, err := k.db.ListWriteKeys(ctx, site, store.Page{})
	if err != nil {
		return err
	}
	return k.change(func() error { return k.db.DeleteWriteKey(ctx, site, id) }, func(t *tables) {
		for _, key := range keys {
			if key.ID == id {
				delete(t.write, key.Key)
			}
		}
	})
}

// DeleteWriteKeysOf removes all write keys of a site.
func (k *Keys) DeleteWriteKeysOf(ctx context.Context, site string) error {
	return k.change(func() error { return k.db.DeleteWriteKeysOf(ctx, site) }, func(t *tables) {
		maps.DeleteFunc(t.write, func(_, s string) bool { return s == site })
	})
}

// secret makes a key of 192 random bits.
func (k *Keys) secret(prefix string) (string, error) {
	return auth.RandomText(k.random, prefix, 24)
}

// id makes an id that sorts by its time of making.
func (k *Keys) id(kind string) (string, error) { return auth.NewID(k.random, k.now(), kind) }
