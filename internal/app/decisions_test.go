package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// story is a program with a meter and a wall.
const story = `
let reads = events |> where type == "page_view"
segment fan = reads |> distinct item |> count >= 2
let allowance = if reader.registered then 6 else 3
meter monthly (limit: allowance) = burns |> per month |> distinct item
access story (deadline: 10s) {
  allow  subscriber if reader.entitled("premium")
  allow  preview    if request.preview
  allow  gift       if request.gift
  allow  bot        if bot.verified and bot.class == "search"
  allow  austria    if request.country == "AT"
  allow  open       if item.tier == "free"
  deny   premium    if item.tier == "premium" offers plans
  allow  again      if item in monthly
  allow  metered    if monthly.left > 0 burns monthly
  deny   register   if not reader.registered offers registration_wall
  deny   subscribe  offers plans
}
access closed (deadline: 10s, fails: closed) { deny all offers plans }
`

// newsroom is a running server with one site and the program above.
type newsroom struct {
	t        testing.TB
	address  string
	writeKey string
	node     *node
	clock    *clock
	stop     func()
}

func openNewsroom(t *testing.T, cfg Config, settings string) *newsroom {
	t.Helper()
	clock := newClock(time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC))
	cfg.Now = clock.now
	if cfg.Data == "" {
		cfg.Data = t.TempDir()
	}
	n, stop := up(t, cfg)
	s := &newsroom{t: t, stop: stop, address: "http://" + n.front.listener.Addr().String(), node: n, clock: clock}
	s.writeKey = s.want(201, "POST", "/v1/sites", rootKey, `{"id":"news","domains":["news.example"],"timezone":"Europe/Berlin"`+settings+`}`).json(t)["write_key"].(string)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": story}}))
	s.want(200, "POST", "/v1/sites/news/items", rootKey, `[{"id":"free","tier":"free"},{"id":"gold","tier":"premium"},{"id":"other","tier":"premium"}]`)
	return s
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (r reply) json(t testing.TB) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	return out
}

// do sends a request; headers come as "Name: value".
func (s *newsroom) do(method, path, key, body string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequest(method, s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, string(text), res.Header}
}

func (s *newsroom) want(status int, method, path, key, body string, headers ...string) reply {
	s.t.Helper()
	r := s.do(method, path, key, body, headers...)
	if r.status != status {
		s.t.Fatalf("%s %s: %d, want %d\n%s", method, path, r.status, status, r.body)
	}
	return r
}

// verdict asks about an item for a device.
func (s *newsroom) verdict(device, item string, commit bool) map[string]any {
	s.t.Helper()
	return s.want(200, "POST", "/v1/sites/news/decisions", rootKey,
		fmt.Sprintf(`{"access":"story","reader":{"device":%q,"account":null},"item":{"id":%q},"commit":%t,"at":null}`, device, item, commit)).json(s.t)
}

