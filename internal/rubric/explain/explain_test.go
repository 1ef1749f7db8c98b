package explain_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
)

var update = flag.Bool("update", false, "write what is said now into testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func load(t *testing.T, text string) *plan.Program {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := schema.Default()
	s.Calendar.Zone = zone
	p := rubric.CheckText(map[string]string{"main": text}, s)
	if !p.OK() {
		t.Fatalf("%s", p.Render())
	}
	return p.Plan
}

func all(t *testing.T) *plan.Program {
	t.Helper()
	data, err := os.ReadFile("testdata/programs/all.rubric")
	if err != nil {
		t.Fatal(err)
	}
	return load(t, string(data))
}

func TestProgram(t *testing.T) {
	golden(t, "programs/all.txt", explain.Program(all(t)))
}

var now = time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC)

// ago is an instant before now.
func ago(d time.Duration) int64 { return now.Add(-d).UnixMilli() }

const aDay = 24 * time.Hour

// reader is an anonymous one who has read four articles, and five on the meter.
func reader(p *plan.Program) (*fold.View, *memory.Profile, *memory.Request) {
	profile, request := &memory.Profile{Subject: "device:1"}, &memory.Request{}
	items, burns := memory.Items{}, memory.Burns{}
	var rows memory.Rows
	for i, id := range []string{"a1", "a2", "a3", "a4", "a5"} {
		entry := memory.Item{}
		entry.Fields[plan.FieldKind], entry.Fields[plan.FieldSection] = value.OfText("article"), value.OfText("sport")
		items[id] = entry
		if i < 4 {
			rows.Add(memory.NewRow(ago(time.Duration(4-i)*aDay), "page_view", id))
		}
		burns.Add("monthly", fold.Burn{Item: id, Time: ago(time.Duration(5-i) * aDay), Limit: 5})
	}
	return &fold.View{Program: p, Now: now.UnixMilli(), Rows: rows, Items: items, Profile: profile, Burns: burns, Item: "a6", Request: request}, profile, request
}

// Sentences that editors and support read; the first is the manual's.
func TestDecisions(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(v *fold.View, p *memory.Profile, r *memory.Request)
	}{
		{"stopped", "Stopped by `register`: 5 of 5 articles of March are used; the limit is 5 because this reader is not registered (10 if registered).",
			func(*fold.View, *memory.Profile, *memory.Request) {}},
		{"metered", "Allowed by `metered`: 5 of 10 articles of March are used; the limit is 10 because this reader is registered (5 if not registered).",
			func(_ *fold.View, p *memory.Profile, _ *memory.Request) { p.Account = true }},
		{"again", "Allowed by `again`: the item asked for is in the meter `monthly`; 5 of 5 articles of March are used; the limit is 5 because this reader is not registered (10 if registered).",
			func(v *fold.View, _ *memory.Profile, _ *memory.Request) { v.Item = "a1" }},
		{"subscriber", "Allowed by `subscriber`: this reader is entitled to \"premium\" and what entitles this reader to \"premium\" is not \"grace\".",
			func(_ *fold.View, p *memory.Profile, _ *memory.Request) {
				p.Account, p.Entitlements = true, map[string]string{"premium": "account"}
			}},
		{"gift", "Allowed by `preview`: the reader comes with a valid gift link.",
			func(_ *fold.View, _ *memory.Profile, r *memory.Request) { r.Flags[plan.Gift] = true }},
		{"crawler", "Charged 0.002 EUR by `crawler`: the robot's class is \"ai_training\".",
			func(_ *fold.View, _ *memory.Profile, r *memory.Request) { r.Class = value.OfText("ai_training") }},
		{"one", "Allowed by `metered`: 1 of 5 articles of April is used; the limit is 5 because this reader is not registered (10 if registered).",
			func(v *fold.View, _ *memory.Profile, _ *memory.Request) {
				v.Now += (20 * aDay).Milliseconds()
				v.Burns.(memory.Burns).Add("monthly", fold.Burn{Item: "a7", Time: v.Now, Limit: 5})
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, p, r := reader(all(t))
			c.change(v, p, r)
			got := explain.Decide(v, 0, 41)
			if got.Sentence != c.want {
				t.Errorf("%s\nwant %s", got.Sentence, c.want)
			}
			golden(t, "decisions/"+c.name+".json", asJSON(t, got))
		})
	}
}

// How the windows and limits of meters are said.
func TestMeters(t *testing.T) {
	for _, c := range []struct{ meter, want string }{
		{"(limit: 5) = burns |> per day", "1 of 5 articles of 20 March is used; the limit is 5"},
		{"(limit: 5) = burns |> per week", "2 of 5 articles of the week from 16 March are used; the limit is 5"},
		{"(limit: 5) = burns |> last 30d", "2 of 5 articles of the last 30 days are used; the limit is 5"},
		{"(limit: 5) = burns |> last 1d", "1 of 5 articles of the last day is used; the limit is 5"},
		{"(limit: 5) = burns |> from_first 7d", "2 of 5 articles since 18 March 2026 at 10:00 are used; the limit is 5"},
		{"(limit: if reader.registered then 9 else 5, sticky: true) = burns |> per month", "2 of 7 articles of March are used; the limit is 7 since the first of them (5 today)"},
		{"(limit: events |> count) = burns |> per month", "2 of 0 articles of March are used; the limit is 0, which is the number of events"},
		{"(limit: if reader.registered then 9 else if reader.traits.vip == true then 8 else 3) = burns |> per month",
			"2 of 3 articles of March are used; the limit is 3 because this reader is not registered and the reader's `vip` is not true (9 if registered, 8 if the reader's `vip` is true)"},
	} {
		p := load(t, "meter m "+c.meter+" |> distinct item")
		rule := p.Meters[0].Rule
		v := &fold.View{Program: p, Now: now.UnixMilli(), Items: memory.Items{}, Profile: &memory.Profile{}, Burns: memory.Burns{"m": {
			{Item: "a", Time: ago(2 * aDay), Limit: 7, Rule: rule}, {Item: "b", Time: ago(time.Hour), Limit: 7, Rule: rule}}}}
		if got := explain.MeterState(v, 0).Sentence; got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.meter, got, c.want)
		}
	}
}

func TestMembership(t *testing.T) {
	for _, c := range []struct {
		segment, want string
		member        bool
	}{
		{"sport_fan", "Not in `sport_fan`: the number of events where the type is \"page_view\", the item's kind is \"article\" and the item's section is \"sport\", of the last 14 days, one for each item, is less than 5 (it is 4).", false},
		{"returning", "In `returning`: the number of events, of the last 30 days, one for each day, is at least 4 (it is 4).", true},
		{"lapsing", "Not in `lapsing`: this reader is not entitled to \"premium\".", false},
		{"either", "In `either`: this reader is in the segment `returning` and this reader is not in the segment `lapsing`.", true},
		{"trial", "Not in `trial`: the reader's `plan` is not known.", false},
	} {
		t.Run(c.segment, func(t *testing.T) {
			v, _, _ := reader(all(t))
			got := explain.Member(v, v.Program.Segment(c.segment).ID, 41)
			if got.Member != c.member || got.Sentence != c.want {
				t.Errorf("%t: %s\nwant %s", got.Member, got.Sentence, c.want)
			}
			golden(t, "members/"+c.segment+".json", asJSON(t, got))
		})
	}
}
