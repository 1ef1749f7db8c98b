package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
)

const textHeader = "Content-Type: text/plain"

func TestProgramVersions(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/program"
	if got := s.want(200, "GET", path, "").json(t); got["version"] != 0.0 || got["active"] != true {
		t.Errorf("a new site: %v", got)
	}
	first := "segment readers = events |> any\naccess story { allow everyone }\n"
	put := s.want(200, "PUT", path, first, textHeader).json(t)
	if put["version"] != 1.0 || put["active"] != true {
		t.Fatalf("stored: %v", put)
	}
	names := []string{}
	for _, d := range put["definitions"].([]any) {
		d := d.(map[string]any)
		names = append(names, fmt.Sprint(d["kind"], " ", d["name"]))
	}
	if diff := cmp.Diff([]string{"segment readers", "access story"}, names); diff != "" {
		t.Errorf("definitions (-want +got):\n%s", diff)
	}
	s.want(200, "PUT", path+"?activate=false", `{"files":{"main":"use \"shared\"\nsegment two = mine |> any","shared":"let mine = events |> where type == \"x\""}}`)
	got := s.want(200, "GET", path, "").json(t)
	if got["version"] != 1.0 || got["files"].(map[string]any)["main"] != first {
		t.Errorf("active: %v", got)
	}
	s.want(200, "POST", path+"/versions/2/activate", "")
	got = s.want(200, "GET", path, "").json(t)
	if got["version"] != 3.0 || len(got["files"].(map[string]any)) != 2 {
		t.Errorf("restored: %v", got)
	}
	s.want(404, "POST", path+"/versions/9/activate", "")
	two := s.want(200, "GET", path+"/versions/2", "").json(t)
	if two["active"] != false || len(two["files"].(map[string]any)) != 2 {
		t.Errorf("version 2: %v", two)
	}
	s.want(404, "GET", path+"/versions/9", "")
	page := s.want(200, "GET", path+"/versions?limit=3", "").json(t)
	if n := len(page["versions"].([]any)); n != 3 {
		t.Errorf("%d versions: %v", n, page)
	}
	rest := s.want(200, "GET", path+"/versions?cursor="+page["cursor"].(string), "").json(t)
	if list := rest["versions"].([]any); len(list) != 1 || list[0].(map[string]any)["version"] != 0.0 || rest["cursor"] != nil {
		t.Errorf("the rest: %v", rest)
	}
}

// A program is not put in the place of one that its writer has not seen.
func TestProgramConditions(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/program"
	const text = "access story { allow everyone }"
	seen := "If-Match: " + s.want(200, "GET", path, "").Header.Get("ETag")
	s.want(200, "PUT", path+"?activate=false", text, textHeader, seen)
	first := s.want(200, "PUT", path, text, textHeader, seen) // one that is only stored changes nothing
	s.want(412, "PUT", path, text, textHeader, seen)
	s.want(412, "POST", path+"/versions/1/activate", "", seen)
	s.want(200, "POST", path+"/versions/1/activate", "", "If-Match: "+first.Header.Get("ETag"))
	if got := s.want(200, "GET", path, "").json(t); got["version"] != 3.0 {
		t.Errorf("active: %v", got)
	}
}

