package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerEdge(sc *godog.ScenarioContext) {
	sc.Given(`^a server that is asked by "(auth|proxy)", with a site "([^"]*)" with clock "([^"]*)" in "([^"]*)"$`, w.serverAtEdge)
	sc.Given(`^a server whose engine can stand still$`, w.haltable)
	sc.Given(`^crawlers of "([^"]*)" come from "([^"]*)"$`, w.crawlersFrom)
	sc.Given(`^its pages are routed$`, func(ctx context.Context) error {
		if w.edge.way == "auth" {
			return nil
		}
		return w.routes(ctx, "")
	})
	sc.Then(`^"([^"]*)" is known to have read (\d+) of (\d+)$`, w.hasRead)
	sc.When(`^the engine stands still$`, func() error { return os.WriteFile(w.halt, nil, 0o644) })
	sc.When(`^the engine goes on$`, func() error { return os.Remove(w.halt) })
	sc.Then(`^(\d+) pages were decided about by the policy of their block$`, w.fallbacks)
	sc.Then(`^pages come to$`, w.pagesCome)
	sc.Then(`^pages through "(auth|proxy)" come to$`, w.pagesThrough)
	sc.When(`^"([^"]*)" clears the cookies$`, func(browser string) { w.edge.browsers[browser] = nil })
	sc.When(`^"([^"]*)" views "([^"]*)" as "([^"]*)"$`, w.views)
	sc.When(`^"([^"]*)" reads "([^"]*)" for (\d+) s, down to (\d+) %$`, w.attends)
	sc.Then(`^the decision about "([^"]*)" of "([^"]*)" comes to "([^"]*)"$`, w.lastComesTo)
	sc.Then(`^the cookie of "([^"]*)" is a session's, and says nothing to who reads it$`, w.sealedCookie)
}

// edge is how pages are asked for in a scenario.
type edge struct {
	way      string
	proxy    string // address
	origin   *httptest.Server
	browsers map[string]map[string]string // cookies by name
	last     map[[2]string]string         // ids of decisions, by browser and page
	refusing map[string]bool              // browsers that send GPC
	onDeny   string                       // of the routes; "": there are none yet
}

// crawlersFrom has the scenario's server know where an operator's crawlers come from,
// as operators publish it.
func (w *world) crawlersFrom(operator, network string) error {
	dir := w.t.TempDir()
	w.args = []string{"--crawler-ranges", dir}
	return os.WriteFile(filepath.Join(dir, operator+".json"), []byte(`{"prefixes":[{"ipv4Prefix":"`+network+`"}]}`), 0o644)
}

// haltable builds the server of the scenario.
func (w *world) haltable() (err error) {
	w.halt = filepath.Join(w.t.TempDir(), "halt")
	w.env = []string{harness.Halt(w.halt)}
	w.binary, err = w.shared.halting()
	return err
}

func (w *world) fallbacks(ctx context.Context, want int) error {
	m, err := w.server.Metrics(ctx)
	if got := m["readership_gate_fallbacks_total"]; err == nil && got != float64(want) {
		err = fmt.Errorf("%v pages were", got)
	}
	return err
}

// hasRead asks until the engine answers.
func (w *world) hasRead(ctx context.Context, device string, used, limit int) error {
	return w.until(ctx, func() (bool, error) {
		d, err := w.server.Decide(ctx, w.site, map[string]any{"access": "story", "reader": map[string]string{"device": device}, "item": map[string]string{"id": "another"}})
		if err != nil || d.Fallback {
			return false, err
		}
		if d.Meter == nil || d.Meter.Used != used || d.Meter.Limit != limit {
			return false, fmt.Errorf("the meter is %+v", d.Meter)
		}
		return true, nil
	})
}