func TestDecisionsOverHTTP(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"privacy":{"without_consent":"assume"}`)
	bare := s.verdict("d1", "a1", false)
	if bare["decision"] != "allow" || bare["clause"] != "metered" || bare["commit"] != nil || bare["reader"] != "device:d1" || bare["program_version"] != 1.0 || bare["fallback"] != false {
		t.Fatalf("%v", bare)
	}
	if m := bare["meter"].(map[string]any); m["name"] != "monthly" || m["used"] != 0.0 || m["limit"] != 3.0 || m["left"] != 3.0 || m["resets_at"] != nil {
		t.Fatalf("%v", m)
	}
	x := s.want(200, "GET", "/v1/sites/news/decisions/"+bare["decision_id"].(string), rootKey, "").json(t)
	if x["commit"] != nil || x["clause"] != "metered" || !strings.HasPrefix(x["sentence"].(string), "Allowed by `metered`: 0 of 3 articles of March") {
		t.Fatalf("%v", x)
	}
	// It is committed, again and again, and burns once.
	for range 2 {
		v := s.want(200, "POST", "/v1/sites/news/decisions/"+bare["decision_id"].(string)+"/commit", rootKey, "").json(t)
		if v["commit"] != "burned" || v["meter"].(map[string]any)["used"] != 1.0 || v["meter"].(map[string]any)["resets_at"] != "2026-04-01T00:00:00+02:00" {
			t.Fatalf("%v", v)
		}
	}
	if v := s.verdict("d1", "a1", true); v["commit"] != "again" || v["clause"] != "again" || v["meter"].(map[string]any)["used"] != 1.0 || v["ttl_s"] != 60.0 {
		t.Fatalf("%v", v)
	}
	for i := range 2 {
		if v := s.verdict("d1", fmt.Sprint("b", i), true); v["commit"] != "burned" || v["meter"].(map[string]any)["used"] != float64(2+i) {
			t.Fatalf("%v", v)
		}
	}
	denied := s.verdict("d1", "a9", true)
	if denied["decision"] != "deny" || denied["clause"] != "register" || denied["offer"] != "registration_wall" || denied["commit"] != "denied" || denied["ttl_s"] != 0.0 {
		t.Fatalf("%v", denied)
	}
	if v := s.verdict("d1", "free", true); v["clause"] != "open" || v["commit"] != "none" || v["meter"] != nil {
		t.Fatalf("%v", v)
	}
	id := denied["decision_id"].(string)
	x = s.want(200, "GET", "/v1/sites/news/decisions/"+id, rootKey, "").json(t)
	if x["commit"] != "denied" || x["sentence"] != "Stopped by `register`: 3 of 3 articles of March are used; the limit is 3 because this reader is not registered (6 if registered)." ||
		len(x["meter"].(map[string]any)["entries"].([]any)) != 3 {
		t.Fatalf("%v", x)
	}
	list := s.want(200, "GET", "/v1/sites/news/readers/device:d1/decisions", rootKey, "").json(t)["decisions"].([]any)
	if len(list) != 6 || list[1].(map[string]any)["decision_id"] != id || list[5].(map[string]any)["decision_id"] != bare["decision_id"] {
		t.Fatalf("%v", list)
	}
	found := s.want(200, "GET", "/v1/sites/news/decisions?code="+id[len(id)-8:], rootKey, "").json(t)["decisions"].([]any)
	if len(found) != 1 || found[0].(map[string]any)["decision_id"] != id {
		t.Fatalf("%v", found)
	}
	s.want(204, "DELETE", "/v1/sites/news/readers/device:d1/meters/monthly?why=asked", rootKey, "")
	if v := s.verdict("d1", "a9", false); v["clause"] != "metered" || v["meter"].(map[string]any)["used"] != 0.0 {
		t.Fatalf("%v", v)
	}
	export := s.want(200, "GET", "/v1/sites/news/readers/device:d1", rootKey, "").json(t)
	if got := asJSON(export["emptied"]); got != `[{"at":"2026-03-20T09:00:00Z","by":"root","meter":"monthly","why":"asked"}]` {
		t.Errorf("emptied: %s", got)
	}
	if other := s.want(200, "GET", "/v1/sites/news/readers/device:d2", rootKey, "").json(t); other["emptied"] != nil || export["burned"] != nil {
		t.Errorf("of another reader %v, still burned %v", other["emptied"], export["burned"])
	}
	if r := s.want(404, "DELETE", "/v1/sites/news/readers/device:d1/meters/montly", rootKey, ""); !strings.Contains(r.body, "monthly") {
		t.Error(r.body)
	}
	for _, r := range []reply{s.want(404, "GET", "/v1/sites/news/decisions/none", rootKey, ""), s.want(404, "POST", "/v1/sites/news/decisions/none/commit", rootKey, "")} {
		if r.json(t)["code"] != "not_decision" {
			t.Error(r.body)
		}
	}
	if r := s.want(404, "POST", "/v1/sites/news/decisions", rootKey, `{"access":"stry","reader":{"device":"d"},"item":{"id":"a"}}`); r.json(t)["code"] != "unknown_access" || !strings.Contains(r.body, "story") {
		t.Error(r.body)
	}
	late := s.verdict("d2", "a1", false)["decision_id"].(string)
	s.clock.advance(10*time.Minute + time.Second)
	s.want(410, "POST", "/v1/sites/news/decisions/"+late+"/commit", rootKey, "")
	if r := s.want(404, "GET", "/v1/sites/news/decisions/"+late, rootKey, ""); r.json(t)["code"] != "decision_not_kept" {
		t.Error(r.body)
	}
	s.want(200, "GET", "/v1/sites/news/decisions/"+id, rootKey, "")
	many := s.want(200, "POST", "/v1/sites/news/decisions", rootKey, `[{"access":"story","reader":{"device":"d5"},"item":{"id":"a"}},{"access":"closed","reader":{"account":"x"},"item":{"id":"a"},"commit":true}]`)
	var two []map[string]any
	if err := json.Unmarshal([]byte(many.body), &two); err != nil || len(two) != 2 || two[1]["decision"] != "deny" || two[1]["reader"] != "account:x" {
		t.Fatal(many.body)
	}
	if r := s.want(422, "POST", "/v1/sites/news/decisions", rootKey, `{"acces":"story","reader":{"device":7},"commit":true,"at":"2026-03-01T00:00:00Z","time":5}`); strings.Count(r.body, `"location"`) < 5 {
		t.Error(r.body)
	}
}

// TestRefused: what was shown stays shown, and nothing is burned.
func TestRefused(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"name":"News"`)
	var ids []string
	for i := range 4 {
		ids = append(ids, s.verdict("d1", fmt.Sprint("a", i), false)["decision_id"].(string))
	}
	for i, want := range []string{"burned", "burned", "burned", "refused"} {
		v := s.want(200, "POST", "/v1/sites/news/decisions/"+ids[i]+"/commit", rootKey, "").json(t)
		if v["commit"] != want || v["meter"].(map[string]any)["used"] != float64(min(i+1, 3)) {
			t.Fatalf("%d: %v", i, v)
		}
	}
	// A wall that was shown is a denial, whatever holds by then.
	wall := s.verdict("d1", "a9", false)["decision_id"].(string)
	s.want(204, "DELETE", "/v1/sites/news/readers/device:d1/meters/monthly", rootKey, "")
	v := s.want(200, "POST", "/v1/sites/news/decisions/"+wall+"/commit", rootKey, "").json(t)
	if v["commit"] != "denied" || v["clause"] != "register" || v["meter"].(map[string]any)["used"] != 3.0 {
		t.Fatalf("%v", v)
	}
	if v := s.verdict("d1", "a9", false); v["meter"].(map[string]any)["used"] != 0.0 {
		t.Fatalf("%v", v)
	}
}

