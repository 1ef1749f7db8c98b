package app

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestAttacks tries, with a write key alone, to open what is closed, to burn or
// see what is another reader's. The site takes no silence for consent; account a7
// is entitled, device victim has read one article.
func TestAttacks(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"identity":{"header":"X-Account-Token","secret":"a secret of the publisher, of 32 bytes","entitlements_claim":"products"}`)
	s.want(201, "PUT", "/v1/sites/news/accounts/a7", rootKey, `{"entitlements":[{"name":"premium"}]}`)
	s.want(200, "POST", "/v1/sites/news/logins", rootKey, `{"device":"logged","account":"a7"}`)
	s.want(201, "PUT", "/v1/sites/news/lists/campus", rootKey, `{"entitlement":"premium","cidrs":["192.0.2.0/24"]}`)
	if v := s.verdict("victim", "a1", true); v["commit"] != "burned" {
		t.Fatal(v)
	}
	theirs := s.verdict("victim", "a2", false)["decision_id"].(string)
	device := func() (name, token string) {
		d := s.want(201, "POST", "/v1/sites/news/devices", s.writeKey, `{}`).json(t)
		return d["device"].(string), d["token"].(string)
	}
	mine, token := device()
	own := "X-Readership-Device: " + token
	other := s.want(201, "POST", "/v1/sites", rootKey, `{"id":"blog"}`).json(t)["write_key"].(string)
	link := func(kind, item string, uses int) string {
		body := fmt.Sprintf(`{"kind":%q,"item":%q,"giver":"account:7","expires_in":"1h","uses":%d}`, kind, item, uses)
		return s.want(201, "POST", "/v1/sites/news/links", rootKey, body).json(t)["token"].(string)
	}
	sign := func(alg jose.SignatureAlgorithm, key string, claims jwt.Claims) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: []byte(key)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(claims).Claims(map[string]any{"products": []string{"premium"}}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	soon := jwt.NewNumericDate(s.clock.now().Add(time.Hour))
	past := jwt.NewNumericDate(s.clock.now().Add(-time.Hour))
	used := link("gift", "gold", 1)
	if v := s.want(200, "POST", "/v1/sites/news/decisions", rootKey, `{"access":"story","reader":{"device":"friend"},"item":{"id":"gold"},"request":{"link":"`+used+`"},"commit":true}`).json(t); v["clause"] != "gift" {
		t.Fatal(v)
	}
	ask := func(more string) string { return `{"access":"story","item":{"id":"gold"}` + more + `}` }
	for _, c := range []struct {
		name, body string
		headers    []string
	}{
		{"nothing", ask(``), nil},
		{"own device", ask(``), []string{own}},
		{"a claimed device that is logged in", ask(`,"reader":{"device":"logged"}`), nil},
		{"a claimed device beside one's own", ask(`,"reader":{"device":"logged"}`), []string{own}},
		{"a claimed account", ask(`,"reader":{"account":"a7"}`), []string{own}},
		{"a claimed account without a device", ask(`,"reader":{"account":"a7"}`), nil},
		{"the device of an account", ask(`,"reader":{"device":"account:a7"}`), nil},
		{"another reader", ask(`,"reader":{"device":"victim"},"commit":true`), []string{own}},
		{"a cookie that was made up", ask(``), []string{"Cookie: rsid=2." + part("logged") + "." + strings.Repeat("A", 22)}},
		{"a cookie that was changed", ask(``), []string{"Cookie: rsid=" + strings.Replace(token, mine[:4], "AAAA", 1)}},
		{"a plain name as cookie", ask(``), []string{"Cookie: rsid=logged"}},
		{"a token without a signature", ask(``), []string{own, "X-Account-Token: " + part(`{"alg":"none"}`) + "." + part(`{"sub":"a7","products":["premium"]}`) + "."}},
		{"a token under another secret", ask(``), []string{own, "X-Account-Token: " + sign(jose.HS256, strings.Repeat("x", 32), jwt.Claims{Subject: "a7", Expiry: soon})}},
		{"a token with another HMAC", ask(``), []string{own, "X-Account-Token: " + sign(jose.HS512, "a secret of the publisher, of 32 bytes"+strings.Repeat("\x00", 27), jwt.Claims{Subject: "a7", Expiry: soon})}},
		{"a token that says RS256", ask(``), []string{own, "X-Account-Token: " + part(`{"alg":"RS256"}`) + "." + part(`{"sub":"a7","products":["premium"]}`) + "." + part("x")}},
		{"a token that has expired", ask(``), []string{own, "X-Account-Token: " + sign(jose.HS256, "a secret of the publisher, of 32 bytes", jwt.Claims{Subject: "a7", Expiry: past})}},
		{"an address of the list", ask(``), []string{own, "X-Forwarded-For: 192.0.2.7"}},
		{"an address in the body", ask(`,"request":{"ip":"192.0.2.7"}`), []string{own}},
		{"a robot in the body", ask(`,"request":{"bot_class":"search"}`), []string{own}},
		{"a robot by its name", ask(``), []string{own, "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}},
		{"a country in the body", ask(`,"request":{"country":"AT"}`), []string{own}},
		{"preview in the body", ask(`,"request":{"preview":true}`), []string{own}},
		{"a tier in the body", `{"access":"story","item":{"id":"gold","tier":"free"}}`, []string{own}},
		{"a link of another item", ask(`,"request":{"link":"` + link("gift", "other", 5) + `"}`), []string{own}},
		{"a link that is used up", ask(`,"request":{"link":"` + used + `"},"commit":true`), []string{own}},
		{"a link that is used up, for who used it", ask(`,"reader":{"device":"friend"},"request":{"link":"` + used + `"},"commit":true`), nil},
		{"a link that was changed", ask(`,"request":{"link":"` + strings.Replace(link("preview", "gold", 5), "Ag", "Bg", 1) + `"}`), []string{own}},
		{"an instant with a commit", ask(`,"at":1,"commit":true`), []string{own}},
		{"a time of one's own", ask(`,"time":1,"commit":true`), []string{own}},
		{"a page of another site", `{"access":"story","item":{"id":"gold"},"request":{"url":"https://evil.example/gold"}}`, []string{own}},
	} {
		r := s.do("POST", "/v1/sites/news/decisions", s.writeKey, c.body, c.headers...)
		if r.status == 200 && r.json(t)["decision"] != "deny" || r.status != 200 && r.status != 403 && r.status != 422 {
			t.Errorf("%s: %d %s", c.name, r.status, r.body)
		}
		if strings.Contains(r.body, `"segments"`) || strings.Contains(r.body, `"fan"`) {
			t.Errorf("%s: segments are shown: %s", c.name, r.body)
		}
	}
	for _, c := range []struct {
		name, method, path, key, body string
		status                        int
		headers                       []string
	}{
		{"another's decision", "POST", "/v1/sites/news/decisions/" + theirs + "/commit", s.writeKey, "", 403, []string{own}},
		{"another's decision, without a device", "POST", "/v1/sites/news/decisions/" + theirs + "/commit", s.writeKey, "", 403, nil},
		{"an explanation", "GET", "/v1/sites/news/decisions/" + theirs, s.writeKey, "", 403, []string{own}},
		{"a list of decisions", "GET", "/v1/sites/news/readers/device:victim/decisions", s.writeKey, "", 403, nil},
		{"a meter", "DELETE", "/v1/sites/news/readers/device:" + mine + "/meters/monthly", s.writeKey, "", 403, []string{own}},
		{"the key of another site", "POST", "/v1/sites/news/decisions", other, ask(``), 403, []string{own}},
		{"a decision of another site", "POST", "/v1/sites/blog/decisions/" + theirs + "/commit", rootKey, "", 404, nil},
		{"an id that was changed", "POST", "/v1/sites/news/decisions/" + theirs[:40] + "A" + theirs[41:] + "x/commit", s.writeKey, "", 404, []string{own}},
	} {
		if r := s.do(c.method, c.path, c.key, c.body, c.headers...); r.status != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, r.status, c.status, r.body)
		}
	}
	// Identifying as a7 is a claim, and says nothing of who asks.
	s.want(200, "POST", "/v1/events", s.writeKey, `{"type":"identify","account":"a7","device":"`+mine+`","consent":{"analytics":true}}`, own)
	if v := s.want(200, "POST", "/v1/sites/news/decisions", s.writeKey, ask(``), own).json(t); v["decision"] != "deny" || v["reader"] != "device:"+mine {
		t.Error(v)
	}
	if v := s.verdict("victim", "a9", false); v["meter"].(map[string]any)["used"] != 1.0 {
		t.Errorf("the victim's meter: %v", v)
	}
}

// TestSessionMeter: without consent nothing is stored, and nothing is unlimited.
func TestSessionMeter(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"name":"News"`)
	cookie := "X-None: x"
	for i := range 5 {
		r := s.want(200, "POST", "/v1/sites/news/decisions", s.writeKey, fmt.Sprintf(`{"access":"story","item":{"id":"a%d"},"commit":true}`, i), cookie)
		v := r.json(t)
		if want := map[bool]string{true: "burned", false: "denied"}[i < 3]; v["commit"] != want || !strings.HasPrefix(v["reader"].(string), "device:~") {
			t.Fatalf("%d: %v", i, v)
		}
		if set := r.header.Get("Set-Cookie"); i < 3 {
			if !strings.HasPrefix(set, "rsm=") || strings.Contains(set, "Max-Age") || strings.Contains(set, "Expires") {
				t.Fatalf("%d: %q", i, set)
			}
			cookie, _, _ = strings.Cut(set, ";")
			cookie = "Cookie: " + cookie
		} else if set != "" {
			t.Fatalf("%d: %q", i, set)
		}
	}
	if v := s.want(200, "POST", "/v1/sites/news/decisions", s.writeKey, `{"access":"story","item":{"id":"a1"},"commit":true}`, cookie).json(t); v["commit"] != "again" {
		t.Error(v)
	}
}

