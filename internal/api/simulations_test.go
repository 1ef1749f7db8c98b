package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

const meteredText = `meter m (limit: LIMIT) = burns |> per day |> distinct item
access story {
  allow again   if item in m
  allow metered if m.left > 0 burns m
  deny  wall
}`

func metered(limit int) string {
	return strings.Replace(meteredText, "LIMIT", fmt.Sprint(limit), 1)
}

// simulated submits a simulation and returns it once it has ended.
func (s *server) simulated(body string) map[string]any {
	s.t.Helper()
	r := s.want(202, "POST", "/v1/sites/news/simulations", body)
	location := r.Header.Get("Location")
	for {
		got := s.want(200, "GET", location, "").json(s.t)
		if state := got["state"]; state != "queued" && state != "running" {
			return got
		}
		time.Sleep(time.Millisecond)
	}
}

// views stores page views of devices, "DEVICE ITEM AGE".
func (s *server) views(list ...string) {
	s.t.Helper()
	for _, v := range list {
		f := strings.Fields(v)
		age, err := time.ParseDuration(f[2])
		if err != nil {
			s.t.Fatal(err)
		}
		ev := event.Event{Device: f[0], Time: s.clock().Add(-age).UnixMilli()}
		ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, f[1]
		s.log.event(s.t, "news", ev)
	}
}

