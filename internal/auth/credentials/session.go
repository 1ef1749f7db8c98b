package credentials

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store"
)

// CookieName is the session cookie of the dashboard.
const CookieName = "readership_session"

// A session ends when it was not used for SessionIdle, and SessionMax after
// the sign-in in any case.
const (
	SessionIdle = 14 * 24 * time.Hour
	SessionMax  = 90 * 24 * time.Hour
	touchEvery  = time.Hour
)

// Errors of signing in.
var (
	// ErrCredentials says that e-mail and password do not belong together.
	ErrCredentials = errors.New("e-mail or password is wrong")
	// ErrNoSession says that a session token is unknown or has ended.
	ErrNoSession = errors.New("no such session")
)

// LimitError says that somebody tries too often.
type LimitError struct{ Wait time.Duration }

// Error implements error.
func (e *LimitError) Error() string { return "too many attempts to sign in" }

// Sessions signs people in and out. Safe for concurrent use.
type Sessions struct {
	db        store.Store
	hasher    *auth.Hasher
	now       func() time.Time
	random    io.Reader
	byAddress *auth.Limiter
	byEmail   *auth.Limiter
}

// NewSessions returns the sessions of db. An address may try 20 times and then
// every 10 s, an e-mail 10 times and then every 30 s.
func NewSessions(db store.Store, hasher *auth.Hasher, now func() time.Time, random io.Reader) *Sessions {
	return &Sessions{db: db, hasher: hasher, now: now, random: random,
		byAddress: &auth.Limiter{Burst: 20, Every: 10 * time.Second, MaxNames: 50_000, Now: now},
		byEmail:   &auth.Limiter{Burst: 10, Every: 30 * time.Second, MaxNames: 50_000, Now: now},
	}
}

// SignIn checks a password and starts a session. address is the client's IP
// address. Errors: ErrCredentials, *LimitError, others are failures.
func (s *Sessions) SignIn(ctx context.Context, email, password, address, userAgent string) (*auth.Principal, string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	network := networkOf(address)
	if wait, ok := s.byAddress.Allow(network); !ok {
		return nil, "", &LimitError{Wait: wait}
	}
	if wait, ok := s.byEmail.Allow(email); !ok {
		return nil, "", &LimitError{Wait: wait}
	}
	person, err := s.db.PersonByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, "", err
	}
	ok, err := s.hasher.Verify(ctx, person.PasswordHash, password)
	if err != nil {
		return nil, "", fmt.Errorf("check password: %w", err)
	}
	if !ok {
		return nil, "", ErrCredentials
	}
	s.byEmail.Forgive(email)
	s.byAddress.Forgive(network)
	token, err := s.Start(ctx, person.ID, userAgent)
	return PersonPrincipal(person), token, err
}

// Start begins a session of a person and returns its token.
func (s *Sessions) Start(ctx context.Context, person, userAgent string) (string, error) {
	token, err := auth.RandomText(s.random, "", 32)
	if err != nil {
		return "", err
	}
	now := s.now()
	if len(userAgent) > 256 {
		userAgent = strings.ToValidUTF8(userAgent[:256], "")
	}
	err = s.db.CreateSession(ctx, store.Session{Hash: sha256.Sum256([]byte(token)), Person: person,
		CreatedAt: now.UnixMilli(), SeenAt: now.UnixMilli(), ExpiresAt: now.Add(SessionIdle).UnixMilli(), UserAgent: userAgent})
	return token, err
}

// Check returns who a session token belongs to, and prolongs the session.
// Errors: ErrNoSession, others are failures.
func (s *Sessions) Check(ctx context.Context, token string) (*auth.Principal, error) {
	if token == "" || len(token) > maxKeyBytes {
		return nil, ErrNoSession
	}
	hash := store.Hash(sha256.Sum256([]byte(token)))
	session, err := s.db.Session(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoSession
	}
	if err != nil {
		return nil, err
	}
	now := s.now()
	if now.UnixMilli() >= session.ExpiresAt {
		return nil, ErrNoSession
	}
	person, err := s.db.Person(ctx, session.Person)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoSession
	}
	if err != nil {
		return nil, err
	}
	if now.Sub(time.UnixMilli(session.SeenAt)) >= touchEvery {
		end := min(now.Add(SessionIdle).UnixMilli(), time.UnixMilli(session.CreatedAt).Add(SessionMax).UnixMilli())
		if err := s.db.TouchSession(ctx, hash, now.UnixMilli(), end); err != nil {
			return nil, err
		}
	}
	return PersonPrincipal(person), nil
}

// End ends a session; an unknown one is no error.
func (s *Sessions) End(ctx context.Context, token string) error {
	return s.db.DeleteSession(ctx, sha256.Sum256([]byte(token)))
}

// PersonPrincipal returns the principal of a person.
func PersonPrincipal(p store.Person) *auth.Principal {
	return &auth.Principal{Kind: auth.KindPerson, ID: p.ID, Name: p.Name, Email: p.Email, Role: p.Role,
		Sites: p.Sites, Scopes: auth.RoleScopes(p.Role)}
}

// Cookie makes the session cookie. secure says that the request came over TLS;
// an empty token removes the cookie.
func Cookie(token string, secure bool) *http.Cookie {
	c := &http.Cookie{Name: CookieName, Value: token, Path: "/", HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteLaxMode, MaxAge: int(SessionMax / time.Second)}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// networkOf is what an address counts as: itself, or its /64 in IPv6.
func networkOf(address string) string {
	ip := net.ParseIP(address)
	if ip == nil || ip.To4() != nil {
		return address
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
