package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/readership/readership/internal/load"
	"github.com/readership/readership/internal/natstest"
)

// pages is a program with one block that fails open and one that fails closed, by
// their deadline.
func pages(deadline string) string {
	return strings.ReplaceAll(pagesText, "DEADLINE", deadline)
}

const pagesText = `
meter monthly (limit: 3) = burns |> per month |> distinct item
access story (deadline: DEADLINE) {
  allow again   if item in monthly
  allow metered if monthly.left > 0 burns monthly
  deny  wall    offers plans
}
access closed (deadline: DEADLINE, fails: closed) { allow all }
`

// apart are an edge and an engine in processes of their own, on a nats-server.
type apart struct {
	t            *testing.T
	nats         *natstest.Server
	edge, engine *process
	dirs         [2]string
	writeKey     string
	position     atomic.Pointer[string] // of the edge's last answer
}

func openApart(t *testing.T, deadline string) *apart {
	s := &apart{t: t, nats: natstest.Start(t), dirs: [2]string{t.TempDir(), t.TempDir()}}
	s.runEngine()
	s.runEdge() // which has its keys from it
	s.writeKey = s.want(201, s.engine, "POST", "/v1/sites", rootKey, `{"id":"news","domains":["news.example"]}`).json(t)["write_key"].(string)
	s.want(200, s.engine, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": pages(deadline)}}))
	return s
}

func (s *apart) runEngine() {
	s.engine = spawn(s.t, s.dirs[0], natsEnv+"="+s.nats.URL, rolesEnv+"=engine,api,worker")
}

func (s *apart) runEdge() {
	s.edge = spawn(s.t, s.dirs[1], natsEnv+"="+s.nats.URL, rolesEnv+"=edge")
}

func (s *apart) call(p *process, method, path, key, body string) (status int, answer reply) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, p.server+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	if at := s.position.Load(); p == s.engine && at != nil {
		req.Header.Set("X-Readership-Position", *at)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if at := res.Header.Get("X-Readership-Position"); p == s.edge && at != "" {
		s.position.Store(&at)
	}
	return res.StatusCode, reply{status: res.StatusCode, body: string(text), header: res.Header}
}

func (s *apart) want(status int, p *process, method, path, key, body string) reply {
	s.t.Helper()
	got, answer := s.call(p, method, path, key, body)
	if got != status {
		s.t.Fatalf("%s %s: %d %s", method, path, got, answer.body)
	}
	return answer
}

// decide asks the edge, with a commit.
func (s *apart) decide(access, device, item string) map[string]any {
	s.t.Helper()
	return s.want(200, s.edge, "POST", "/v1/sites/news/decisions", rootKey,
		fmt.Sprintf(`{"access":%q,"reader":{"device":%q},"item":{"id":%q},"commit":true}`, access, device, item)).json(s.t)
}

// auth asks the edge as the server of a page does.
func (s *apart) auth(access string) (status int, fallback string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.edge.server+"/v1/sites/news/auth?access="+access+"&key="+s.writeKey, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = "news.example"
	req.Header.Set("X-Original-URI", "/a1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, res.Header.Get("X-Readership-Fallback")
}

// settle waits until the engine has what the edge has acknowledged.
func (s *apart) settle() {
	s.t.Helper()
	for {
		status, answer := s.call(s.engine, "GET", "/readyz", "", "")
		if status == 200 {
			return
		}
		if !strings.Contains(answer.body, "has not applied") {
			s.t.Fatal(answer.body)
		}
	}
}

// checkAway says whether pages go on without the engine.
func (s *apart) checkAway(round string) {
	s.t.Helper()
	if v := s.decide("story", "d-"+round, "a1"); v["decision"] != "allow" || v["fallback"] != true || v["commit"] != nil {
		s.t.Errorf("%s: an open block answers %v", round, v)
	}
	if v := s.decide("closed", "d-"+round, "a1"); v["decision"] != "deny" || v["fallback"] != true {
		s.t.Errorf("%s: a closed block answers %v", round, v)
	}
	for access, want := range map[string]int{"story": 200, "closed": 403} { // as nginx asks
		if status, fallback := s.auth(access); status != want || fallback != "1" {
			s.t.Errorf("%s: auth for %s: %d, fallback %q", round, access, status, fallback)
		}
	}
	s.want(503, s.edge, "GET", "/v1/sites/news/readers/device:d1/segments", rootKey, "")
	s.want(200, s.edge, "GET", "/readyz", "", "")
}

// checkBack says whether what was committed without the engine was decided when it
// applied it.
func (s *apart) checkBack(round string) {
	s.t.Helper()
	s.settle()
	list := s.want(200, s.engine, "GET", "/v1/sites/news/readers/device:d-"+round+"/decisions", rootKey, "").json(s.t)["decisions"].([]any)
	if len(list) != 2 {
		s.t.Fatalf("%s: committed were %v", round, list)
	}
	var v map[string]any
	for { // until the edge knows that it is back
		if v = s.decide("story", "d-"+round, "a1"); v["fallback"] == false {
			break
		}
	}
	if v["commit"] != "again" || v["clause"] != "again" {
		s.t.Errorf("%s: once more: %v", round, v)
	}
}

func TestApartDecides(t *testing.T) {
	s := openApart(t, "10s")
	for i, want := range []string{"burned", "burned", "burned", "denied"} {
		if v := s.decide("story", "d1", fmt.Sprint("a", i)); v["commit"] != want || v["fallback"] != false || v["reader"] != "device:d1" {
			t.Errorf("decision %d: %v", i, v)
		}
	}
	// Reads at the edge see what it has acknowledged.
	if got := s.want(200, s.edge, "GET", "/v1/sites/news/readers/device:d1/segments", rootKey, ""); !strings.Contains(got.body, `"segments":[]`) {
		t.Error(got.body)
	}
	id := s.decide("story", "d1", "a0")["decision_id"].(string)
	if got := s.want(200, s.edge, "GET", "/v1/sites/news/decisions/"+id, rootKey, "").json(t); got["reader"] != "device:d1" {
		t.Error(got)
	}
	// A decision that was shown is committed later.
	shown := s.want(200, s.edge, "POST", "/v1/sites/news/decisions", s.writeKey, `{"access":"story","item":{"id":"a9"},"request":{"url":"https://news.example/a9"}}`).json(t)
	if shown["fallback"] != false || shown["decision"] != "allow" {
		t.Fatal(shown)
	}
	// An account that was proven elsewhere brings its device's burns.
	s.want(200, s.engine, "POST", "/v1/sites/news/logins", rootKey, `{"device":"d1","account":"a7"}`)
	v := s.want(200, s.edge, "POST", "/v1/sites/news/decisions", rootKey, `{"access":"story","reader":{"device":"d1","account":"a7"},"item":{"id":"a0"},"commit":true}`).json(t)
	if v["clause"] != "again" || v["reader"] != "account:a7" {
		t.Errorf("after the login: %v", v)
	}
	// What an edge does not serve it says, and its database is elsewhere.
	s.want(404, s.edge, "GET", "/v1/sites", rootKey, "")
	// A key works at the edge once it is made, and not once it is gone.
	made := s.want(201, s.engine, "POST", "/v1/keys", rootKey, `{"name":"cms","scopes":["decisions:read"]}`).json(t)
	ask := `{"access":"story","reader":{"device":"d2"},"item":{"id":"a1"}}`
	for status := 0; status != 200; { // a watcher tells the edge
		if status, _ = s.call(s.edge, "POST", "/v1/sites/news/decisions", made["key"].(string), ask); status != 200 && status != 401 {
			t.Fatal(status)
		}
	}
	s.want(204, s.engine, "DELETE", "/v1/keys/"+made["id"].(string), rootKey, "")
	for status := 0; status != 401; {
		status, _ = s.call(s.edge, "POST", "/v1/sites/news/decisions", made["key"].(string), ask)
	}
	// A second writer is refused.
	second := Config{Data: t.TempDir(), NATS: s.nats.URL, Roles: []string{"edge"}, Listen: "127.0.0.1:0", Now: time.Now}
	if err := Run(t.Context(), second); err == nil || !strings.Contains(err.Error(), "writes this log") {
		t.Errorf("a second edge: %v", err)
	}
}

// The engine is stopped and killed under load, and the edge killed: pages go on by the
// policy of their block, and what was acknowledged is stored once.
func TestApartLosesNothing(t *testing.T) {
	s := openApart(t, "50ms")
	begin := time.Now()
	var reports []*load.Report
	under := func(do func()) {
		t.Helper()
		mix := load.DefaultMix()
		mix.Numbers, mix.Engaged, mix.Items = true, 0, 200
		ctx, cancel := context.WithCancel(t.Context())
		enough := make(chan struct{})
		var once sync.Once
		o := load.Options{Server: s.edge.server, Key: s.writeKey, Connections: 4, Pipeline: 1, Batch: 5, Seed: uint64(len(reports)), Mix: mix,
			Keep: true, Now: time.Now, Steps: []load.Step{{Rate: 400, Duration: time.Minute}},
			OnSecond: func(load.Progress) { once.Do(func() { close(enough) }) }}
		done := make(chan *load.Report, 1)
		go func() {
			report, err := load.Run(ctx, o)
			if err != nil {
				t.Error(err)
			}
			done <- report
		}()
		<-enough
		do()
		cancel()
		if report := <-done; report != nil {
			reports = append(reports, report)
		}
	}
	signal := func(p *process, sig os.Signal) {
		t.Helper()
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	under(func() {
		signal(s.engine, syscall.SIGSTOP)
		s.checkAway("stopped")
	})
	signal(s.engine, syscall.SIGCONT)
	s.checkBack("stopped")

	under(func() {
		signal(s.engine, syscall.SIGKILL)
		_ = s.engine.cmd.Wait()
		s.checkAway("killed")
	})
	s.runEngine()
	s.checkBack("killed")

	under(func() {
		signal(s.edge, syscall.SIGKILL)
		_ = s.edge.cmd.Wait()
	})
	s.runEdge()
	s.settle()

	acknowledged := 0
	for i, report := range reports {
		v, err := report.Verify(rowsOf(t, s.engine.server, begin))
		if err != nil {
			t.Fatal(err)
		}
		acknowledged += v.Acknowledged
		if v.Acknowledged == 0 || v.Missing > 0 || v.Doubled > 0 {
			t.Errorf("round %d: %+v", i, v)
		}
	}
	t.Logf("%d acknowledged events", acknowledged)
	for _, p := range []*process{s.engine, s.edge} {
		signal(p, syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, p.errs.String())
		}
	}
}