func TestSimulation(t *testing.T) {
	s := newServer(t) // it is 2026-03-01 07:30 UTC
	s.want(201, "POST", "/v1/sites", `{"id":"news","domains":["news.example"],"timezone":"Europe/Berlin"}`)
	s.views("d1 a1 34h", "d1 a2 33h", "d1 a1 32h32m", "d1 a3 32h31m", "d1 a4 3h", "d2 a1 2h", "d2 a1 1h", "d2 a2 30m", "d2 a3 8h31m")
	s.want(200, "PUT", "/v1/sites/news/program", metered(1), textHeader)
	got := s.simulated(fmt.Sprintf(`{"program":%q,"access":"story","from":null,"to":null,"against":"active","timezone":null}`, metered(2)))
	count := func(decisions, allowed, denied, readers float64, clauses ...any) map[string]any {
		by := map[string]any{}
		for i := 0; i < len(clauses); i += 2 {
			by[clauses[i].(string)] = float64(clauses[i+1].(int))
		}
		return map[string]any{"decisions": decisions, "allowed": allowed, "denied": denied, "readers_denied": readers, "by_clause": by}
	}
	with := func(m map[string]any, more ...any) map[string]any {
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	want := with(count(9, 8, 1, 1, "again", 2, "metered", 6, "wall", 1),
		"id", got["id"], "state", "done", "progress", 1.0, "newly_denied", 0.0, "no_longer_denied", 1.0, "warnings", []any{},
		"position", got["position"], "from", "2026-01-30T07:30:00Z", "to", "2026-03-01T07:30:00.001Z", "by_day", []any{
			with(count(4, 3, 1, 1, "again", 1, "metered", 2, "wall", 1), "day", "2026-02-27T00:00:00+01:00"),
			with(count(1, 1, 0, 0, "metered", 1), "day", "2026-02-28T00:00:00+01:00"),
			with(count(4, 4, 0, 0, "again", 1, "metered", 3), "day", "2026-03-01T00:00:00+01:00"),
		})
	want["from"] = got["from"] // the window's start
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for body, want := range map[string]string{
		// All of 28 February in UTC, when the day begins an hour later.
		`{"program":{"version":1},"from":"2026-02-28T00:00:00Z","to":"2026-03-01T00:00:00Z","timezone":"UTC"}`:                     "done 1 1 0 []",
		`{"program":{"version":1},"timezone":"UTC","from":"2026-02-27T00:00:00+01:00","to":1772236800000,"against":{"version":1}}`: "done 4 2 2 []",
		`{"program":"active","to":"2025-01-01T00:00:00Z"}`:                                                                         "done 0 0 0 [to lies before the window, which begins at ",
		`{"program":"active","from":"2027-01-01T00:00:00Z"}`:                                                                       "done 0 0 0 [from lies after now, which is 2026-03-01T07:30:00Z]",
		`{"program":"active","from":"2025-01-01T00:00:00Z","to":"2027-01-01T00:00:00Z"}`:                                           "done 9 6 3 [from lies before the window: what lies before ",
		`{"program":{"files":{"main":"use \"b\"","b":"access other { deny all }"}},"access":"other"}`:                              "done 9 0 9 []",
	} {
		got := s.simulated(body)
		if text := fmt.Sprint(got["state"], " ", got["decisions"], " ", got["allowed"], " ", got["denied"], " ", got["warnings"]); !strings.HasPrefix(text, want) {
			t.Errorf("%s: %s, want %s", body, text, want)
		}
	}
}

func TestSimulationFaults(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/simulations"
	two := `access story { allow everyone }\naccess stories { deny all }`
	for body, want := range map[string][]string{
		`{}`:               {"body.program missing_field"},
		`{"program":null}`: {"body.program missing_field"},
		`{"program":1,"access":2,"until":3,"timezone":"Mars/Phobos"}`:                                               {"body.access wrong_type", "body.program bad_value", "body.timezone unknown_timezone", "body.until unknown_field"},
		`{"program":"active","from":"2026-03-01T00:00:00Z","to":"2026-03-01T00:00:00Z","against":{"x":1}}`:          {"body.against bad_value", "body.to bad_range"},
		`{"program":"active","from":"yesterday","to":1.5}`:                                                          {"body.from bad_time", "body.to bad_time"},
		`{"program":"` + two + `"}`:                                                                                 {"body.access missing_field"},
		`{"program":"access story { allow x if item.sektion == 1 allow y }","access":"story"}`:                      {"main:1:27 unknown_field"},
		`{"program":"active","against":{"files":{"main":"access story { allow x if item.sektion == 1 allow y }"}}}`: {"main:1:27 unknown_field"},
	} {
		if diff := cmp.Diff(want, s.want(422, "POST", path, body).codes(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	for body, near := range map[string]string{
		`{"program":"active","access":"storie"}`:                          "story",
		`{"program":"` + two + `","access":"storis"}`:                     "stor",
		`{"program":{"version":7}}`:                                       "7",
		`{"program":"active","against":{"version":7}}`:                    "7",
		`{"program":"` + two + `","access":"stories","against":"active"}`: "stories",
	} {
		if got := s.want(404, "POST", path, body).body; !strings.Contains(got, near) {
			t.Errorf("%s: %s", body, got)
		}
	}
	s.want(400, "POST", path, `{`)
	s.want(404, "GET", path+"/simulation_1", "")
	s.want(404, "DELETE", path+"/simulation_1", "")
	s.want(403, "POST", path, `{"program":"active"}`, s.key(nil, "query:read"))
	s.want(202, "POST", path, `{"program":"active"}`, s.key(nil, "program:read"))
}

// slowEngine gives no views until it may.
type slowEngine struct {
	Engine
	gate chan struct{}
}

func (e *slowEngine) Readers(ctx context.Context, site string, at event.Position) (*engine.View, error) {
	select {
	case <-e.gate:
		return e.Engine.Readers(ctx, site, at)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestSimulationsWait: two of a site run, the next wait and one too many is
// refused; each can be stopped; a site that is deleted takes its own along.
func TestSimulationsWait(t *testing.T) {
	slow := &slowEngine{gate: make(chan struct{})}
	s := newServer(t, func(d *Deps) { slow.Engine, d.Engine = d.Engine, slow })
	s.site("news")
	const path = "/v1/sites/news/simulations"
	var ids []string
	for range 10 {
		ids = append(ids, s.want(202, "POST", path, `{"program":"active"}`).json(t)["id"].(string))
	}
	if r := s.want(429, "POST", path, `{"program":"active"}`); r.Header.Get("Retry-After") == "" {
		t.Error("a refusal does not say when to come again")
	}
	state := func(id string) any { return s.want(200, "GET", path+"/"+id, "").json(t)["state"] }
	if got := fmt.Sprint(state(ids[1]), " ", state(ids[2])); got != "running queued" {
		t.Error(got)
	}
	for _, id := range []string{ids[0], ids[9]} {
		if got := s.want(200, "DELETE", path+"/"+id, "").json(t)["state"]; got != "stopped" {
			t.Errorf("stopped: %v", got)
		}
	}
	close(slow.gate)
	for _, id := range ids[1:9] {
		for state(id) != "done" {
			time.Sleep(time.Millisecond)
		}
	}
	if got := s.want(200, "DELETE", path+"/"+ids[1], "").json(t)["state"]; got != "done" {
		t.Errorf("one that is done: %v", got)
	}
	s.want(204, "DELETE", "/v1/sites/news", "")
	s.site("news")
	s.want(404, "GET", path+"/"+ids[1], "")
}
