package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/cucumber/godog"
)

func (w *world) registerSite(sc *godog.ScenarioContext) {
	sc.Given(`^a site "([^"]*)" with clock "([^"]*)" in "([^"]*)" on the same server$`, w.addSite)
	sc.Given(`^the server is in the time zone "([^"]*)"$`, w.serverZone)
	sc.Given(`^the settings$`, w.settings)
	sc.Given(`^the program$`, w.program)
	sc.Then(`^the program was stored with the warning "([^"]*)"$`, w.warned)
	sc.Given(`^the catalogue$`, w.catalogue)
	sc.When(`^these events happen$`, w.events)
	sc.When(`^the clock moves to "([^"]*)"$`, func(ctx context.Context, at string) error { return w.moveTo(ctx, w.site, at) })
}

// place is where and when a site of the scenario is.
type place struct {
	zone     *time.Location
	clock    time.Time // the latest time that the scenario has sent; zero where the wall's counts
	writeKey string
}

func (w *world) addSite(ctx context.Context, site, clock, zone string) error {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return err
	}
	key, err := w.server.CreateSite(ctx, fmt.Sprintf(`{"id":%q,"domains":["%s.example"],"timezone":%q,"window":"30d","clock":%q}`, site, site, zone, clock))
	w.site = site
	w.places[site] = &place{zone: loc, writeKey: key}
	return err
}

// serverZone starts the server again as on a machine in another time zone.
func (w *world) serverZone(ctx context.Context, zone string) (err error) {
	if err := w.server.Stop(); err != nil {
		return err
	}
	w.server.Env = append(w.server.Env, "TZ="+zone)
	w.server, err = w.server.Restart(ctx)
	return err
}

// path is the address of something of a site.
func path(site string, parts ...string) string {
	b := strings.Builder{}
	b.WriteString("/v1/sites/" + site)
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

func (w *world) settings(ctx context.Context, text *godog.DocString) error {
	return w.server.Call(ctx, http.MethodPatch, path(w.site), text.Content, nil)
}

// patient gives access blocks all the time they may have: scenarios are about what
// is decided, on a busy machine too.
var patient = regexp.MustCompile(`(?m)^(\s*access \w+) \{`)

// program stores a program in every site of the scenario.
func (w *world) program(ctx context.Context, text *godog.DocString) error {
	for site := range w.places {
		w.stored = nil
		body := map[string]any{"files": map[string]string{"main": patient.ReplaceAllString(text.Content, "$1 (deadline: 10s) {")}}
		if err := w.server.Call(ctx, http.MethodPut, path(site, "program"), body, &w.stored); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) warned(part string) error {
	if text, _ := json.Marshal(w.stored["warnings"]); !strings.Contains(string(text), part) {
		return fmt.Errorf("warnings %s, want one with %q", text, part)
	}
	return nil
}

func (w *world) catalogue(ctx context.Context, table *godog.Table) error {
	return w.eachRow(table, func(row cells) error {
		item := map[string]any{}
		for name, text := range row {
			switch {
			case name == "id" || text == "":
			case name == "aliases":
				item[name] = strings.Fields(text)
			case strings.HasSuffix(name, "_at"):
				at, err := w.at(w.site, text)
				if err != nil {
					return err
				}
				item[name] = at.Format(time.RFC3339Nano)
			default:
				item[name] = text
			}
		}
		return w.server.Call(ctx, http.MethodPut, path(w.site, "items", row["id"]), item, nil)
	})
}

func (w *world) events(ctx context.Context, table *godog.Table) error {
	return w.eachRow(table, func(row cells) error {
		at, err := w.at(w.site, row["at"])
		if err != nil {
			return err
		}
		e := map[string]any{"type": row["type"], "time": at.Format(time.RFC3339Nano)}
		if item := row["item"]; item != "" {
			e["item"] = item
		}
		for kind, id := range readerOf(row["reader"]) {
			w.saw(w.site, kind, id)
			e[kind] = id
		}
		return w.send(ctx, w.site, at, e)
	})
}

// send sends an event that may move the site's clock however far.
func (w *world) send(ctx context.Context, site string, at time.Time, event map[string]any) error {
	p := w.places[site]
	if at.After(p.clock) {
		p.clock = at
	}
	return w.server.Call(ctx, http.MethodPost, "/v1/events?advance=1&site="+site, event, nil)
}

// moveTo moves the site's clock on to a time, if it is not there yet.
func (w *world) moveTo(ctx context.Context, site, at string) error {
	t, err := w.at(site, at)
	if err != nil || !t.After(w.places[site].clock) {
		return err
	}
	return w.send(ctx, site, t, map[string]any{"type": "clock", "device": "clock", "time": t.Format(time.RFC3339Nano)})
}

// at reads a time of a scenario: in the site's zone where it has no offset; ""
// is the site's clock.
func (w *world) at(site, text string) (time.Time, error) {
	if text == "" {
		return w.places[site].clock, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, w.places[site].zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time like 2024-03-01 10:00", text)
}

// cells are a row of a table by the names of its columns.
type cells map[string]string

func (w *world) eachRow(table *godog.Table, f func(cells) error) error {
	for i, r := range table.Rows[1:] {
		row := cells{}
		for k, c := range r.Cells {
			row[table.Rows[0].Cells[k].Value] = c.Value
		}
		if err := f(row); err != nil {
			return fmt.Errorf("row %d %v: %w", i+1, row, err)
		}
	}
	return nil
}
