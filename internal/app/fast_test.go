package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
)

// asked is a request that both listeners must answer alike.
type asked struct {
	name, method, path, key, body string
	headers                       map[string]string
	want                          int
}

func membershipTable() []asked {
	const reader = "/v1/sites/news/readers/device:a%2Fb/segments"
	const decisions = "/v1/sites/news/decisions"
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	return []asked{
		{"a reader", "GET", "/v1/sites/news/readers/device:d1/segments", rootKey, "", nil, 200},
		{"an escaped reader", "GET", reader, rootKey, "", nil, 200},
		{"escaped otherwise", "GET", "/v1/sites/n%65ws/readers/device%3Aa%2fb/segments", rootKey, "", nil, 200},
		{"quotes and umlauts", "GET", "/v1/sites/news/readers/device:%22%3C%C3%BC%E2%80%A8%5C%01/segments", rootKey, "", nil, 200},
		{"unknown", "GET", "/v1/sites/news/readers/account:nobody/segments", rootKey, "", nil, 200},
		{"a device of an account", "GET", "/v1/sites/news/readers/device:account:a7/segments", rootKey, "", nil, 200},
		{"now", "GET", "/v1/sites/news/readers/device:d1/segments?at=", rootKey, "", nil, 200},
		{"long ago", "GET", "/v1/sites/news/readers/device:d1/segments?at=2001-01-01T00:00:00Z", rootKey, "", nil, 422},
		{"no time", "GET", "/v1/sites/news/readers/device:d1/segments?at=x", rootKey, "", nil, 422},
		{"no parameter", "GET", "/v1/sites/news/readers/device:d1/segments?when=1", rootKey, "", nil, 422},
		{"no reader", "GET", "/v1/sites/news/readers/d1/segments", rootKey, "", nil, 422},
		{"empty reader", "GET", "/v1/sites/news/readers//segments", rootKey, "", nil, 307},
		{"too long", "GET", "/v1/sites/news/readers/device:" + strings.Repeat("x", 700) + "/segments", rootKey, "", nil, 422},
		{"not UTF-8", "GET", "/v1/sites/news/readers/device:%ff/segments", rootKey, "", nil, 400},
		{"no key", "GET", "/v1/sites/news/readers/device:d1/segments", "", "", nil, 401},
		{"unknown key", "GET", "/v1/sites/news/readers/device:d1/segments", "rk_unknown", "", nil, 401},
		{"basic", "GET", "/v1/sites/news/readers/device:d1/segments", "", "", header("Authorization", "Basic eDp5"), 401},
		{"other scheme's case", "GET", "/v1/sites/news/readers/device:d1/segments", "", "", header("Authorization", "bearer  "+rootKey+" "), 200},
		{"no scope", "GET", "/v1/sites/news/readers/device:d1/segments", "query", "", nil, 403},
		{"other site's key", "GET", "/v1/sites/news/readers/device:d1/segments", "blog", "", nil, 403},
		{"scope", "GET", "/v1/sites/news/readers/device:d1/segments", "segments", "", nil, 200},
		{"write key", "GET", "/v1/sites/news/readers/device:d1/segments", "write", "", nil, 403},
		{"unknown site", "GET", "/v1/sites/nevs/readers/device:d1/segments", rootKey, "", nil, 404},
		{"HEAD", "HEAD", "/v1/sites/news/readers/device:d1/segments", rootKey, "", nil, 200},
		{"POST", "POST", "/v1/sites/news/readers/device:d1/segments", rootKey, "{}", nil, 405},
		{"position", "GET", "/v1/sites/news/readers/device:d1/segments", rootKey, "", header("X-Readership-Position", "1-1-1"), 200},
		{"bad position", "GET", "/v1/sites/news/readers/device:d1/segments", rootKey, "", header("X-Readership-Position", "x"), 400},
		{"session", "GET", "/v1/sites/news/readers/device:d1/segments", "", "", header("Cookie", "readership_session=x"), 401},
		{"decide", "POST", decisions, rootKey, `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, nil, 200},
		{"decide for two", "POST", decisions, "segments", `[{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}},{"access":"story","reader":{"account":"a7"},"item":{"id":"a2"}}]`, nil, 200},
		{"decide and commit", "POST", decisions, "segments", committed, nil, 200},
		{"commit two", "POST", decisions, rootKey, committedTwo, nil, 200},
		{"commit by an unknown block", "POST", decisions, rootKey, `{"access":"storey","reader":{"device":"d1"},"item":{"id":"a1"},"commit":true}`, header("Origin", "https://news.example"), 404},
		{"commit too long", "POST", decisions, rootKey, `{"access":"story","reader":{"device":"` + strings.Repeat("d", 500) + `"},"item":{"id":"` + strings.Repeat("i", 500) + `"},"commit":true}`, nil, 422},
		{"commit without its scope", "POST", decisions, "reads", `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"},"commit":true}`, nil, 403},
		{"decide without its scope", "POST", decisions, "reads", `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, header("Origin", "https://news.example"), 200},
		{"decide in an unknown site", "POST", "/v1/sites/nevs/decisions", rootKey, `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, nil, 404},
		{"decide by another site's key", "POST", decisions, "blog", `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, nil, 403},
		{"decide with a parameter", "POST", decisions + "?a=1", rootKey, `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, nil, 422},
		{"decide at a position", "POST", decisions, rootKey, `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`, header("X-Readership-Position", "1-1-1"), 200},
		{"nothing to decide", "POST", decisions, rootKey, `[]`, nil, 200},
		{"decide in the page", "POST", decisions, "write", `{"access":"story","item":{"id":"a1"},"request":{"url":"https://news.example/a1"}}`, header("Origin", "https://news.example"), 200},
		{"decide for another", "POST", decisions, "write", `{"access":"story","reader":{"account":"a7"},"item":{"id":"a1"}}`, header("Origin", "https://news.example"), 403},
		{"preflight", "OPTIONS", decisions, "", "", map[string]string{"Origin": "https://news.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}, 204},
		{"unknown block", "POST", decisions, rootKey, `{"access":"storey","reader":{"device":"d1"},"item":{"id":"a1"}}`, nil, 404},
		{"unknown field", "POST", decisions, rootKey, `{"acess":"story"}`, nil, 422},
		{"not JSON", "POST", decisions, rootKey, `{`, nil, 400},
		{"form", "POST", decisions, rootKey, `a=b`, header("Content-Type", "application/x-www-form-urlencoded"), 415},
		{"too large", "POST", decisions, rootKey, strings.Repeat(" ", 6<<20), nil, 413},
		{"no scope to decide", "POST", decisions, "query", `{}`, nil, 403},
		{"no key to decide", "POST", decisions, "", `{}`, nil, 401},
		{"commit of nothing", "POST", decisions + "/x/commit", rootKey, "", nil, 404},
		{"explain nothing", "GET", decisions + "/x", rootKey, "", nil, 404},
		{"look up nothing", "GET", decisions + "?code=abcdefgh", rootKey, "", nil, 200},
		{"delete", "DELETE", decisions, rootKey, "", nil, 405},
		{"recommendations", "GET", "/v1/sites/news/recommendations/home?reader=device:1", rootKey, "", nil, 404},
	}
}

// TestListenersAnswerAlike asks both listeners a table of questions about
// readers: the answers are the same but for their ids and times.
func TestListenersAnswerAlike(t *testing.T) {
	r := begin(t, Config{Data: t.TempDir(), RootKey: rootKey, CollectListen: "127.0.0.1:0"})
	defer r.end(t)
	keys := alikeSite(t, r)
	for _, q := range membershipTable() {
		t.Run(q.name, func(t *testing.T) {
			if key, ok := keys[q.key]; ok {
				q.key = key
			}
			main, fast := q.send(t, r.address), q.send(t, r.collect)
			if d := cmp.Diff(main, fast); d != "" {
				t.Error("main against fast", d)
			}
			if !strings.HasPrefix(main, fmt.Sprint(q.want, "\n")) {
				t.Errorf("%.500s, want %d", main, q.want)
			}
		})
	}
	t.Run("repeated", func(t *testing.T) {
		q := asked{method: "POST", path: "/v1/sites/news/decisions", key: rootKey, headers: map[string]string{"Idempotency-Key": "1"},
			body: `{"access":"story","reader":{"device":"d4"},"item":{"id":"a1"},"commit":true}`}
		for i, to := range []net.Addr{r.collect, r.address, r.collect} {
			if answer := q.send(t, to); !strings.Contains(answer, `"commit":"burned"`) || strings.Contains(answer, "Idempotency-Replayed") != (i > 0) {
				t.Errorf("%d: %s", i, answer)
			}
		}
		q.key = keys["write"] // pages have no keys of that kind
		q.body = `{"access":"story","item":{"id":"a1"},"commit":true}`
		for _, to := range []net.Addr{r.address, r.collect} {
			if answer := q.send(t, to); !strings.HasPrefix(answer, "200\n") || strings.Contains(answer, "Idempotency-Replayed") {
				t.Error(answer)
			}
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		for _, path := range []string{"/v1/sites", "/v1/sites/news", "/v1/sites/news/segments", "/v1/sites/news/readers/device:d1", "/v1/sites/news/query", "/"} {
			if answer := (asked{method: "GET", path: path, key: rootKey}).send(t, r.collect); !strings.HasPrefix(answer, "404\n") {
				t.Errorf("%s: %.100s", path, answer)
			}
		}
	})
}

// alikeSite makes a site with a program and readers, and returns keys by name.
func alikeSite(t *testing.T, r *running) map[string]string {
	t.Helper()
	keys := map[string]string{}
	key := regexp.MustCompile(`"(?:write_)?key":"([^"]*)"`)
	post := func(method, path, body, name string) {
		t.Helper()
		status, answer := r.call(t, method, path, rootKey, body)
		if status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
		if m := key.FindStringSubmatch(answer); name != "" && m != nil {
			keys[name] = m[1]
		}
	}
	post("POST", "/v1/sites", `{"id":"news","domains":["news.example"]}`, "write")
	post("POST", "/v1/sites", `{"id":"blog"}`, "")
	post("POST", "/v1/keys", `{"name":"a","scopes":["query:read"]}`, "query")
	post("POST", "/v1/keys", `{"name":"b","scopes":["segments:read","decisions:write"],"sites":["blog"]}`, "blog")
	post("POST", "/v1/keys", `{"name":"c","scopes":["segments:read","decisions:write"],"sites":["news"]}`, "segments")
	post("POST", "/v1/keys", `{"name":"d","scopes":["decisions:read"]}`, "reads")
	post("PUT", "/v1/sites/news/program", `{"files":{"main":`+fmt.Sprintf("%q", alikeProgram)+`}}`, "")
	for _, device := range []string{"d1", "a/b", `\"<ü`} {
		post("POST", "/v1/events?site=news", fmt.Sprintf(`[{"type":"page_view","device":"%s","item":"a1"},{"type":"page_view","device":"%s","item":"a2"}]`, device, device), "")
	}
	for _, body := range []string{committed, committedTwo} {
		post("POST", "/v1/sites/news/decisions", body, "")
	}
	return keys
}

// committed and committedTwo were committed before: both listeners find them so.
const (
	committed    = `{"access":"story","reader":{"account":"a9"},"item":{"id":"<a1>"},"commit":true}`
	committedTwo = `[{"access":"story","reader":{"device":"d8"},"item":{"id":"a1"},"commit":true},{"access":"story","reader":{"device":"d8","account":"a8"},"item":{"id":"a2"},"commit":true}]`
)

const alikeProgram = `
let reads = events |> where type == "page_view"
segment eager = reads |> last 7d |> distinct item |> count >= 2
segment away = reads |> last 7d |> none
meter monthly (limit: 5) = burns |> per month |> distinct item
access story (deadline: 10s) {
  allow metered if monthly.left > 0 burns monthly
  deny  wall                        offers plans
}
`

// volatile are the members of answers that differ from one to the next.
var volatile = regexp.MustCompile(`"(took_us|at|decision_id|resets_at)":("[^"]*"|\d+)`)

// send returns the answer as text: status, headers, body.
func (q asked) send(t *testing.T, to net.Addr) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), q.method, "http://"+to.String()+q.path, strings.NewReader(q.body))
	if err != nil {
		req, err = http.NewRequestWithContext(t.Context(), q.method, "http://"+to.String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = q.path // as it is
	}
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.key != "" {
		req.Header.Set("Authorization", "Bearer "+q.key)
	}
	for name, value := range q.headers {
		req.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Header.Get("X-Request-Id")) != 24 {
		t.Errorf("request id %q", res.Header.Get("X-Request-Id"))
	}
	var lines []string
	for name, values := range res.Header {
		switch name {
		case "Date", "X-Request-Id", "Content-Length":
		case "X-Readership-Position":
			if !strings.Contains(q.body, `"commit":true`) { // each commit moves it
				lines = append(lines, fmt.Sprint(name, values))
			} else if position, err := event.ParsePosition(values[0]); err != nil || position == 0 {
				t.Errorf("position %q: %v", values, err)
			}
		default:
			lines = append(lines, fmt.Sprint(name, values))
		}
	}
	slices.Sort(lines)
	return fmt.Sprint(res.StatusCode, "\n", strings.Join(lines, "\n"), "\n", volatile.ReplaceAllString(string(text), `"$1":0`))
}