func TestProgramFaults(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/program"
	bad := "segment a = events |> where item.sektion == \"x\" |> any\nsegment b = nothing\n"
	for _, call := range [][2]string{{"PUT", path}, {"POST", path + "/check"}} {
		r := s.want(422, call[0], call[1], bad, textHeader).json(t)
		list := r["errors"].([]any)
		if len(list) != 2 {
			t.Fatalf("%s: %v", call[0], r)
		}
		one := list[0].(map[string]any)
		if one["file"] != "main" || one["line"] != 1.0 || one["column"] != 29.0 || one["end_column"] != 41.0 || one["location"] != "main:1:29" || one["hint"] == nil || one["severity"] != "error" {
			t.Errorf("%s: %v", call[0], one)
		}
	}
	failing := "segment seen = events |> any\ntest \"nobody\" {\n at 2026-03-01T10:00 expect seen\n}\n"
	if list := s.want(422, "PUT", path, failing, textHeader).json(t)["errors"].([]any); len(list) != 1 || list[0].(map[string]any)["code"] != "test_failed" {
		t.Errorf("a failing test: %v", list)
	}
	if got := s.want(200, "GET", path, "").json(t); got["version"] != 0.0 {
		t.Errorf("a program with errors was stored: %v", got)
	}
	for body, want := range map[string][]string{
		`{"files":{"shared":""}}`: {"body.files.main missing_field"},
		`{"files":{"main":1}}`:    {"body.files.main wrong_type"},
		`{"file":""}`:             {"body.file unknown_field", "body.files missing_field"},
	} {
		if diff := cmp.Diff(want, s.want(422, "PUT", path, body).codes(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	s.want(415, "PUT", path, bad, "Content-Type: application/xml")
}

func TestReaderSegments(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(200, "PUT", "/v1/sites/news/program", `
		let sport = events |> where type == "page_view" and item.section == "sport"
		segment fan = sport |> last 7d |> distinct item |> count >= 2
		segment big = events |> last 30d |> where properties.words > 1000 |> any
		segment mobile = events |> where device_class == "mobile" |> any
		segment known = reader.registered`, textHeader)
	for _, id := range []string{"a1", "a2"} {
		s.want(201, "PUT", "/v1/sites/news/items/"+id, `{"section":"sport"}`)
	}
	now := s.clock()
	view := func(device, item string, age time.Duration, words string) {
		t.Helper()
		if _, err := s.log.commit(func(e *event.Encoder) {
			ev := event.Event{Device: device, Time: now.Add(-age).UnixMilli(), Properties: []event.Property{{Name: "words", Value: words, Kind: event.KindNumber}}}
			ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, item
			e.Add("news", &ev, 0, 0)
		}); err != nil {
			t.Fatal(err)
		}
	}
	view("d1", "a1", 8*24*time.Hour, "10")
	view("d1", "a1", 6*24*time.Hour, "10")
	view("d1", "a2", time.Hour, "1200")
	view("d2", "a1", time.Hour, "10")
	segments := func(reader, query string) string {
		t.Helper()
		return fmt.Sprint(s.want(200, "GET", "/v1/sites/news/readers/"+encoded(reader)+"/segments"+query, "").json(t)["segments"])
	}
	at := func(age time.Duration) string { return fmt.Sprint("?at=", now.Add(-age).UnixMilli()) }
	for _, c := range []struct{ reader, query, want string }{
		{"device:d1", "", "[fan big]"},
		{"device:d1", at(2 * time.Hour), "[]"},
		{"device:d2", "", "[]"},
		{"device:nobody", "", "[]"},
		{"account:nobody", "", "[known]"},
	} {
		if got := segments(c.reader, c.query); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.reader, c.query, got, c.want)
		}
	}
	// A changed entry changes who is a member.
	s.want(200, "PUT", "/v1/sites/news/items/a2", `{"section":"culture"}`)
	if got := segments("device:d1", ""); got != "[big]" {
		t.Errorf("after the item changed: %s", got)
	}
	for query, want := range map[string]string{at(40 * 24 * time.Hour): "query.at outside_window", at(-time.Hour): "query.at outside_window", "?at=noon": "query.at bad_time"} {
		if got := s.want(422, "GET", "/v1/sites/news/readers/device:d1/segments"+query, "").codes(t); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: %v", query, got)
		}
	}
	s.want(422, "GET", "/v1/sites/news/readers/d1/segments", "")
	if got := s.want(200, "GET", "/v1/sites/news/segments/big", "").json(t); got["size"] != 1.0 || got["readers"] != 2.0 || got["name"] != "big" {
		t.Errorf("size: %v", got)
	}
	if got := s.want(200, "GET", "/v1/sites/news/segments/big/members", "").body; got != "{\"reader\":\"device:d1\"}\n" {
		t.Errorf("members: %q", got)
	}
	if got := s.want(404, "GET", "/v1/sites/news/segments/bigg", "").json(t); !strings.Contains(fmt.Sprint(got["detail"]), "big") {
		t.Errorf("an unknown segment: %v", got)
	}
	list := s.want(200, "GET", "/v1/sites/news/segments", "").json(t)
	if n := len(list["segments"].([]any)); n != 4 {
		t.Errorf("%v", list)
	}
}

// TestMembersCountAPersonOnce: a device whose newest row is an account's is no
// member, and the account keeps the device's arm.
func TestMembersCountAPersonOnce(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(200, "PUT", "/v1/sites/news/program", `
		segment twice = events |> where type == "page_view" |> count >= 2
		segment zero  = arm("paywall", 2) == 0
		segment one   = arm("paywall", 2) == 1
		segment slow  = events |> where engaged_seconds < 5 |> any`, textHeader)
	now := s.clock().UnixMilli()
	view := func(device, account string, at int64) {
		t.Helper()
		if _, err := s.log.commit(func(e *event.Encoder) {
			ev := event.Event{Device: device, Time: at}
			ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, "a"
			if account != "" {
				ev.Columns[event.ColAccount] = account
				ev.Flags |= event.FlagProven
			}
			e.Add("news", &ev, 0, 0)
		}); err != nil {
			t.Fatal(err)
		}
	}
	members := func() string {
		t.Helper()
		lines := strings.Fields(s.want(200, "GET", "/v1/sites/news/segments/twice/members", "").body)
		slices.Sort(lines)
		return strings.Join(lines, " ")
	}
	segments := func(reader string) string {
		t.Helper()
		return fmt.Sprint(s.want(200, "GET", "/v1/sites/news/readers/"+encoded(reader)+"/segments", "").json(t)["segments"])
	}
	// Devices of both arms, so that an account cannot have the right one by chance.
	for n := range 16 {
		device, account := fmt.Sprint("d", n), fmt.Sprint("k", n)
		view(device, "", now-3000)
		view(device, "", now-2000)
		before := segments("device:" + device)
		view(device, account, now-1000)
		if got := segments("account:" + account); got != before {
			t.Errorf("%s was in %s; as %s it is in %s", device, before, account, got)
		}
		if got := s.want(200, "GET", "/v1/sites/news/segments/twice", "").json(t); got["size"] != float64(n+1) || got["readers"] != got["size"] {
			t.Errorf("%v after %d people", got, n+1)
		}
	}
	if got := members(); strings.Contains(got, "device:") || strings.Count(got, "account:") != 16 {
		t.Errorf("members: %s", got)
	}
	view("d0", "", now) // logged out: the device is its own reader again
	if got := members(); !strings.Contains(got, `"device:d0"`) || strings.Count(got, "account:") != 16 {
		t.Errorf("after the logout: %s", got)
	}
	// A row without engagement has no engaged_seconds, so nothing is below 5.
	if got := segments("device:d0"); strings.Contains(got, "slow") {
		t.Errorf("d0 is in %s", got)
	}
}
