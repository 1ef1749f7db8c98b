// Package store is the application database: people, sessions, keys, saved
// views and what the HTTP interface remembers between requests. Nothing that a
// rule of a site can see lives here; that is in the log.
//
// Store is the interface of a driver. Package sqlite implements it; package
// storetest is the suite that every driver passes.
//
// Times are Unix milliseconds UTC. Methods are safe for concurrent use.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
)

// Errors that callers branch on. A driver may wrap them.
var (
	// ErrNotFound says that no row has this key.
	ErrNotFound = errors.New("not found")
	// ErrExists says that a row with this key or unique value is there already.
	ErrExists = errors.New("exists already")
	// ErrStale says that the row has another version than the one expected.
	ErrStale = errors.New("changed since it was read")
)

// Hash is the SHA-256 of a secret: a key, a session token, a setup token. Only
// hashes are stored. The secrets are random and long, so a plain hash suffices.
type Hash [32]byte

// Person is somebody who signs in.
type Person struct {
	ID           string
	Email        string // unique, compared in lower case
	Name         string
	Role         string   // viewer, editor, admin
	Sites        []string // nil: every site
	PasswordHash string   // argon2id, encoded; "" cannot sign in with a password
	CreatedAt    int64
	UpdatedAt    int64
}

// Session is a signed-in browser.
type Session struct {
	Hash      Hash
	Person    string
	CreatedAt int64
	SeenAt    int64
	ExpiresAt int64
	UserAgent string
}

// Key is an API key; its secret was shown once.
type Key struct {
	ID        string
	Name      string
	Hash      Hash
	Hint      string // the first characters of the key, to recognise it
	Scopes    []string
	Sites     []string // nil: every site
	CreatedAt int64
}

// WriteKey lets a site's pages send events. It stands in every page, so it is
// no secret and is stored as it is.
type WriteKey struct {
	ID        string
	Site      string
	Key       string
	Name      string
	CreatedAt int64
}

// View is a saved state of the dashboard.
type View struct {
	ID        string
	Site      string
	Owner     string // person, or key that made it
	Name      string
	Shared    bool
	State     json.RawMessage
	Version   int64 // from 1, grows with every change
	CreatedAt int64
	UpdatedAt int64
}

// Reply is the remembered answer to a request with an idempotency key.
type Reply struct {
	Key         Hash // of principal and idempotency key
	Fingerprint Hash // of method, path and body
	Done        bool // false while the first request is under way
	Sealed      []byte
	CreatedAt   int64
	ExpiresAt   int64
}

// Page asks for a part of a list, in order of id: at most Limit entries after
// the id After.
type Page struct {
	After string
	Limit int
}

// Store is the application database.
type Store interface {
	People
	Sessions
	Keys
	WriteKeys
	Views
	Replies
	Setup
	// Secret returns the secret of this name, size bytes long. The first call
	// takes it from random and stores it.
	Secret(ctx context.Context, name string, size int, random io.Reader) ([]byte, error)
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
	// Sweep removes sessions, replies and setup tokens that expired by now.
	Sweep(ctx context.Context, now int64) error
	Close() error
}

// People stores who can sign in.
type People interface {
	CreatePerson(ctx context.Context, p Person) error // ErrExists for the id or e-mail
	Person(ctx context.Context, id string) (Person, error)
	PersonByEmail(ctx context.Context, email string) (Person, error)
	ListPeople(ctx context.Context, page Page) ([]Person, error)
	CountPeople(ctx context.Context) (int, error)
	UpdatePerson(ctx context.Context, p Person) error // ErrNotFound, ErrExists; CreatedAt stays
	DeletePerson(ctx context.Context, id string) error
}

// Sessions stores who is signed in.
type Sessions interface {
	CreateSession(ctx context.Context, s Session) error
	Session(ctx context.Context, hash Hash) (Session, error) // expired ones too
	TouchSession(ctx context.Context, hash Hash, seen, expires int64) error
	DeleteSession(ctx context.Context, hash Hash) error // absent ones are no error
	DeleteSessionsOf(ctx context.Context, person string) error
}

// Keys stores API keys.
type Keys interface {
	CreateKey(ctx context.Context, k Key) error
	ListKeys(ctx context.Context, page Page) ([]Key, error)
	DeleteKey(ctx context.Context, id string) error // ErrNotFound
}

// WriteKeys stores the write keys of sites.
type WriteKeys interface {
	CreateWriteKey(ctx context.Context, k WriteKey) error
	// ListWriteKeys lists those of a site, or of all for "".
	ListWriteKeys(ctx context.Context, site string, page Page) ([]WriteKey, error)
	DeleteWriteKey(ctx context.Context, site, id string) error // ErrNotFound
	DeleteWriteKeysOf(ctx context.Context, site string) error
}

// Views stores the saved views of sites.
type Views interface {
	CreateView(ctx context.Context, v View) error
	View(ctx context.Context, site, id string) (View, error)
	// ListViews lists what owner sees: the owner's own and the shared ones.
	ListViews(ctx context.Context, site, owner string, page Page) ([]View, error)
	// UpdateView replaces name, shared and state where the version is still
	// v.Version, which it raises by one. ErrNotFound, ErrStale.
	UpdateView(ctx context.Context, v View) error
	DeleteView(ctx context.Context, site, id string) error // ErrNotFound
	DeleteViewsOf(ctx context.Context, site string) error
}

// Replies stores answers for idempotency keys.
type Replies interface {
	// BeginReply claims r.Key. Where it is claimed already and has not expired
	// at r.CreatedAt it returns the earlier claim and ErrExists.
	// Beyond most claims and answers the oldest are forgotten before their time.
	BeginReply(ctx context.Context, r Reply, most int) (Reply, error)
	// EndReply stores the answer and until when it is kept. A claim without an
	// answer lapses at the ExpiresAt it began with: its process may be gone.
	EndReply(ctx context.Context, key Hash, sealed []byte, expires int64) error
	// DropReply gives the claim up, so that the request can be tried again.
	DropReply(ctx context.Context, key Hash) error
}

// Setup stores the token of the first run. There is one at most.
type Setup interface {
	PutSetupToken(ctx context.Context, hash Hash, expires int64) error
	// SetupToken says whether hash is the token and has not expired by now.
	SetupToken(ctx context.Context, hash Hash, now int64) (bool, error)
	// FinishSetup takes the token and creates the first person, both or
	// neither. ErrNotFound: not the token, or expired. ErrExists: there are
	// people already.
	FinishSetup(ctx context.Context, hash Hash, now int64, p Person) error
}
