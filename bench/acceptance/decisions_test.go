package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerDecisions(sc *godog.ScenarioContext) {
	sc.Then(`^reading comes to$`, func(ctx context.Context, t *godog.Table) error { return w.comesTo(ctx, t, true) })
	sc.Then(`^asking comes to$`, func(ctx context.Context, t *godog.Table) error { return w.comesTo(ctx, t, false) })
	sc.When(`^the last decision is committed$`, w.commitLast)
	sc.Then(`^the commit comes to "([^"]*)" with the meter at (\d+) of (\d+)$`, w.commitIs)
	sc.Then(`^the answer is (\d+)$`, w.statusIs)
	sc.Then(`^the answer says$`, w.answerSays)
	sc.Then(`^the explanation of the last decision is$`, w.explained)
	sc.Then(`^the last decision of "([^"]*)" is found by the end of its id$`, w.found)
}

// comesTo asks for each row of a table and compares the verdict with the cells
// that are not empty. With commit the row's time moves the site's clock, as
// every event does.
func (w *world) comesTo(ctx context.Context, table *godog.Table, commit bool) error {
	return w.eachRow(table, func(row cells) error {
		site := w.site
		if row["site"] != "" {
			site = row["site"]
		}
		if err := w.ask(ctx, site, row, commit); err != nil {
			return err
		}
		return w.verdictIs(site, row)
	})
}

// ask asks what a row says and keeps the verdict.
func (w *world) ask(ctx context.Context, site string, row cells, commit bool) (err error) {
	at, err := w.at(site, row["at"])
	if err != nil {
		return err
	}
	p := w.places[site]
	if !commit || at.Sub(p.clock) > 7*24*time.Hour {
		if err := w.moveTo(ctx, site, row["at"]); err != nil {
			return err
		}
	}
	if at.After(p.clock) {
		p.clock = at
	}
	w.decided.site, w.decided.Decision, w.decided.text = site, new(harness.Decision), nil
	w.decided.err = w.server.Call(ctx, http.MethodPost, path(site, "decisions"), w.question(site, row, at, commit), &w.decided.text)
	if w.decided.err != nil {
		return w.decided.err
	}
	return json.Unmarshal(w.decided.text, w.decided.Decision)
}

func (w *world) question(site string, row cells, at time.Time, commit bool) map[string]any {
	access := row["access"]
	if access == "" {
		access = "story"
	}
	who := readerOf(row["reader"])
	for kind, id := range who {
		w.saw(site, kind, id)
	}
	q := map[string]any{"access": access, "reader": who, "commit": commit}
	request := map[string]string{}
	for column, field := range map[string]string{"url": "url", "canonical": "canonical", "ip": "ip", "agent": "user_agent"} {
		if row[column] != "" {
			request[field] = row[column]
		}
	}
	if name := row["link"]; name != "" {
		request["link"] = w.links[name]
	}
	if len(request) > 0 {
		q["request"] = request
	}
	if row["item"] != "" {
		q["item"] = map[string]string{"id": row["item"]}
		w.items[[2]string{site, row["item"]}] = true
	}
	when := "at"
	if commit {
		when = "time"
	}
	if !at.IsZero() {
		q[when] = at.Format(time.RFC3339Nano)
	}
	return q
}

