package app

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/readership/readership/internal/collect"
)

// TestLimitsAreSeen sends more than a key may, through both listeners: what is
// refused stands in the ledger and in the metrics.
func TestLimitsAreSeen(t *testing.T) {
	r := begin(t, Config{Data: t.TempDir(), RootKey: rootKey, CollectListen: "127.0.0.1:0", Rates: collect.Rates{Key: 1}})
	defer r.end(t)
	keys := alikeSite(t, r)
	refused := 0
	for i := range 30 {
		to := []net.Addr{r.address, r.collect}[i%2]
		request, err := http.NewRequest("POST", fmt.Sprintf("http://%s/v1/events", to), strings.NewReader(`{"type":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+keys["write"])
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusTooManyRequests && answer.Header.Get("Retry-After") != "" {
			refused++
		} else if answer.StatusCode != http.StatusOK {
			t.Fatal(answer.StatusCode)
		}
	}
	if refused < 10 || refused > 20 { // a second is one request more
		t.Errorf("%d are refused", refused)
	}
	// A commit brings what was refused into the ledger.
	if status, answer := r.call(t, "POST", "/v1/events?site=news", rootKey, `{"type":"a"}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if _, ledger := r.call(t, "GET", "/v1/sites/news/ledger", rootKey, ""); !strings.Contains(ledger, `"key_rate"`) {
		t.Errorf("ledger: %s", ledger)
	}
	_, metrics := r.call(t, "GET", "/metrics", rootKey, "")
	for _, want := range []string{fmt.Sprintf(`readership_requests_limited_total{reason="key_rate"} %d`, refused),
		`readership_connections{listener="fast"} `, `readership_connections{listener="main"} `, `readership_connections_refused_total{listener="main",reason="address"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
