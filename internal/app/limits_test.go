package app

import (
	"encoding/json"
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

// TestAskingIsLimited asks for more decisions and figures than one may, through
// both listeners: decisions count together, and what is refused says when to come
// again. Another key is not concerned.
func TestAskingIsLimited(t *testing.T) {
	r := begin(t, Config{Data: t.TempDir(), RootKey: rootKey, CollectListen: "127.0.0.1:0", DecisionRate: 1, QueryRate: 1})
	defer r.end(t)
	alikeSite(t, r)
	if status, answer := r.call(t, "PUT", "/v1/sites/news/program", rootKey, `{"files":{"main":"access story { allow everyone }"}}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	status, made := r.call(t, "POST", "/v1/keys", rootKey, `{"name":"other","scopes":["decisions:read","query:read"],"sites":["news"]}`)
	if status != 201 {
		t.Fatalf("%d %s", status, made)
	}
	var other struct{ Key string }
	if err := json.Unmarshal([]byte(made), &other); err != nil {
		t.Fatal(err)
	}
	const decision, question = `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, `{"metrics":["events"],"date_range":"1h"}`
	ask := func(to net.Addr, path, key, body string) int {
		request, err := http.NewRequest("POST", fmt.Sprintf("http://%s/v1/sites/news/%s", to, path), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		switch {
		case answer.StatusCode == http.StatusTooManyRequests && answer.Header.Get("Retry-After") == "":
			t.Error("no Retry-After")
		case answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusTooManyRequests:
			t.Fatal(path, answer.StatusCode)
		}
		return answer.StatusCode
	}
	refused := map[string]int{}
	for i := range 30 {
		if ask([]net.Addr{r.address, r.collect}[i%2], "decisions", rootKey, decision) == http.StatusTooManyRequests {
			refused["decision_rate"]++
		}
		if ask(r.address, "query", rootKey, question) == http.StatusTooManyRequests {
			refused["query_rate"]++
		}
	}
	_, metrics := r.call(t, "GET", "/metrics", rootKey, "")
	for reason, n := range refused {
		if n < 5 || n > 25 { // a second is one request more; the set-up asks too
			t.Errorf("%s: %d are refused", reason, n)
		}
		if want := fmt.Sprintf(`readership_requests_limited_total{reason="%s"} %d`, reason, n); !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if len(refused) != 2 || ask(r.collect, "decisions", other.Key, decision) != http.StatusOK || ask(r.address, "query", other.Key, question) != http.StatusOK {
		t.Errorf("refused %v, or another key", refused)
	}
}
