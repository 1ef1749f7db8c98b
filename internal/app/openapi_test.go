package app

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/readership/readership/internal/openapitest"
)

// described is a server whose answers are held beside the description.
type described struct {
	t           *testing.T
	r           *running
	description *openapitest.Description
	succeeded   map[string]bool   // operations
	known       map[string]string // what {NAME} stands for
}

// want sends a request, with {NAME} in its path, body and headers replaced, and
// returns what JSON objects it is answered with. A header is "Name: value", "-Name"
// leaves one out that every request has.
func (d *described) want(status int, method, path, body string, headers ...string) map[string]any {
	d.t.Helper()
	for name, value := range d.known {
		path, body = strings.ReplaceAll(path, "{"+name+"}", value), strings.ReplaceAll(body, "{"+name+"}", value)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.r.address.String()+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+rootKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		if name, ok := strings.CutPrefix(h, "-"); ok {
			req.Header.Del(name)
			continue
		}
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, strings.ReplaceAll(value, "{cookie}", d.known["cookie"]))
	}
	res, err := http.DefaultTransport.RoundTrip(req) // a redirect is an answer
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	var text []byte
	if res.Header.Get("Content-Type") != "text/event-stream" { // which has no end
		if text, err = io.ReadAll(res.Body); err != nil {
			d.t.Fatal(err)
		}
	}
	if res.StatusCode != status {
		d.t.Errorf("%s %s: status %d, want %d: %s", method, path, res.StatusCode, status, text)
		return nil
	}
	operation, err := d.description.Check(req, res.StatusCode, res.Header, text)
	if err != nil {
		d.t.Error(err)
	}
	if operation == "" {
		d.t.Errorf("%s %s is not described", method, path)
	}
	if status < 400 {
		d.succeeded[operation] = true
	}
	if c := res.Cookies(); len(c) > 0 && operation == "sign-in" {
		d.known["cookie"] = c[0].Name + "=" + c[0].Value
	}
	var object map[string]any
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && strings.HasPrefix(string(text), "{") {
		if err := json.Unmarshal(text, &object); err != nil {
			d.t.Error(err)
		}
	}
	return object
}

// keep remembers a member of an answer as {NAME}.
func (d *described) keep(name string, object map[string]any, member string) {
	d.t.Helper()
	value, ok := object[member].(string)
	if !ok {
		d.t.Fatalf("no %s in %v", member, object)
	}
	d.known[name] = value
}

const describedProgram = `{"files":{"main":"segment all = events |> any\nmeter monthly (limit: 1) = burns |> per month |> distinct item\naccess story (counts: request) {\n  allow again   if item in monthly\n  allow metered if monthly.left > 0   burns monthly\n  deny  wall                          offers subscribe\n}\n"}}`

// A client that is generated from the description works only if answers are as it
// says. Every operation is called on a server until it succeeds once, and its
// refusals on the way are held beside the description as well.
func TestAnswersAreAsDescribed(t *testing.T) {
	description, err := openapitest.Load("../../docs/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	r := begin(t, Config{Data: t.TempDir(), RootKey: rootKey})
	d := &described{t: t, r: r, description: description, succeeded: map[string]bool{}, known: map[string]string{"site": "/v1/sites/news"}}
	d.operating()
	d.people()
	d.site()
	d.collecting()
	d.programs()
	d.readers()
	d.deciding()
	d.asking()
	d.leaving()
	for _, operation := range description.Operations() {
		if !d.succeeded[operation] && operation != "get-quarantined" { // nothing is quarantined here
			t.Errorf("%s was not seen to succeed", operation)
		}
	}
	r.end(t)
}

func (d *described) operating() {
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/v1/setup", "/v1/quarantine"} {
		d.want(200, "GET", path, "")
	}
	d.want(404, "GET", "/v1/quarantine/20000-0-1", "")
}

func (d *described) people() {
	token := regexp.MustCompile(`/setup\?token=(\S+)`).FindStringSubmatch(d.r.out.String())
	if token == nil {
		d.t.Fatalf("printed %s", d.r.out.String())
	}
	d.known["token"] = token[1]
	d.want(201, "POST", "/v1/setup", `{"token":"{token}","email":"ada@news.example","password":"correct horse"}`, "-Authorization")
	d.want(401, "POST", "/v1/sessions", `{"email":"ada@news.example","password":"x"}`, "-Authorization")
	d.want(201, "POST", "/v1/sessions", `{"email":"ada@news.example","password":"correct horse"}`, "-Authorization")
	d.want(200, "GET", "/v1/sessions/current", "", "-Authorization", "Cookie: {cookie}")
	d.want(204, "DELETE", "/v1/sessions/current", "", "-Authorization", "Cookie: {cookie}")
	d.want(401, "GET", "/v1/sessions/current", "", "-Authorization")
	d.keep("person", d.want(201, "POST", "/v1/people", `{"email":"eve@news.example","role":"viewer","password":"correct horse"}`), "id")
	d.want(422, "POST", "/v1/people", `{"email":"x","role":"king"}`)
	d.want(200, "PATCH", "/v1/people/{person}", `{"role":"editor"}`)
	d.want(200, "GET", "/v1/people", "")
	d.want(204, "DELETE", "/v1/people/{person}", "")
	d.keep("key", d.want(201, "POST", "/v1/keys", `{"name":"cms","scopes":["catalog:write"]}`), "id")
	d.want(200, "GET", "/v1/keys", "")
	d.want(204, "DELETE", "/v1/keys/{key}", "")
}

