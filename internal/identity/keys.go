package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How key sets are kept up to date.
const (
	refreshEvery = 10 * time.Minute
	// refreshSoon is the least time between two fetches that tokens with an
	// unknown key cause.
	refreshSoon = 30 * time.Second
	retryFirst  = time.Second // doubles with every failure
	retryMost   = 5 * time.Minute
	// staleTime is how long keys hold that cannot be fetched again.
	staleTime     = 24 * time.Hour
	fetchTime     = 10 * time.Second
	maxKeySet     = 1 << 20 // bytes
	maxKeySets    = 1000
	fetchesAtOnce = 8
)

// Fetch gets the bytes of a key set.
type Fetch func(ctx context.Context, url string) ([]byte, error)

// FetchWith fetches over HTTP.
func FetchWith(client *http.Client) Fetch {
	return func(ctx context.Context, url string) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", "application/jwk-set+json, application/json")
		answer, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the answer is %s", answer.Status)
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySet+1))
		if err == nil && len(body) > maxKeySet {
			err = fmt.Errorf("the answer has more than %d bytes", maxKeySet)
		}
		return body, err
	}
}

// keySet are the keys behind one address. It is immutable.
type keySet struct {
	keys     []jose.JSONWebKey
	fetched  time.Time // zero: never
	next     time.Time // when it is fetched again
	failures int       // since it was fetched
	err      error     // of the last failure
}

// current returns the keys that hold at an instant.
func (s *keySet) current(now time.Time) []jose.JSONWebKey {
	if s == nil || now.Sub(s.fetched) > staleTime {
		return nil
	}
	return s.keys
}

// parseKeySet reads a JSON Web Key Set. Keys that cannot check a token of ours
// are left out; one that cannot be read does not spoil the others.
func parseKeySet(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("it is not a key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, at most %d are read", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && usable(&k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key for RS256 (2048 bits and more), ES256 or EdDSA")
	}
	return keys, nil
}

// after returns the key set after a fetch that ended at now.
func (s *keySet) after(body []byte, err error, now time.Time) *keySet {
	var keys []jose.JSONWebKey
	if err == nil {
		keys, err = parseKeySet(body)
	}
	if err == nil {
		return &keySet{keys: keys, fetched: now, next: now.Add(refreshEvery)}
	}
	failed := keySet{failures: 1, err: err}
	if s != nil {
		failed.keys, failed.fetched, failed.failures = s.keys, s.fetched, s.failures+1
	}
	wait := retryMost
	if failed.failures < 20 {
		wait = min(retryMost, retryFirst<<(failed.failures-1))
	}
	failed.next = now.Add(wait)
	return &failed
}
