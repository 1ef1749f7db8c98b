package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string // "" is fine
	}{
		{"defaults", Config{}, ""},
		{"all roles", Config{Roles: []string{"edge", "engine", "worker", "api"}}, ""},
		{"unknown role", Config{Roles: []string{"edge", "cache"}}, `--role "cache" is no role: the roles are engine, edge, api, worker`},
		{"some roles", Config{Roles: []string{"edge", "engine"}, NATS: "nats://127.0.0.1:4222"}, "not available yet"},
		{"an edge", Config{Roles: []string{"edge"}, NATS: "nats://127.0.0.1:4222"}, ""},
		{"an engine", Config{Roles: []string{"engine", "api", "worker"}, NATS: "nats://a:4222,nats://b:4222?replicas=3"}, ""},
		{"an edge by itself", Config{Roles: []string{"edge"}}, "READERSHIP_NATS_URL names it"},
		{"a nats-server", Config{NATS: "127.0.0.1:4222"}, "is no address"},
		{"replicas", Config{NATS: "nats://127.0.0.1:4222?replicas=9"}, "1 to 5"},
		{"address", Config{Listen: "8080"}, `--listen "8080" is not host:port`},
		{"fast address", Config{CollectListen: "x"}, `--collect-listen "x" is not host:port`},
		{"memory", Config{Memory: 1 << 20}, "at least 64 MiB"},
		{"log", Config{LogMax: 1 << 10}, "at least 1 MiB"},
		{"root key", Config{RootKey: "secret"}, "READERSHIP_ROOT_KEY has 6 characters, at least 16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg.WithDefaults()
			err := cfg.Validate()
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// running is Run in a goroutine.
type running struct {
	address net.Addr
	collect net.Addr // of the fast listener, nil without
	out     bytes.Buffer
	stop    context.CancelFunc
	done    chan error
}

func begin(t testing.TB, cfg Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stop: cancel, done: make(chan error, 1)}
	started := make(chan struct{})
	cfg.Listen, cfg.Random, cfg.Now, cfg.Out = "127.0.0.1:0", rand.Reader, time.Now, &r.out
	cfg.Started = func(a, b net.Addr) {
		r.address, r.collect = a, b
		close(started)
	}
	go func() { r.done <- Run(ctx, cfg) }()
	select {
	case <-started:
	case err := <-r.done:
		t.Fatalf("did not start: %v", err)
	}
	t.Cleanup(cancel)
	return r
}

func (r *running) end(t testing.TB) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatalf("stopped with %v", err)
	}
}

func (r *running) call(t testing.TB, method, path, key, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.address.String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestRunKeepsWhatItWasTold(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, Config{Data: dir, RootKey: rootKey})
	status, answer := r.call(t, "POST", "/v1/sites", rootKey, `{"id":"news","domains":["news.example"]}`)
	if status != 201 {
		t.Fatal(status, answer)
	}
	var site struct {
		WriteKey string `json:"write_key"`
	}
	if err := json.Unmarshal([]byte(answer), &site); err != nil {
		t.Fatal(err)
	}
	body := `{"type":"page_view","id":"1","device":"d1","url":"https://news.example/a"}`
	if status, answer := r.call(t, "POST", "/v1/events", site.WriteKey, body); status != 200 || !strings.Contains(answer, `"accepted":1`) {
		t.Fatal(status, answer)
	}
	if status, answer := r.call(t, "GET", "/readyz", "", ""); status != 200 {
		t.Fatal(status, answer)
	}
	r.end(t)

	r = begin(t, Config{Data: dir, RootKey: rootKey})
	if status, answer := r.call(t, "POST", "/v1/events", site.WriteKey, body); status != 200 || !strings.Contains(answer, `"duplicates":1`) {
		t.Fatal(status, answer)
	}
	if status, answer := r.call(t, "GET", "/metrics", "", ""); status != 200 || !strings.Contains(answer, `readership_site_rows_total{site="news"} 1`) || !strings.Contains(answer, `readership_pages_total{outcome="failed"} `) {
		t.Fatal(status, answer)
	}
	r.end(t)
}