func (d *described) site() {
	d.keep("write", d.want(201, "POST", "/v1/sites", `{"id":"news","domains":["news.example"]}`), "write_key")
	d.want(409, "POST", "/v1/sites", `{"id":"news"}`)
	d.want(200, "GET", "/v1/sites", "")
	d.want(200, "GET", "{site}", "")
	d.want(404, "GET", "/v1/sites/none", "")
	d.want(200, "PATCH", "{site}", `{"name":"News"}`)
	d.want(200, "GET", "{site}/snippet", "")
	d.want(200, "GET", "{site}/first-view", "")
	d.keep("key", d.want(201, "POST", "{site}/write-keys", `{}`), "id")
	d.want(200, "GET", "{site}/write-keys", "")
	d.want(204, "DELETE", "{site}/write-keys/{key}", "")
	d.want(201, "PUT", "{site}/items/a1", `{"title":"One","section":"politics"}`)
	d.want(200, "PUT", "{site}/items/a1", `{"title":"One","section":"politics","tags":["x"]}`)
	d.want(200, "POST", "{site}/items", `[{"id":"a2"}]`)
	d.want(422, "POST", "{site}/items", `[{"id":""}]`)
	d.want(200, "GET", "{site}/items/a1", "")
	d.want(200, "GET", "{site}/items", "")
	d.want(204, "DELETE", "{site}/items/a2", "")
	d.want(200, "GET", "{site}/routes", "")
	d.want(200, "PUT", "{site}/routes", `[{"host":"news.example","path":"/*","origins":[{"url":"http://127.0.0.1:9","weight":1}]}]`, "If-Match: *")
	d.want(201, "PUT", "{site}/offers/subscribe", `{"title":"Stay"}`)
	d.want(200, "PUT", "{site}/offers/subscribe", `{"title":"Stay here"}`)
	d.want(200, "GET", "{site}/offers/subscribe", "")
	d.want(204, "DELETE", "{site}/offers/subscribe", "")
	d.want(201, "PUT", "{site}/lists/campus", `{"entitlement":"premium"}`)
	d.want(200, "GET", "{site}/lists/campus", "")
	d.want(200, "GET", "{site}/lists", "")
	d.want(204, "DELETE", "{site}/lists/campus", "")
	d.keep("view", d.want(201, "POST", "{site}/views", `{"name":"x","state":{"a":1}}`), "id")
	d.want(200, "PUT", "{site}/views/{view}", `{"name":"y","state":{}}`)
	d.want(200, "GET", "{site}/views/{view}", "")
	d.want(200, "GET", "{site}/views", "")
	d.want(204, "DELETE", "{site}/views/{view}", "")
}

func (d *described) collecting() {
	d.want(200, "POST", "/v1/events?key={write}", `[{"type":"page_view","device":"d1","item":"a1","url":"https://news.example/a1"},{"type":"page_view","device":"d1","nonsense":1}]`, "-Authorization")
	d.want(400, "POST", "/v1/events?key={write}", `{"type":"page_view","url":"https://evil.example/"}`, "-Authorization")
	d.want(200, "POST", "/v1/events?key={write}&debug=1", `{"type":"page_view","device":"d1"}`, "-Authorization")
	d.want(401, "POST", "/v1/events?key=wrong", `{"type":"page_view"}`, "-Authorization")
	d.want(200, "GET", "/v1/pixel.gif?key={write}&type=page_view&url=https://news.example/a1", "", "-Authorization")
	d.want(200, "GET", "{site}/ledger", "")
	d.want(200, "GET", "{site}/events", "")
}