// TestSessionCommitAfterMidnight: what was decided before midnight is committed behind
// it, by the same reader alone, though the reader's hash is another's by then.
func TestSessionCommitAfterMidnight(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"name":"News"`)
	s.clock.advance(14*time.Hour + 58*time.Minute)
	id, _ := s.want(200, "POST", "/v1/sites/news/decisions", s.writeKey, `{"access":"story","item":{"id":"a1"}}`).json(t)["decision_id"].(string)
	s.clock.advance(5 * time.Minute)
	s.want(403, "POST", "/v1/sites/news/decisions/"+id+"/commit", s.writeKey, "", "User-Agent: another")
	r := s.want(200, "POST", "/v1/sites/news/decisions/"+id+"/commit", s.writeKey, "")
	if v := r.json(t); v["commit"] != "burned" || !strings.HasPrefix(r.header.Get("Set-Cookie"), "rsm=") {
		t.Errorf("%v, %v", v, r.header)
	}
}

// TestDecisionsAreReplayed: another process finds the same rows, burns and answers.
func TestDecisionsAreReplayed(t *testing.T) {
	dir := t.TempDir()
	clock := newClock(time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC))
	cfg := Config{Data: dir, Now: clock.now}
	n, stop := up(t, cfg)
	s := &newsroom{t: t, address: "http://" + n.front.listener.Addr().String(), node: n, clock: clock}
	s.want(201, "POST", "/v1/sites", rootKey, `{"id":"news","timezone":"Europe/Berlin"}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": story}}))
	for i := range 5 {
		s.verdict("d1", fmt.Sprint("a", i), true)
	}
	const path = "/v1/sites/news/readers/device:d1/decisions"
	want := s.want(200, "GET", path, rootKey, "").body
	meter := asJSON(s.verdict("d1", "x", false)["meter"])
	for _, forget := range []bool{false, true} {
		stop()
		if forget {
			removeAll(t, dir+"/checkpoint")
		}
		n, stop = up(t, cfg)
		s.address = "http://" + n.front.listener.Addr().String()
		if got := s.want(200, "GET", path, rootKey, "").body; got != want {
			t.Errorf("from the log %t:\n%s\nwant\n%s", forget, got, want)
		}
		if got := asJSON(s.verdict("d1", "x", false)["meter"]); got != meter {
			t.Errorf("from the log %t: %s, want %s", forget, got, meter)
		}
	}
}