func TestBothListenersCollect(t *testing.T) {
	r := begin(t, Config{Data: t.TempDir(), RootKey: rootKey, CollectListen: "127.0.0.1:0"})
	if status, answer := r.call(t, "POST", "/v1/sites", rootKey, `{"id":"news"}`); status != 201 {
		t.Fatal(status, answer)
	}
	if !strings.Contains(r.out.String(), "fast listener: http://"+r.collect.String()) {
		t.Errorf("printed %s", r.out.String())
	}
	body := `{"type":"page_view","id":"1","device":"d1","item":"a"}`
	main := r.address
	r.address = r.collect
	if status, answer := r.call(t, "POST", "/v1/events?site=news", rootKey, body); status != 200 || !strings.Contains(answer, `"accepted":1`) {
		t.Error(status, answer)
	}
	if status, _ := r.call(t, "GET", "/v1/sites", rootKey, ""); status != 404 {
		t.Errorf("the fast listener answers %d to what is not collection", status)
	}
	r.address = main
	if status, answer := r.call(t, "POST", "/v1/events?site=news", rootKey, body); status != 200 || !strings.Contains(answer, `"duplicates":1`) {
		t.Error(status, answer)
	}
	question := `{"metrics":["page_views","visitors"],"date_range":"1h"}`
	if status, answer := r.call(t, "POST", "/v1/sites/news/query", rootKey, question); status != 200 || !strings.Contains(answer, `"metrics":[1,1]`) {
		t.Error(status, answer)
	}
	r.end(t)
}

func TestFirstStartPrintsTheSetupAddressOnce(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, Config{Data: dir})
	r.end(t)
	address := regexp.MustCompile(`/setup\?token=(\S+)`).FindStringSubmatch(r.out.String())
	if address == nil {
		t.Fatalf("printed %s", r.out.String())
	}
	r = begin(t, Config{Data: dir})
	token := regexp.MustCompile(`/setup\?token=(\S+)`).FindStringSubmatch(r.out.String())[1]
	body := fmt.Sprintf(`{"token":%q,"email":"a@news.example","password":"long enough"}`, token)
	if status, answer := r.call(t, "POST", "/v1/setup", "", body); status != 201 {
		t.Fatal(status, answer)
	}
	r.end(t)
	r = begin(t, Config{Data: dir})
	if strings.Contains(r.out.String(), "setup") {
		t.Errorf("with people it prints %s", r.out.String())
	}
	r.end(t)
}