func (d *described) programs() {
	d.want(200, "GET", "{site}/program", "")
	d.want(200, "POST", "{site}/program/check", describedProgram)
	d.want(422, "PUT", "{site}/program", `{"files":{"main":"segment ="}}`)
	d.want(200, "PUT", "{site}/program", describedProgram)
	d.want(200, "GET", "{site}/program", "")
	d.want(200, "GET", "{site}/program/versions", "")
	d.want(200, "GET", "{site}/program/versions/1", "")
	d.want(200, "POST", "{site}/program/versions/1/activate", "")
	d.want(200, "GET", "{site}/schema", "")
	d.want(200, "GET", "{site}/segments", "")
	d.want(200, "GET", "{site}/segments/all", "")
	d.want(404, "GET", "{site}/segments/none", "")
	d.want(200, "GET", "{site}/segments/all/members", "")
	d.want(200, "GET", "{site}/segment-changes", "")
	d.keep("simulation", d.want(202, "POST", "{site}/simulations", `{"program":{"version":1},"access":"story","against":"active"}`), "id")
	d.want(200, "GET", "{site}/simulations/{simulation}", "")
	d.want(200, "DELETE", "{site}/simulations/{simulation}", "")
}

func (d *described) readers() {
	d.want(201, "PUT", "{site}/accounts/a7", `{"traits":{"age":40},"entitlements":[{"name":"premium","until":null}]}`)
	d.want(200, "PUT", "{site}/accounts/a7", `{"entitlements":[{"name":"premium","state":"past_due","past_due_since":"2026-01-01T00:00:00Z"}]}`)
	d.want(200, "PATCH", "{site}/accounts/a7", `{"traits":{"city":"Rome"}}`)
	d.want(200, "GET", "{site}/accounts/a7", "")
	d.want(200, "GET", "{site}/accounts/none", "") // as it begins
	d.want(200, "POST", "{site}/accounts", `[{"id":"a8"}]`)
	d.want(200, "POST", "{site}/logins", `{"device":"d9","account":"a7"}`)
	d.want(204, "DELETE", "{site}/logins/d9", "")
	d.want(201, "POST", "{site}/devices", `{}`)
	d.want(201, "POST", "{site}/links", `{"kind":"preview","item":"a1"}`)
	d.want(200, "GET", "{site}/readers/device:d1", "")
	d.want(200, "GET", "{site}/readers/device:d1/segments", "")
}

func (d *described) deciding() {
	ask := `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"}}`
	d.keep("decision", d.want(200, "POST", "{site}/decisions", ask), "decision_id")
	d.want(200, "GET", "{site}/decisions/{decision}", "")
	d.want(200, "POST", "{site}/decisions/{decision}/commit", "")
	d.want(200, "GET", "{site}/decisions/{decision}", "")
	d.want(200, "POST", "{site}/decisions", `{"access":"story","reader":{"device":"d1"},"item":{"id":"a1"},"commit":true}`)
	denied := d.want(200, "POST", "{site}/decisions", `{"access":"story","reader":{"device":"d1"},"item":{"id":"a3"}}`)
	d.want(200, "POST", "{site}/decisions", "["+ask+"]")
	d.want(404, "POST", "{site}/decisions", `{"access":"none","reader":{"device":"d1"},"item":{"id":"a1"}}`)
	if code, _ := denied["code"].(string); code != "" {
		d.known["code"] = code
	} else {
		d.known["code"] = "abcdefgh"
	}
	d.want(200, "GET", "{site}/decisions?code={code}", "")
	d.want(200, "GET", "{site}/readers/device:d1/decisions", "")
	d.want(204, "DELETE", "{site}/readers/device:d1/meters/monthly", "")
	d.want(200, "GET", "{site}/auth?access=story&key={write}", "", "-Authorization", "Host: news.example", "X-Original-URI: /a1")
	d.want(403, "GET", "{site}/auth?access=story&key={write}", "", "-Authorization", "Host: evil.example", "X-Original-URI: /a1")
}

func (d *described) asking() {
	d.want(200, "POST", "{site}/query", `{"metrics":["page_views","visitors"],"date_range":"24h","dimensions":["item"],"compare":"previous_period","include":{"totals":true}}`)
	d.want(200, "POST", "{site}/query", `{"metrics":["page_views"],"date_range":"24h","dimensions":["time:hour"],"include":{"time_labels":true}}`)
	d.want(200, "POST", "{site}/query", `{"metrics":["bounce_rate"],"date_range":["2017-01-01T00:00:00Z","2017-01-02T00:00:00Z"]}`)
	d.want(200, "POST", "{site}/query", `{"metrics":["page_views"],"date_range":"24h"}`, "Accept: text/csv")
	d.want(200, "POST", "{site}/query", `{"metrics":["page_views"],"date_range":"24h"}`, "Accept: application/x-ndjson")
	d.want(422, "POST", "{site}/query", `{"metrics":["none"]}`)
	d.want(200, "POST", "{site}/query/stream", `{"metrics":["page_views"],"date_range":"24h"}`)
	d.want(200, "GET", "{site}/live", "")
	d.want(200, "GET", "{site}/live", "", "Accept: text/event-stream")
}

func (d *described) leaving() {
	d.want(200, "DELETE", "{site}/readers/device:d1", "")
	d.want(204, "DELETE", "{site}/accounts/a7", "")
	d.want(204, "DELETE", "{site}", "")
}
