package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/readership/readership/internal/event"
)

// Status is what became of a request's token.
type Status uint8

// The states of a token. None and Valid have no name: an answer says nothing
// of a token that is not there or is right.
const (
	None    Status = iota // the request has no token
	Valid                 // it proves Account
	Expired               // it did
	Invalid               // it proves nothing
)

// String returns the name in a verdict: expired, invalid, or "".
func (s Status) String() string { return [...]string{"", "", "expired", "invalid"}[s&3] }

// Token is what a request proves of its reader. Account is "" unless Status is
// Valid. It must not be changed: requests share it.
type Token struct {
	Status       Status
	Account      string
	Entitlements []string
	// Domain is that of the e-mail address, in lower case, unless the token says
	// that the address is not verified.
	Domain string

	expires, notBefore int64 // Unix seconds
}

// Limits of tokens.
const (
	maxTokenBytes    = 8 << 10
	maxAccountBytes  = 512
	maxEntitlements  = 100
	maxEntitlement   = 128
	minRSABits       = 2048
	maxKeys          = 64 // of a key set
	maxKeysWithoutID = 8  // tried for a token that names no key
	leeway           = time.Minute
)

// What algorithms a key can be used with follows from the key alone; a token
// cannot choose. "none" and all others are refused before a key is looked at.
var (
	bySecret = []jose.SignatureAlgorithm{jose.HS256}
	byKeys   = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}
	byBoth   = []jose.SignatureAlgorithm{jose.HS256, jose.RS256, jose.ES256, jose.EdDSA}
)

// verifier checks the tokens of one site's settings.
type verifier struct {
	identity   event.Identity
	algorithms []jose.SignatureAlgorithm // none: the site has no tokens
	secret     []byte
	audience   jwt.Audience
}

func newVerifier(identity event.Identity) *verifier {
	v := &verifier{identity: identity}
	hasSecret := identity.Secret != nil && *identity.Secret != ""
	if hasSecret {
		// HMAC fills its key with zeros to the length of a block, so these say
		// nothing; the library wants 32 bytes.
		v.secret = []byte(*identity.Secret)
		for len(v.secret) < 32 {
			v.secret = append(v.secret, 0)
		}
	}
	switch {
	case hasSecret && identity.JWKSURL != "":
		v.algorithms = byBoth
	case hasSecret:
		v.algorithms = bySecret
	case identity.JWKSURL != "":
		v.algorithms = byKeys
	}
	if identity.Audience != "" {
		v.audience = jwt.Audience{identity.Audience}
	}
	if v.identity.AccountClaim == "" {
		v.identity.AccountClaim = "sub"
	}
	return v
}

// errUnknownKey says that the token names a key that is not in the key set.
var errUnknownKey = errors.New("the token's key is not known")

var errToken = errors.New("token proves nothing")

// verify checks a token at an instant. keys are the site's key set as it is
// now. An expired token that is right otherwise has Status Expired and no
// error. Errors: errUnknownKey, or why it is invalid.
func (v *verifier) verify(raw string, keys []jose.JSONWebKey, now time.Time) (*Token, error) {
	if len(raw) > maxTokenBytes {
		return nil, errToken
	}
	parsed, err := jwt.ParseSigned(raw, v.algorithms)
	if err != nil {
		return nil, err
	}
	var claims jwt.Claims
	var all map[string]any
	if err := v.read(parsed, keys, &claims, &all); err != nil {
		return nil, err
	}
	expected := jwt.Expected{Issuer: v.identity.Issuer, AnyAudience: v.audience, Time: now}
	if err := claims.ValidateWithLeeway(expected, leeway); errors.Is(err, jwt.ErrExpired) {
		return &Token{Status: Expired}, nil
	} else if err != nil {
		return nil, err
	}
	account, ok := accountOf(all[v.identity.AccountClaim])
	if !ok {
		return nil, errToken
	}
	t := &Token{Status: Valid, Account: account, Domain: domainOf(all), expires: math.MaxInt64}
	if claims.Expiry != nil {
		t.expires = int64(*claims.Expiry)
	}
	if claims.NotBefore != nil {
		t.notBefore = int64(*claims.NotBefore)
	}
	if name := v.identity.EntitlementsClaim; name != "" {
		t.Entitlements = entitlementsOf(all[name])
	}
	return t, nil
}

// read checks the signature with the keys that fit and reads the claims.
func (v *verifier) read(parsed *jwt.JSONWebToken, keys []jose.JSONWebKey, claims *jwt.Claims, all *map[string]any) error {
	if len(parsed.Headers) != 1 {
		return errToken
	}
	head := &parsed.Headers[0]
	if head.Algorithm == string(jose.HS256) {
		return parsed.Claims(v.secret, claims, all)
	}
	err, tried := errUnknownKey, 0
	for i := range keys {
		k := &keys[i]
		if head.KeyID != "" && k.KeyID != head.KeyID || !fits(k, head.Algorithm) {
			continue
		}
		if tried++; tried > maxKeysWithoutID {
			break
		}
		if err = parsed.Claims(k.Key, claims, all); err == nil {
			return nil
		}
	}
	return err
}

// fits says whether a key of a key set may check an algorithm.
func fits(k *jose.JSONWebKey, algorithm string) bool {
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return algorithm == string(jose.RS256)
	case *ecdsa.PublicKey:
		return algorithm == string(jose.ES256) && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}

// usable says whether a key of a key set checks any token of ours. Secrets and
// private keys in a key set are for everybody to read, so they prove nothing.
func usable(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" {
		return false
	}
	if key, ok := k.Key.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
		return false
	}
	for _, algorithm := range byKeys {
		if fits(k, string(algorithm)) {
			return k.Algorithm == "" || k.Algorithm == string(algorithm)
		}
	}
	return false
}

// accountOf is a claim as the id of an account.
func accountOf(claim any) (string, bool) {
	var id string
	switch v := claim.(type) {
	case string:
		id = v
	case float64:
		if v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
			return "", false
		}
		id = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return id, id != "" && len(id) <= maxAccountBytes && utf8.ValidString(id)
}

// entitlementsOf is a claim as names: a list of texts, or one text with names
// between blanks.
func entitlementsOf(claim any) []string {
	var names []string
	add := func(name string) {
		if name != "" && len(name) <= maxEntitlement && len(names) < maxEntitlements {
			names = append(names, name)
		}
	}
	switch v := claim.(type) {
	case string:
		for name := range strings.FieldsSeq(v) {
			add(name)
		}
	case []any:
		for _, one := range v {
			if name, ok := one.(string); ok {
				add(name)
			}
		}
	}
	return names
}

func domainOf(claims map[string]any) string {
	email, _ := claims["email"].(string)
	if verified, ok := claims["email_verified"].(bool); ok && !verified {
		return ""
	}
	at := strings.LastIndexByte(email, '@')
	if at < 0 || len(email) > 320 {
		return ""
	}
	return strings.ToLower(email[at+1:])
}

// at returns the token as it is at a later instant.
func (t *Token) at(now time.Time) *Token {
	if now.Add(-leeway).Unix() > t.expires {
		return &Token{Status: Expired}
	}
	if now.Add(leeway).Unix() < t.notBefore {
		return &Token{Status: Invalid}
	}
	return t
}