// TestParallelDecisions: of many at once exactly what is left is granted.
func TestParallelDecisions(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"name":"News"`)
	for round := range 4 {
		var granted atomic.Int32
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if s.verdict(fmt.Sprint("r", round), fmt.Sprint("a", i), true)["commit"] == "burned" {
					granted.Add(1)
				}
			})
		}
		all.Wait()
		if n := granted.Load(); n != 3 {
			t.Fatalf("round %d granted %d", round, n)
		}
	}
}

// TestArrayWithAFault: of an array with a commit that cannot be none is begun, and the
// answer is what is wrong with that one.
func TestArrayWithAFault(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"clock":"event"`)
	began := time.Date(2026, 3, 19, 9, 0, 0, 0, time.UTC)
	ask := func(n int, at time.Duration) string {
		return fmt.Sprintf(`{"access":"story","reader":{"device":"d1"},"item":{"id":"a%d"},"commit":true,"time":%d}`, n, began.Add(at).UnixMilli())
	}
	of := func() (items []any) {
		for _, d := range s.want(200, "GET", "/v1/sites/news/readers/device:d1/decisions", rootKey, "").json(t)["decisions"].([]any) {
			items = append(items, d.(map[string]any)["item"])
		}
		return items
	}
	s.want(200, "POST", "/v1/sites/news/decisions", rootKey, "["+ask(0, 0)+"]")
	const hour = time.Hour
	for _, c := range []struct {
		name, body, code string
	}{
		{"a time before the clock", "[" + ask(1, hour) + "," + ask(2, -hour) + "," + ask(3, 2*hour) + "]", "time_too_old"},
		{"a time far ahead", "[" + ask(4, 3*hour) + "," + ask(5, 300*hour) + "," + ask(6, 301*hour) + "]", "time_jump"},
		{"an access block that is not there", "[" + ask(7, 4*hour) + "," + strings.Replace(ask(8, 5*hour), "story", "stroy", 1) + "," + ask(9, 6*hour) + "]", ""},
	} {
		r := s.do("POST", "/v1/sites/news/decisions", rootKey, c.body)
		if r.status != 422 && (c.code != "" || r.status != 404) || !strings.Contains(r.body, c.code) {
			t.Errorf("%s: %d %s", c.name, r.status, r.body)
		}
		if got := fmt.Sprint(of()); got != "[a0]" {
			t.Errorf("%s: stored %s, want what was there", c.name, got)
		}
	}
	// So each can be asked for again.
	if v := s.want(200, "POST", "/v1/sites/news/decisions", rootKey, ask(4, 7*hour)).json(t); v["commit"] != "burned" {
		t.Error(v)
	}
}

// TestQueryOfDecisions: a query that names the type sees what commits left, by
// clause and by reader; none else does, and none counts them as events.
func TestQueryOfDecisions(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"name":"News"`)
	s.want(200, "POST", "/v1/events?site=news", rootKey, `{"type":"page_view","device":"d1","item":"a1"}`)
	for i := range 4 {
		s.verdict("d1", fmt.Sprint("a", i), true)
	}
	s.verdict("d2", "a1", true)
	s.verdict("d3", "a1", false) // leaves nothing
	for _, c := range []struct{ name, question, want string }{
		{"by clause", `"metrics":["visitors","events","page_views","visits"],"filters":[["is","type",["decision"]]],"dimensions":["clause"]`,
			`[{"dimensions":["metered"],"metrics":[2,0,0,0]},{"dimensions":["register"],"metrics":[1,0,0,0]}]`},
		{"of one clause", `"metrics":["visitors"],"filters":[["is","type",["decision"]],["is","clause",["register"]]]`, `[{"dimensions":[],"metrics":[1]}]`},
		{"by type", `"metrics":["visitors","events"],"dimensions":["type"]`, `[{"dimensions":["decision"],"metrics":[2,0]},{"dimensions":["page_view"],"metrics":[1,1]}]`},
		{"of another type", `"metrics":["visitors","events"],"filters":[["is","type",["page_view"]]]`, `[{"dimensions":[],"metrics":[1,1]}]`},
		{"without the type", `"metrics":["visitors","events"],"dimensions":["clause"]`, `[{"dimensions":["(none)"],"metrics":[1,1]}]`},
	} {
		r := s.want(200, "POST", "/v1/sites/news/query", rootKey, `{"date_range":"1h",`+c.question+`}`).json(t)
		if got := asJSON(r["results"]); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