// serverAtEdge starts a server that decides about pages: as another server asks it,
// or as a proxy before an origin.
func (w *world) serverAtEdge(ctx context.Context, way, site, clock, zone string) (err error) {
	w.edge = edge{way: way, browsers: map[string]map[string]string{}, last: map[[2]string]string{}, refusing: map[string]bool{}}
	args := w.args
	if way == "proxy" {
		if w.edge.proxy, err = harness.FreeAddress(); err != nil {
			return err
		}
		args = append(args, "--proxy-listen", w.edge.proxy)
	}
	// The origin says what it is told.
	w.edge.origin = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Header.Get("Accept") == "application/json" {
			rw.Header().Set("Content-Type", "application/json")
		}
		rw.Header().Set("Cache-Control", "public, max-age=600")
		_ = json.NewEncoder(rw).Encode(r.Header)
	}))
	w.t.Cleanup(w.edge.origin.Close)
	if w.server, err = harness.Start(ctx, harness.Options{Binary: w.binary, Dir: w.t.TempDir(), Args: args, Env: w.env}); err != nil {
		return err
	}
	w.own = true
	return w.addSite(ctx, site, clock, zone)
}

// safe begins the pages that the block "safe" is about; all others are of "story".
const safe = "/safe/"

// routes sends all pages of the site to the origin, past the access blocks.
func (w *world) routes(ctx context.Context, onDeny string) error {
	if onDeny == "" {
		onDeny = "offer"
	}
	if w.edge.onDeny == onDeny {
		return nil
	}
	w.edge.onDeny = onDeny
	route := func(path, access string) map[string]any {
		return map[string]any{"host": w.site + ".example", "path": path, "origins": []any{map[string]any{"url": w.edge.origin.URL}}, "access": access, "on_deny": onDeny}
	}
	return w.server.Call(ctx, http.MethodPut, path(w.site, "routes"), []any{route("/*", "story"), route(safe+"*", "safe")}, nil)
}

// pageAnswer is what came of asking for a page.
type pageAnswer struct {
	status  int
	header  http.Header
	verdict http.Header // what the origin, or the server that asks, is told
	body    string
}

