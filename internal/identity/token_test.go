package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
)

// keys are made once: RSA keys take a while.
var keys = sync.OnceValue(func() (k struct {
	rsa, other, small *rsa.PrivateKey
	ec, ec384         *ecdsa.PrivateKey
	ed                ed25519.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.other, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.small, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ec384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

const secret = "a secret of thirty-two bytes and more"

func keySetOf(list ...jose.JSONWebKey) []byte {
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: list})
	if err != nil {
		panic(err)
	}
	return body
}

func public(id string, key crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"}
}

func allKeys() []byte {
	k := keys()
	return keySetOf(public("rsa", k.rsa.Public()), public("ec", k.ec.Public()), public("ed", k.ed.Public()))
}

// sign makes a token; kid "" names no key.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type claims = map[string]any

// headers are those of a request.
type headers map[string]string

func (h headers) Get(name string) string { return h[name] }

var start = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// tokensOf runs Tokens with a site whose key set is body, in a bubble of
// synctest, until the key set was fetched.
func tokensOf(t *testing.T, id event.Identity, body []byte) (*identity.Tokens, *event.Site, func(h headers) *identity.Token) {
	t.Helper()
	site := &event.Site{ID: "news", Identity: id}
	tokens := identity.NewTokens(identity.Config{Now: time.Now, Sites: func() []*event.Site { return []*event.Site{site} },
		Fetch: func(context.Context, string) ([]byte, error) { return body, nil }})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go tokens.Run(ctx)
	synctest.Wait()
	return tokens, site, func(h headers) *identity.Token { return tokens.Verify(site, h) }
}

func withSecret(s string) event.Identity {
	return event.Identity{Cookie: "session", Header: "X-Account-Token", Secret: &s}
}

func TestTokens(t *testing.T) {
	k := keys()
	pemOf := func(key crypto.PublicKey) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	der := func(key crypto.PublicKey) []byte {
		block, _ := pem.Decode(pemOf(key))
		return block.Bytes
	}
	unsigned := func(header, payload string) string {
		enc := base64.RawURLEncoding.EncodeToString
		return enc([]byte(header)) + "." + enc([]byte(payload)) + "."
	}
	byKeys := event.Identity{Header: "X-Account-Token", JWKSURL: "https://id.example/keys"}
	strict := byKeys
	strict.Issuer, strict.Audience, strict.AccountClaim, strict.EntitlementsClaim = "https://id.example", "news", "uid", "products"
	both := byKeys
	shared := secret
	both.Secret = &shared
	soon := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	good := func() claims { return claims{"sub": "a7", "exp": soon(time.Hour)} }

	for _, c := range []struct {
		name  string
		id    event.Identity
		keys  []byte
		token func() string
		want  identity.Status
	}{
		{"RS256", byKeys, allKeys(), func() string { return sign(t, jose.RS256, k.rsa, "rsa", good()) }, identity.Valid},
		{"ES256", byKeys, allKeys(), func() string { return sign(t, jose.ES256, k.ec, "ec", good()) }, identity.Valid},
		{"EdDSA", byKeys, allKeys(), func() string { return sign(t, jose.EdDSA, k.ed, "ed", good()) }, identity.Valid},
		{"HS256", withSecret(secret), nil, func() string { return sign(t, jose.HS256, []byte(secret), "", good()) }, identity.Valid},
		{"no key id", byKeys, allKeys(), func() string { return sign(t, jose.ES256, k.ec, "", good()) }, identity.Valid},
		{"secret and keys: secret", both, allKeys(), func() string { return sign(t, jose.HS256, []byte(secret), "", good()) }, identity.Valid},
		{"secret and keys: key", both, allKeys(), func() string { return sign(t, jose.RS256, k.rsa, "rsa", good()) }, identity.Valid},
		{"a short secret", withSecret("short"), nil, func() string {
			padded := append([]byte("short"), make([]byte, 27)...)
			return sign(t, jose.HS256, padded, "", good())
		}, identity.Valid},

		{"none", byKeys, allKeys(), func() string { return unsigned(`{"alg":"none"}`, `{"sub":"a7"}`) }, identity.Invalid},
		{"None", withSecret(secret), nil, func() string { return unsigned(`{"alg":"None"}`, `{"sub":"a7"}`) }, identity.Invalid},
		{"no algorithm", byKeys, allKeys(), func() string { return unsigned(`{}`, `{"sub":"a7"}`) }, identity.Invalid},
		{"empty signature", byKeys, allKeys(), func() string { return unsigned(`{"alg":"RS256","kid":"rsa"}`, `{"sub":"a7"}`) }, identity.Invalid},
		{"HS256 with the public key as PEM", byKeys, allKeys(), func() string { return sign(t, jose.HS256, pemOf(k.rsa.Public()), "rsa", good()) }, identity.Invalid},
		{"HS256 with the public key as DER", both, allKeys(), func() string { return sign(t, jose.HS256, der(k.rsa.Public()), "rsa", good()) }, identity.Invalid},
		{"HS256 where only keys count", byKeys, allKeys(), func() string { return sign(t, jose.HS256, []byte(secret), "", good()) }, identity.Invalid},
		{"RS256 where only the secret counts", withSecret(secret), nil, func() string { return sign(t, jose.RS256, k.rsa, "rsa", good()) }, identity.Invalid},
		{"a secret in the key set", byKeys, keySetOf(jose.JSONWebKey{Key: []byte(secret), KeyID: "hmac"}, public("ec", k.ec.Public())), func() string {
			return sign(t, jose.HS256, []byte(secret), "hmac", good())
		}, identity.Invalid},
		{"RS384", byKeys, allKeys(), func() string { return sign(t, jose.RS384, k.rsa, "rsa", good()) }, identity.Invalid},
		{"PS256", byKeys, allKeys(), func() string { return sign(t, jose.PS256, k.rsa, "rsa", good()) }, identity.Invalid},
		{"HS384", withSecret(secret + secret), nil, func() string { return sign(t, jose.HS384, []byte(secret+secret), "", good()) }, identity.Invalid},
		{"ES384", byKeys, keySetOf(public("ec", k.ec384.Public()), public("ed", k.ed.Public())), func() string { return sign(t, jose.ES384, k.ec384, "ec", good()) }, identity.Invalid},
		{"a weak key", byKeys, keySetOf(public("rsa", k.small.Public()), public("ed", k.ed.Public())), func() string { return sign(t, jose.RS256, k.small, "rsa", good()) }, identity.Invalid},
		{"a key for encryption", byKeys, keySetOf(jose.JSONWebKey{Key: k.rsa.Public(), KeyID: "rsa", Use: "enc"}, public("ed", k.ed.Public())), func() string {
			return sign(t, jose.RS256, k.rsa, "rsa", good())
		}, identity.Invalid},
		{"a key for another algorithm", byKeys, keySetOf(jose.JSONWebKey{Key: k.rsa.Public(), KeyID: "rsa", Algorithm: "RS512"}, public("ed", k.ed.Public())), func() string {
			return sign(t, jose.RS256, k.rsa, "rsa", good())
		}, identity.Invalid},
		{"another's key under our id", byKeys, allKeys(), func() string { return sign(t, jose.RS256, k.other, "rsa", good()) }, identity.Invalid},
		{"the key of another id", byKeys, allKeys(), func() string { return sign(t, jose.RS256, k.rsa, "ec", good()) }, identity.Invalid},
		{"a key in the token's header", byKeys, allKeys(), func() string {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.other}, (&jose.SignerOptions{EmbedJWK: true}))
			if err != nil {
				t.Fatal(err)
			}
			token, _ := jwt.Signed(signer).Claims(good()).Serialize()
			return token
		}, identity.Invalid},
		{"a changed claim", withSecret(secret), nil, func() string {
			parts := strings.Split(sign(t, jose.HS256, []byte(secret), "", good()), ".")
			parts[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"a8"}`))
			return strings.Join(parts, ".")
		}, identity.Invalid},
		{"an unknown critical header", withSecret(secret), nil, func() string {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, (&jose.SignerOptions{}).WithHeader("crit", []string{"x"}).WithHeader("x", 1))
			if err != nil {
				t.Fatal(err)
			}
			token, _ := jwt.Signed(signer).Claims(good()).Serialize()
			return token
		}, identity.Invalid},
		{"no token at all", byKeys, allKeys(), func() string { return "not.a.token" }, identity.Invalid},
		{"too long", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7", "pad": strings.Repeat("x", 9000)})
		}, identity.Invalid},

		{"issuer and audience", strict, allKeys(), func() string {
			return sign(t, jose.EdDSA, k.ed, "ed", claims{"uid": 7, "iss": "https://id.example", "aud": []string{"shop", "news"}, "products": []string{"premium"}})
		}, identity.Valid},
		{"another issuer", strict, allKeys(), func() string {
			return sign(t, jose.EdDSA, k.ed, "ed", claims{"uid": "a7", "iss": "https://id.example.org", "aud": "news"})
		}, identity.Invalid},
		{"another audience", strict, allKeys(), func() string {
			return sign(t, jose.EdDSA, k.ed, "ed", claims{"uid": "a7", "iss": "https://id.example", "aud": "shop"})
		}, identity.Invalid},
		{"no audience", strict, allKeys(), func() string {
			return sign(t, jose.EdDSA, k.ed, "ed", claims{"uid": "a7", "iss": "https://id.example"})
		}, identity.Invalid},
		{"no account", strict, allKeys(), func() string {
			return sign(t, jose.EdDSA, k.ed, "ed", claims{"sub": "a7", "iss": "https://id.example", "aud": "news"})
		}, identity.Invalid},
		{"an account that is no text", withSecret(secret), nil, func() string { return sign(t, jose.HS256, []byte(secret), "", claims{"sub": []string{"a"}}) }, identity.Invalid},
		{"an account of half", event.Identity{Header: "X-Account-Token", Secret: &shared, AccountClaim: "n"}, nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"n": 1.5})
		}, identity.Invalid},

		{"expired within the leeway", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7", "exp": soon(-60 * time.Second)})
		}, identity.Valid},
		{"expired", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7", "exp": soon(-61 * time.Second)})
		}, identity.Expired},
		{"expired and wrong", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret+"!"), "", claims{"sub": "a7", "exp": soon(-time.Hour)})
		}, identity.Invalid},
		{"not yet within the leeway", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7", "nbf": soon(60 * time.Second)})
		}, identity.Valid},
		{"not yet", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7", "nbf": soon(61 * time.Second)})
		}, identity.Invalid},
		{"issued in the future", withSecret(secret), nil, func() string {
			return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7", "iat": soon(2 * time.Minute)})
		}, identity.Invalid},
		{"without an end", withSecret(secret), nil, func() string { return sign(t, jose.HS256, []byte(secret), "", claims{"sub": "a7"}) }, identity.Valid},
		{"nothing to check with", event.Identity{Header: "X-Account-Token"}, nil, func() string { return sign(t, jose.HS256, []byte(secret), "", good()) }, identity.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, _, verify := tokensOf(t, c.id, c.keys)
				raw := c.token()
				for range 2 { // the second from what is remembered
					got := verify(headers{"X-Account-Token": raw})
					if got.Status != c.want || (got.Account != "") != (c.want == identity.Valid) {
						t.Fatalf("%v %+v, want %d", got.Status, got, c.want)
					}
				}
			})
		})
	}
}

func TestWhatATokenSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := withSecret(secret)
		id.EntitlementsClaim = "products"
		_, _, verify := tokensOf(t, id, nil)
		token := func(c claims) string { return sign(t, jose.HS256, []byte(secret), "", c) }
		got := verify(headers{"Cookie": `a=b; session="` + token(claims{"sub": "a7", "products": "premium archive", "email": "Ann@Uni.Example"}) + `"; c=d`})
		if got.Account != "a7" || !slices.Equal(got.Entitlements, []string{"premium", "archive"}) || got.Domain != "uni.example" {
			t.Errorf("%+v", got)
		}
		got = verify(headers{"X-Account-Token": "bearer " + token(claims{"sub": "a8", "products": []any{"x", 7, ""}, "email": "a@b", "email_verified": false}),
			"Cookie": "session=" + token(claims{"sub": "a7"})})
		if got.Account != "a8" || !slices.Equal(got.Entitlements, []string{"x"}) || got.Domain != "" {
			t.Errorf("the header comes first: %+v", got)
		}
		if got := verify(headers{"Cookie": "other=1"}); got.Status != identity.None || got.Status.String() != "" {
			t.Errorf("no token: %+v", got)
		}
		names := [...]string{identity.Expired.String(), identity.Invalid.String(), identity.Valid.String()}
		if names != [...]string{"expired", "invalid", ""} {
			t.Errorf("names %q", names)
		}
	})
}

// provider answers for key sets, as a test says, for one site.
type provider struct {
	t    *testing.T
	site atomic.Pointer[event.Site]

	mu      sync.Mutex
	body    []byte
	err     error
	fetched int
}

func (p *provider) sites() []*event.Site { return []*event.Site{p.site.Load()} }

func (p *provider) fetch(_ context.Context, url string) ([]byte, error) {
	if url != "https://id.example/keys" {
		p.t.Errorf("fetch of %s", url)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched++
	return p.body, p.err
}

// answer sets what is answered from here on.
func (p *provider) answer(body []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body, p.err = body, err
}

func (p *provider) fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched
}

// TestARememberedTokenEnds: a token that was verified once is expired when its
// time is over, and unknown when its key or the site's settings change.
func TestARememberedTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keys()
		site := &event.Site{ID: "news", Identity: event.Identity{Header: "T", JWKSURL: "https://id.example/keys"}}
		p := &provider{t: t, body: allKeys()}
		p.site.Store(site)
		tokens := identity.NewTokens(identity.Config{Now: time.Now, Sites: p.sites, Fetch: p.fetch})
		go tokens.Run(t.Context())
		synctest.Wait()
		short := sign(t, jose.EdDSA, k.ed, "ed", claims{"sub": "a7", "exp": time.Now().Add(time.Minute).Unix()})
		long := sign(t, jose.EdDSA, k.ed, "ed", claims{"sub": "a7"})
		status := func(raw string) identity.Status { return tokens.Verify(site, headers{"T": raw}).Status }
		if status(short) != identity.Valid || status(long) != identity.Valid {
			t.Fatal("tokens are not valid at first")
		}
		time.Sleep(2*time.Minute + 2*time.Second)
		if status(short) != identity.Expired || status(long) != identity.Valid {
			t.Fatal("a remembered token does not expire")
		}
		p.answer(keySetOf(public("rsa", k.rsa.Public())), nil)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if status(long) != identity.Invalid {
			t.Fatal("a token outlives its key")
		}
		p.answer(allKeys(), nil)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if status(long) != identity.Valid {
			t.Fatal("the key came back")
		}
		changed := *site
		changed.Identity.Audience = "shop"
		site = &changed
		p.site.Store(site)
		if status(long) != identity.Invalid {
			t.Fatal("a token outlives the settings")
		}
	})
}

// TestKeySetsAreFetchedBesideRequests: at most once in half a minute for
// unknown keys, with growing pauses when it fails, never for each request.
func TestKeySetsAreFetchedBesideRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keys()
		site := &event.Site{ID: "news", Identity: event.Identity{Header: "T", JWKSURL: "https://id.example/keys"}}
		p := &provider{t: t, body: keySetOf(public("rsa", k.rsa.Public()))}
		p.site.Store(site)
		tokens := identity.NewTokens(identity.Config{Now: time.Now, Sites: p.sites, Fetch: p.fetch})
		go tokens.Run(t.Context())
		synctest.Wait()
		if p.fetches() != 1 {
			t.Fatalf("%d fetches at the start", p.fetches())
		}
		fresh := sign(t, jose.ES256, k.ec, "ec", claims{"sub": "a7"})
		status := func() identity.Status { return tokens.Verify(site, headers{"T": fresh}).Status }
		for range 1000 {
			if status() != identity.Invalid {
				t.Fatal("an unknown key verifies")
			}
		}
		p.answer(allKeys(), nil) // the key is new
		synctest.Wait()
		if p.fetches() != 1 {
			t.Fatalf("%d fetches for unknown keys within a moment", p.fetches())
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if p.fetches() != 2 || status() != identity.Valid {
			t.Fatalf("%d fetches after half a minute, status %v", p.fetches(), status())
		}
		p.answer(allKeys(), errors.New("connection refused"))
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if w := tokens.Warnings(); status() != identity.Valid || len(w) != 1 || !strings.Contains(w[0], "connection refused") {
			t.Fatalf("keys that cannot be fetched again: %v, %q", status(), w)
		}
		before := p.fetches()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := p.fetches() - before; n < 10 || n > 25 {
			t.Fatalf("%d tries in an hour", n)
		}
		time.Sleep(24 * time.Hour)
		if w := tokens.Warnings(); status() != identity.Invalid || len(w) != 1 || !strings.Contains(w[0], "anonymous") {
			t.Fatalf("keys hold for ever: %v, %q", status(), w)
		}
		if set := tokens.KeySets()[0]; set.Keys != 0 || set.Failures < 100 || set.Sites[0] != "news" {
			t.Fatalf("%+v", set)
		}
		p.answer(allKeys(), nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if w := tokens.Warnings(); status() != identity.Valid || len(w) != 0 {
			t.Fatalf("it does not recover: %v, %q", status(), w)
		}
		p.site.Store(&event.Site{ID: "news"})
		time.Sleep(time.Hour)
		synctest.Wait()
		before = p.fetches()
		time.Sleep(time.Hour)
		if len(tokens.KeySets()) != 0 || p.fetches() != before {
			t.Fatal("a key set that no site names is fetched")
		}
	})
}

func TestFetchOverHTTP(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"/keys":  func(w http.ResponseWriter) { _, _ = w.Write(allKeys()) },
		"/gone":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"/large": func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 2<<20)) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w) }))
	defer server.Close()
	fetch := identity.FetchWith(server.Client())
	if body, err := fetch(t.Context(), server.URL+"/keys"); err != nil || len(body) == 0 {
		t.Fatal(err)
	}
	for _, path := range []string{"/gone", "/large"} {
		if _, err := fetch(t.Context(), server.URL+path); err == nil {
			t.Errorf("%s is no error", path)
		}
	}
}

func TestShortSecretsAreNamed(t *testing.T) {
	short := "short"
	tokens := identity.NewTokens(identity.Config{Now: time.Now, Sites: func() []*event.Site {
		return []*event.Site{{ID: "news", Identity: event.Identity{Secret: &short}}}
	}})
	if w := tokens.Warnings(); len(w) != 1 || !strings.Contains(w[0], "32") {
		t.Errorf("%q", w)
	}
}

// FuzzVerify: whatever a request sends proves nothing, and nothing breaks.
func FuzzVerify(f *testing.F) {
	shared := secret
	site := &event.Site{ID: "news", Identity: event.Identity{Header: "T", Cookie: "session", Secret: &shared}}
	tokens := identity.NewTokens(identity.Config{Now: func() time.Time { return start }, Sites: func() []*event.Site { return []*event.Site{site} }})
	good := sign(f, jose.HS256, []byte(secret), "", claims{"sub": "a7"})
	f.Add("", "session="+good)
	f.Add("Bearer "+good[:len(good)-2], "")
	f.Add(`eyJhbGciOiJub25lIn0.e30.`, "session=\"")
	f.Fuzz(func(t *testing.T, header, cookie string) {
		token := tokens.Verify(site, headers{"T": header, "Cookie": cookie})
		if token.Account != "" && !strings.Contains(header+cookie, good[:strings.LastIndexByte(good, '.')]) {
			t.Fatalf("%q %q proves %+v", header, cookie, token)
		}
	})
}

func BenchmarkVerifyRemembered(b *testing.B) {
	shared := secret
	site := &event.Site{ID: "news", Identity: event.Identity{Header: "T", Secret: &shared}}
	tokens := identity.NewTokens(identity.Config{Now: func() time.Time { return start }, Sites: func() []*event.Site { return []*event.Site{site} }})
	h := headers{"T": sign(b, jose.HS256, []byte(secret), "", claims{"sub": "a7"})}
	b.ReportAllocs()
	for b.Loop() {
		if tokens.Verify(site, h).Account == "" {
			b.Fatal("no account")
		}
	}
}