// verdictIs compares the last verdict with a row.
func (w *world) verdictIs(site string, row cells) error {
	d := w.decided.Decision
	meter, resets := "", ""
	if d.Meter != nil {
		meter = fmt.Sprintf("%d/%d", d.Meter.Used, d.Meter.Limit)
		if d.Meter.Left != max(0, d.Meter.Limit-d.Meter.Used) {
			return fmt.Errorf("%d left of a meter at %s", d.Meter.Left, meter)
		}
		if strings.HasPrefix(row["meter"], d.Meter.Name+" ") {
			meter = d.Meter.Name + " " + meter
		}
		if d.Meter.ResetsAt != nil {
			resets = d.Meter.ResetsAt.Format(time.RFC3339Nano)
		}
	}
	got := cells{"verdict": strings.TrimSpace(d.Decision + " " + d.Clause), "commit": d.Committed(), "meter": meter, "offer": d.Offer,
		"as": d.Reader, "ttl_s": strconv.Itoa(d.TTL), "segments": strings.Join(d.Segments, " ")}
	if want := row["resets at"]; want != "" {
		at, err := w.at(site, want)
		if err != nil {
			return err
		}
		if d.Meter == nil || d.Meter.ResetsAt == nil || !d.Meter.ResetsAt.Equal(at) {
			return fmt.Errorf("the meter resets at %q, want %s", resets, at.Format(time.RFC3339Nano))
		}
		if !d.Meter.ResetsAt.Add(-time.Duration(d.TTL) * time.Second).After(w.places[site].clock.Add(-time.Second)) {
			return fmt.Errorf("the answer may be kept for %d s, past %s", d.TTL, resets)
		}
	}
	var errs []error
	for name, is := range got {
		if want := row[name]; want != "" && want != is && (want != "-" || is != "") {
			errs = append(errs, fmt.Errorf("%s is %q, want %q", name, is, want))
		}
	}
	if d.Fallback {
		errs = append(errs, errors.New("a fallback answered"))
	}
	return errors.Join(errs...)
}

func (w *world) commitLast(ctx context.Context) error {
	d := &w.decided
	d.Decision, d.err = w.server.Commit(ctx, d.site, d.ID)
	if status := new(harness.StatusError); errors.As(d.err, &status) {
		return nil // what Then looks at
	}
	return d.err
}

func (w *world) commitIs(commit string, used, limit int) error {
	d := w.decided.Decision
	if w.decided.err != nil {
		return w.decided.err
	}
	if d.Committed() != commit || d.Meter == nil || d.Meter.Used != used || d.Meter.Limit != limit {
		return fmt.Errorf("commit %s with the meter %+v", d.Committed(), d.Meter)
	}
	return nil
}

func (w *world) statusIs(want int) error {
	status := new(harness.StatusError)
	if !errors.As(w.decided.err, &status) || status.Status != want {
		return fmt.Errorf("the answer is %v, want status %d", w.decided.err, want)
	}
	return nil
}

// answerSays compares the whole of the last verdict, but for its id and how long
// it took, which it must have.
func (w *world) answerSays(text *godog.DocString) error {
	var got, want map[string]any
	if err := errors.Join(json.Unmarshal(w.decided.text, &got), json.Unmarshal([]byte(text.Content), &want)); err != nil {
		return err
	}
	id, took := got["decision_id"], got["took_us"]
	delete(got, "decision_id")
	delete(got, "took_us")
	if id, ok := id.(string); !ok || id == "" || took == nil || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("the answer is %s", w.decided.text)
	}
	return nil
}

func (w *world) explained(ctx context.Context, text *godog.DocString) error {
	var x struct{ Sentence string }
	if err := w.server.Call(ctx, http.MethodGet, path(w.decided.site, "decisions", w.decided.ID), nil, &x); err != nil {
		return err
	}
	if want := strings.Join(strings.Fields(text.Content), " "); x.Sentence != want {
		return fmt.Errorf("the sentence is %q, want %q", x.Sentence, want)
	}
	return nil
}

func (w *world) found(ctx context.Context, reader string) error {
	var list struct {
		Decisions []struct {
			ID     string `json:"decision_id"`
			Reader string
		}
	}
	id := w.decided.ID
	if err := w.server.Call(ctx, http.MethodGet, path(w.decided.site, "decisions")+"?code="+id[len(id)-8:], nil, &list); err != nil {
		return err
	}
	if len(list.Decisions) != 1 || list.Decisions[0].ID != id || list.Decisions[0].Reader != reader {
		return fmt.Errorf("found %+v, want %s of %s", list.Decisions, id, reader)
	}
	return nil
}