func TestDemo(t *testing.T) {
	dir, first := t.TempDir(), ""
	for round := range 2 {
		r := begin(t, Config{Data: dir, Demo: true, DemoDays: 1})
		password := regexp.MustCompile(`password +(\S+)`).FindStringSubmatch(r.out.String())
		if password == nil {
			t.Fatalf("printed %s", r.out.String())
		}
		body := fmt.Sprintf(`{"email":%q,"password":%q}`, demoEmail, password[1])
		if status, answer := r.call(t, "POST", "/v1/sessions", "", body); status/100 != 2 {
			t.Fatal(round, status, answer)
		}
		if first == "" {
			first = password[1]
		} else if password[1] != first {
			t.Errorf("another password: %s, then %s", first, password[1])
		}
		r.end(t)
	}
	// Who has chosen another keeps it.
	n, stop := up(t, Config{Data: dir})
	person, err := n.store.PersonByEmail(t.Context(), demoEmail)
	if err != nil {
		t.Fatal(err)
	}
	if person.PasswordHash, err = n.hasher.Hash(t.Context(), "chosen since"); err != nil {
		t.Fatal(err)
	}
	if err := n.store.UpdatePerson(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	stop()
	r := begin(t, Config{Data: dir, Demo: true, DemoDays: 1})
	defer r.end(t)
	if status, answer := r.call(t, "POST", "/v1/sessions", "", fmt.Sprintf(`{"email":%q,"password":"chosen since"}`, demoEmail)); status/100 != 2 || strings.Contains(r.out.String(), first) {
		t.Errorf("%d %s, printed %s", status, answer, r.out.String())
	}
}

func TestOneProcessAFolder(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, Config{Data: dir})
	err := Run(t.Context(), Config{Data: dir, Listen: "127.0.0.1:0", Random: rand.Reader, Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "is in use by another process") {
		t.Errorf("error %v", err)
	}
	r.end(t)
}

func TestStartFailsPlainly(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	err = Run(t.Context(), Config{Data: t.TempDir(), Listen: held.Addr().String(), Random: rand.Reader, Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "--listen "+held.Addr().String()) {
		t.Errorf("error %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), Config{Data: file, Random: rand.Reader, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "create data folder") {
		t.Errorf("error %v", err)
	}
}

func TestCheckpointAheadOfTheLogIsRefused(t *testing.T) {
	dir := t.TempDir()
	n, stop := up(t, Config{Data: dir})
	putSite(t, n, event.Site{ID: "news"})
	stop()
	if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), Config{Data: dir, Listen: "127.0.0.1:0", Random: rand.Reader, Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("error %v", err)
	}
}

func TestSecondFailureAtAPositionIsSkipped(t *testing.T) {
	p, at, cause := newPoison(), event.MakePosition(20000, 1, 7), errors.New("a bug")
	if p.failed(at, cause) || len(p.positions()) != 0 {
		t.Fatal("skipped after one failure")
	}
	if !p.failed(at, cause) || !p.positions()[at] {
		t.Fatal("not skipped after two")
	}
	for range skipAfter {
		if p.failed(0, cause) {
			t.Fatal("what is no message is skipped")
		}
	}
}

// skipFacts returns the positions that facts of the log skip, in order.
func skipFacts(t *testing.T, log *eventlog.Log) (positions []string) {
	t.Helper()
	var batch event.Batch
	err := log.Read(t.Context(), 0, func(_ event.Position, message []byte) error {
		if batch.Decode(message) == nil {
			for _, f := range batch.Facts {
				if f.Kind == event.FactSkip {
					positions = append(positions, strings.Clone(f.Key))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return positions
}

func TestAMessageThatCannotBeAppliedIsSetAside(t *testing.T) {
	dir := t.TempDir()
	n, stop := up(t, Config{Data: dir})
	putSite(t, n, event.Site{ID: "news"})
	at, err := n.log.Append(t.Context(), n.engine.LogTime(), []byte("\xff\xff not a message"))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	for range 2 { // with the checkpoint, then by the whole log
		r := begin(t, Config{Data: dir, RootKey: rootKey})
		if status, answer := r.call(t, "GET", "/v1/sites/news", rootKey, ""); status != 200 {
			t.Fatal(status, answer)
		}
		if status, answer := r.call(t, "GET", "/v1/quarantine", rootKey, ""); status != 200 || !strings.Contains(answer, at.String()) || !strings.Contains(answer, "malformed") {
			t.Error(status, answer)
		}
		if status, answer := r.call(t, "GET", "/v1/quarantine/"+at.String(), rootKey, ""); status != 422 || !strings.Contains(answer, "cannot be decoded") {
			t.Error(status, answer)
		}
		if _, answer := r.call(t, "GET", "/readyz", "", ""); !strings.Contains(answer, "/v1/quarantine") {
			t.Error(answer)
		}
		r.end(t)
		if err := os.RemoveAll(filepath.Join(dir, "checkpoint")); err != nil {
			t.Fatal(err)
		}
	}
	log, err := eventlog.Open(eventlog.Config{Dir: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if got := skipFacts(t, log); len(got) == 0 || got[0] != at.String() {
		t.Errorf("the log skips %v", got)
	}
}

func TestWhatTheLogSkipsIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, Config{Data: dir, RootKey: rootKey})
	if status, answer := r.call(t, "POST", "/v1/sites", rootKey, `{"id":"news"}`); status != 201 {
		t.Fatal(status, answer)
	}
	for _, device := range []string{"kept", "skipped"} {
		event := fmt.Sprintf(`{"type":"page_view","device":%q,"value":2.5,"properties":{"n":1,"s":"x"}}`, device)
		if status, answer := r.call(t, "POST", "/v1/events?site=news", rootKey, event); status != 200 {
			t.Fatal(status, answer)
		}
	}
	r.end(t)
	n, stop := up(t, Config{Data: dir})
	var at event.Position
	err := n.log.Read(t.Context(), 0, func(position event.Position, message []byte) error {
		var batch event.Batch
		if err := batch.Decode(message); err != nil {
			return err
		}
		if slices.Contains(batch.Strings, "skipped") {
			at = position
		}
		return nil
	})
	if err != nil || at == 0 {
		t.Fatal(at, err)
	}
	// As if another version of the program had failed at it.
	if _, err := n.facts.CommitFacts(t.Context(), event.Fact{Kind: event.FactSkip, Key: at.String(), Value: []byte(`{"cause":"a bug"}`)}); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := os.RemoveAll(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	r = begin(t, Config{Data: dir, RootKey: rootKey})
	defer r.end(t)
	_, answer := r.call(t, "POST", "/v1/sites/news/query", rootKey, `{"metrics":["page_views","visitors"],"date_range":"1h"}`)
	if !strings.Contains(answer, `"metrics":[1,1]`) {
		t.Errorf("answer %s", answer)
	}
	if _, answer := r.call(t, "GET", "/v1/sites/news/ledger", rootKey, ""); !strings.Contains(answer, `{"verdict":"quarantined","reason":"message","count":1}`) ||
		!strings.Contains(answer, `"total":2`) {
		t.Errorf("ledger %s", answer)
	}
	if _, answer := r.call(t, "GET", "/v1/quarantine", rootKey, ""); answer != fmt.Sprintf("{\"messages\":[{\"position\":%q,\"cause\":\"a bug\"}]}\n", at) {
		t.Errorf("quarantine %s", answer)
	}
	status, answer := r.call(t, "GET", "/v1/quarantine/"+at.String(), rootKey, "")
	if status != 200 || !strings.HasPrefix(answer, `{"site":"news","time":"`) || !strings.HasSuffix(answer, `"device":"skipped","type":"page_view","currency":"EUR","properties":{"n":1,"s":"x"},"value":2.5}`+"\n") {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := r.call(t, "GET", "/v1/quarantine/1-0-1", rootKey, ""); status != 404 {
		t.Error(status)
	}
}

func TestAnswersWhileStarting(t *testing.T) {
	f := &front{random: rand.Reader}
	f.starting("replay")
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/events": 503} {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if w.Code != want || w.Header().Get("X-Request-Id") == "" || w.Header().Get("X-Readership-Position") != "0-0-0" ||
			(want == 503) != (w.Header().Get("Retry-After") != "" && strings.Contains(w.Body.String(), "starting: replay")) {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}

// Who watches a server looks its metrics up in one place.
func TestMetricsAreInTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	n, _ := up(t, Config{Data: t.TempDir(), Proxy: ProxyConfig{Listen: "127.0.0.1:0"}})
	descriptions := make(chan *prometheus.Desc)
	go func() {
		n.api.Metrics.Describe(descriptions)
		close(descriptions)
	}()
	own := 0
	for d := range descriptions {
		name := regexp.MustCompile(`fqName: "([^"]*)"`).FindStringSubmatch(d.String())
		if name == nil {
			t.Fatalf("no name in %s", d)
		}
		if !strings.HasPrefix(name[1], "readership_") {
			continue
		}
		own++
		if !bytes.Contains(page, []byte("`"+name[1]+"`")) && !bytes.Contains(page, []byte("`"+name[1]+"{")) {
			t.Errorf("docs/operations.md does not tell %s", name[1])
		}
	}
	if own < 30 {
		t.Errorf("%d metrics of our own", own)
	}
}
