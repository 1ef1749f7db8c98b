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
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
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
		{"some roles", Config{Roles: []string{"edge", "engine"}}, "not available yet"},
		{"address", Config{Listen: "8080"}, `--listen "8080" is not host:port`},
		{"fast address", Config{CollectListen: "x"}, `--collect-listen "x" is not host:port`},
		{"memory", Config{Memory: 1 << 20}, "at least 64 MiB"},
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

func begin(t *testing.T, cfg Config) *running {
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

func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Fatalf("stopped with %v", err)
	}
}

func (r *running) call(t *testing.T, method, path, key, body string) (status int, answer string) {
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
	if status, answer := r.call(t, "GET", "/metrics", "", ""); status != 200 || !strings.Contains(answer, `readership_site_rows_total{site="news"} 1`) {
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
	dir := t.TempDir()
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
		r.end(t)
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
	dir := t.TempDir()
	p, err := openPoison(dir)
	if err != nil {
		t.Fatal(err)
	}
	at := event.MakePosition(20000, 1, 7)
	if skipped, err := p.failed(at); err != nil || skipped {
		t.Fatal(skipped, err)
	}
	if p, err = openPoison(dir); err != nil || len(p.skip()) != 0 {
		t.Fatal(p.skip(), err)
	}
	if skipped, err := p.failed(at); err != nil || !skipped {
		t.Fatal(skipped, err)
	}
	if p, err = openPoison(dir); err != nil || !p.skip()[at] {
		t.Fatal(p.skip(), err)
	}
}

func TestAMessageThatCannotBeAppliedIsSetAside(t *testing.T) {
	dir := t.TempDir()
	n, stop := up(t, Config{Data: dir})
	putSite(t, n, event.Site{ID: "news"})
	if _, err := n.log.Append(t.Context(), n.engine.LogTime(), []byte("\xff\xff not a message")); err != nil {
		t.Fatal(err)
	}
	stop()
	r := begin(t, Config{Data: dir, RootKey: rootKey})
	if status, answer := r.call(t, "GET", "/v1/sites/news", rootKey, ""); status != 200 {
		t.Fatal(status, answer)
	}
	r.end(t)
	text, err := os.ReadFile(filepath.Join(dir, "skipped.json"))
	if err != nil || !strings.Contains(string(text), ": 2") {
		t.Errorf("%s %v", text, err)
	}
}

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 40 << 20: 100, 200 << 20: 24, 4 << 30: 10} {
		if got := gcPercent(live); got != want {
			t.Errorf("live %d bytes: %d %%, want %d %%", live, got, want)
		}
	}
}
