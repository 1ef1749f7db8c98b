package identity

import (
	"testing"
	"time"
)

// FuzzKeySet: what an address answers is refused or gives keys that check one
// of our algorithms.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AQAB"},{}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeySet(body)
		if (err == nil) == (len(keys) == 0) {
			t.Fatalf("%d keys and %v", len(keys), err)
		}
		for i := range keys {
			if !usable(&keys[i]) {
				t.Fatalf("key %d is of no use", i)
			}
		}
	})
}

// TestPausesGrow: each failure doubles the pause, up to five minutes.
func TestPausesGrow(t *testing.T) {
	now := time.Unix(0, 0)
	var s *keySet
	want := time.Second
	for range 100 {
		s = s.after([]byte("{"), nil, now)
		if got := s.next.Sub(now); got != want || s.err == nil {
			t.Fatalf("pause %s after %d failures, want %s", got, s.failures, want)
		}
		want = min(2*want, 5*time.Minute)
	}
}