// askPage asks for a page as a browser does.
func (w *world) askPage(ctx context.Context, way string, row cells) (*pageAnswer, error) {
	access, uri := "story", row["page"]
	if strings.HasPrefix(uri, safe) {
		access = "safe"
	}
	if name := row["link"]; name != "" {
		uri += "?rs=" + url.QueryEscape(w.links[name])
	}
	address := w.server.URL(path(w.site, "auth")) + "?access=" + access + "&mode=forward"
	if way == "proxy" {
		if err := w.routes(ctx, row["on deny"]); err != nil {
			return nil, err
		}
		address = "http://" + w.edge.proxy + uri
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Host = w.site + ".example"
	req.Header.Set("User-Agent", browserAgent)
	req.Header.Set("Accept-Language", "de")
	for column, name := range map[string]string{"agent": "User-Agent", "purpose": "Sec-Purpose", "from": "Referer", "address": "X-Forwarded-For", "accept": "Accept", "gpc": "Sec-GPC"} {
		if row[column] != "" {
			req.Header.Set(name, row[column])
		}
	}
	w.edge.refusing[row["reader"]] = row["gpc"] != ""
	if agent, ok := agents[row["agent"]]; ok {
		req.Header.Set("User-Agent", agent)
	}
	if way == "auth" {
		req.Header.Set("X-Original-URI", uri)
	}
	req.Header.Set("X-Readership-Segments", "forged") // from outside
	for name, value := range w.browser(row["reader"]) {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if forged := row["cookie"]; forged != "" {
		req.Header.Set("Cookie", forged)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req) // no redirect is followed
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &pageAnswer{status: res.StatusCode, header: res.Header, verdict: res.Header, body: string(text)}
	for _, c := range res.Cookies() {
		w.browser(row["reader"])[c.Name] = c.Value
	}
	if way == "proxy" && (res.StatusCode == http.StatusOK || strings.HasPrefix(a.body, "{")) {
		a.verdict = http.Header{}
		if err := json.Unmarshal(text, &a.verdict); err != nil {
			return nil, fmt.Errorf("the origin says %q: %w", text, err)
		}
	}
	return a, nil
}

// browserAgent is that of a person's browser, agents those of robots by name.
const browserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

var agents = map[string]string{
	"Googlebot":           "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"bingbot":             "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
	"GPTBot":              "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
	"OAI-SearchBot":       "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot)",
	"ChatGPT-User":        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
	"facebookexternalhit": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
	"Slackbot":            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
}

// browser returns the cookies of a browser; one that is a device with a token begins
// with that.
func (w *world) browser(name string) map[string]string {
	if w.edge.browsers[name] == nil {
		w.edge.browsers[name] = map[string]string{}
		if token := w.devices[name]; token != "" {
			w.edge.browsers[name]["rsid"] = token
		}
	}
	return w.edge.browsers[name]
}

func (w *world) pagesCome(ctx context.Context, table *godog.Table) error {
	return w.pagesThrough(ctx, w.edge.way, table)
}

// pagesThrough asks for the page of each row and compares what comes of it with the
// cells that are not empty. A commit that is named happens: the server that serves
// the page cannot tell, so the tracker in it commits.
func (w *world) pagesThrough(ctx context.Context, way string, table *godog.Table) error {
	return w.eachRow(table, func(row cells) error {
		if err := w.moveTo(ctx, w.site, row["at"]); err != nil {
			return err
		}
		a, err := w.askPage(ctx, way, row)
		if err != nil {
			return err
		}
		return w.pageIs(ctx, way, row, a)
	})
}

// code is how a wall names its decision.
var code = regexp.MustCompile(`<code>([\w-]{8})</code>`)

func (w *world) pageIs(ctx context.Context, way string, row cells, a *pageAnswer) error {
	id, reader := a.verdict.Get("X-Readership-Decision-Id"), a.verdict.Get("X-Readership-Reader")
	meter := strings.NewReplacer(";used=", " ", ";limit=", "/").Replace(a.verdict.Get("X-Readership-Meter"))
	if !strings.Contains(row["meter"], " ") {
		_, meter, _ = strings.Cut(meter, " ")
	}
	got := cells{"status": fmt.Sprint(a.status), "verdict": strings.TrimSpace(a.verdict.Get("X-Readership-Decision") + " " + a.verdict.Get("X-Readership-Clause")),
		"meter": meter, "as": reader, "price": a.header.Get("Crawler-Price"), "fallback": a.verdict.Get("X-Readership-Fallback"), "sets": "", "error": a.header.Get("X-Readership-Error")}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		got["sets"] = strings.TrimSpace(got["sets"] + " " + c.Name)
	}
	if a.verdict.Get("X-Readership-Segments") == "forged" {
		return errors.New("what came from outside is believed")
	}
	wall := code.FindStringSubmatch(a.body)
	switch {
	case way == "auth" || wall == nil:
	case row["fallback"] != "": // nobody could be asked about it
		delete(got, "fallback")
	default:
		d, err := w.byCode(ctx, wall[1], row["commit"] != "-")
		if err != nil {
			return err
		}
		got["verdict"], id, got["as"] = "", "", ""
		if d != nil {
			got["verdict"], id, got["as"] = d.Decision+" "+d.Clause, d.ID, d.Reader
			got["meter"] = ""
			if d.Meter != nil {
				got["meter"] = fmt.Sprintf("%d/%d", d.Meter.Used, d.Meter.Limit)
			}
		} else {
			delete(got, "meter")
			delete(got, "verdict")
		}
	}
	if id != "" {
		w.edge.last[[2]string{row["reader"], row["page"]}] = id
	}
	if got["as"] != "" {
		kind, name, _ := strings.Cut(got["as"], ":")
		w.saw(w.site, kind, name)
	}
	if strings.HasSuffix(row["as"], "…") {
		want := strings.TrimSuffix(row["as"], "…")
		if strings.HasPrefix(got["as"], want) {
			got["as"] = row["as"]
		}
	}
	var errs []error
	for name, is := range got {
		if want := row[name]; want != "" && want != is && (want != "-" || is != "") {
			errs = append(errs, fmt.Errorf("%s is %q, want %q", name, is, want))
		}
	}
	if len(errs) > 0 {
		return errors.Join(append(errs, fmt.Errorf("the answer is %d %v %.300s", a.status, a.header, a.body))...)
	}
	if want := row["commit"]; want != "" && want != "-" {
		if way == "auth" && a.status == http.StatusOK {
			if err := w.trackerCommits(ctx, row["reader"], id); err != nil {
				return err
			}
		}
		return w.committed(ctx, id, want)
	}
	return nil
}

// keptDecision is a committed decision as it is listed.
type keptDecision struct {
	ID       string `json:"decision_id"`
	Decision string
	Clause   string
	Reader   string
	Meter    *struct{ Used, Limit int }
}

// byCode finds a committed decision by what its wall shows, and waits for it if it
// is to come; nil: there is none.
func (w *world) byCode(ctx context.Context, code string, wait bool) (d *keptDecision, err error) {
	err = w.until(ctx, func() (bool, error) {
		var list struct{ Decisions []keptDecision }
		if err := w.server.Call(ctx, http.MethodGet, path(w.site, "decisions")+"?code="+code, nil, &list); err != nil {
			return false, err
		}
		if len(list.Decisions) == 1 {
			d = &list.Decisions[0]
		}
		return d != nil || !wait, nil
	})
	return d, err
}

// committed waits until a decision has been committed, and says what came of it.
func (w *world) committed(ctx context.Context, id, want string) error {
	var x struct{ Commit *string }
	err := w.until(ctx, func() (bool, error) {
		err := w.server.Call(ctx, http.MethodGet, path(w.site, "decisions", id), nil, &x)
		return x.Commit != nil, err
	})
	if err != nil {
		return fmt.Errorf("the commit of %s: %w", id, err)
	}
	if *x.Commit != want {
		return fmt.Errorf("the commit comes to %s, want %s", *x.Commit, want)
	}
	return nil
}

// until asks again until something is so.
func (w *world) until(ctx context.Context, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("it does not come")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// asReader sends a request as the page of a reader does.
func (w *world) asReader(ctx context.Context, browser, address string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.URL(address), strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.places[w.site].writeKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", browserAgent)
	if w.edge.refusing[browser] {
		req.Header.Set("Sec-GPC", "1")
	}
	for name, value := range w.browser(browser) {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err == nil && res.StatusCode != http.StatusOK {
		err = &harness.StatusError{Status: res.StatusCode, Body: string(answer)}
	}
	for _, c := range res.Cookies() {
		w.browser(browser)[c.Name] = c.Value
	}
	return res, err
}

// trackerCommits commits as the tracker in a page does.
func (w *world) trackerCommits(ctx context.Context, browser, id string) error {
	_, err := w.asReader(ctx, browser, path(w.site, "decisions", id, "commit"), struct{}{})
	return err
}

// views sends the page view of a page.
func (w *world) views(ctx context.Context, browser, page, view string) error {
	return w.tracks(ctx, browser, map[string]any{"type": "page_view", "id": view, "url": "https://" + w.site + ".example" + page})
}

// attends sends the engagement of a view.
func (w *world) attends(ctx context.Context, browser, view string, seconds, scroll int) error {
	return w.tracks(ctx, browser, map[string]any{"type": "engagement", "view": view, "engaged_seconds": seconds, "scroll_percent": scroll})
}

func (w *world) tracks(ctx context.Context, browser string, event map[string]any) error {
	event["time"] = w.places[w.site].clock.Format(time.RFC3339Nano)
	_, err := w.asReader(ctx, browser, "/v1/events", event)
	return err
}

// lastComesTo says what has come of the last decision about a page; "-": nothing.
func (w *world) lastComesTo(ctx context.Context, page, browser, want string) error {
	id := w.edge.last[[2]string{browser, page}]
	if want == "-" {
		var x struct{ Commit *string }
		if err := w.server.Call(ctx, http.MethodGet, path(w.site, "decisions", id), nil, &x); err != nil || x.Commit != nil {
			return fmt.Errorf("the commit comes to %v, %w", x.Commit, err)
		}
		return nil
	}
	return w.committed(ctx, id, want)
}

// sealedCookie says that nothing can be read from what a session keeps.
func (w *world) sealedCookie(browser string) error {
	cookie := w.browser(browser)["rsm"]
	if cookie == "" || strings.Contains(cookie, "news") || strings.Contains(cookie, "monthly") || w.browser(browser)["rsid"] != "" {
		return fmt.Errorf("the cookies are %v", w.browser(browser))
	}
	return nil
}