func removeAll(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// TestClaimedDevice: whoever names another's device, without proof, is judged by its
// events, and leaves nothing with it.
func TestClaimedDevice(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"name":"News"`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": story + `
access devoted (deadline: 10s) {
  deny  spent if fan and monthly.left < 1 offers plans
  allow again if item in monthly
  allow loyal if fan burns monthly
  deny  rest offers plans
}`}}))
	s.want(200, "POST", "/v1/events?site=news", rootKey, `[{"type":"page_view","device":"victim","item":"a1"},{"type":"page_view","device":"victim","item":"a2"}]`)
	s.verdict("victim", "a9", true)
	const list = "/v1/sites/news/readers/device:victim/decisions"
	before := s.want(200, "GET", list, rootKey, "").body

	cookie := "X-None: x"
	ask := func(device, item string, commit bool) map[string]any {
		t.Helper()
		r := s.want(200, "POST", "/v1/sites/news/decisions", s.writeKey, fmt.Sprintf(`{"access":"devoted","reader":{"device":%q},"item":{"id":%q},"commit":%t}`, device, item, commit), cookie)
		if set, _, ok := strings.Cut(r.header.Get("Set-Cookie"), ";"); ok {
			cookie = "Cookie: " + set
		}
		v := r.json(t)
		if !strings.HasPrefix(v["reader"].(string), "device:~") {
			t.Fatalf("a claimed device is the reader: %v", v)
		}
		return v
	}
	is := func(v map[string]any, clause, commit string) {
		t.Helper()
		if v["clause"] != clause || v["commit"] != commit {
			t.Fatalf("%v, want %s, %s", v, clause, commit)
		}
	}
	is(ask("victim", "a1", true), "loyal", "burned")
	is(ask("stranger", "a2", true), "rest", "denied")
	bare := ask("victim", "a2", false)["decision_id"].(string)
	commit := func(id string) map[string]any {
		t.Helper()
		r := s.want(200, "POST", "/v1/sites/news/decisions/"+id+"/commit", s.writeKey, "", cookie)
		if set, _, ok := strings.Cut(r.header.Get("Set-Cookie"), ";"); ok {
			cookie = "Cookie: " + set
		}
		return r.json(t)
	}
	is(commit(bare), "loyal", "burned")
	is(commit(bare), "loyal", "burned")
	shown := ask("victim", "a4", false)["decision_id"].(string)
	is(ask("victim", "a1", true), "again", "again")
	is(ask("victim", "a3", true), "loyal", "burned")
	is(commit(shown), "spent", "refused")
	for i := range 60 {
		is(ask("victim", fmt.Sprint("b", i), true), "spent", "denied")
	}

	if after := s.want(200, "GET", list, rootKey, "").body; after != before {
		t.Errorf("the victim's decisions:\n%s\nwant\n%s", after, before)
	}
	if v := s.verdict("victim", "x", false); v["meter"].(map[string]any)["used"] != 1.0 {
		t.Errorf("the victim's meter: %v", v)
	}
	why := s.want(200, "GET", "/v1/sites/news/decisions/"+bare, rootKey, "").json(t)
	if why["clause"] != "loyal" || !strings.HasPrefix(why["reader"].(string), "device:~") || !strings.Contains(asJSON(why["facts"]), `"code":"fan"`) {
		t.Errorf("why: %v", why)
	}
	if found := s.want(200, "GET", "/v1/sites/news/decisions?code="+shown[len(shown)-8:], rootKey, "").body; !strings.Contains(found, shown) {
		t.Errorf("by its code, though 50 decisions of its reader came after it: %s", found)
	}
}
