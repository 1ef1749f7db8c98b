package access

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
)

func compile(t testing.TB, text string) *plan.Program {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := schema.Default()
	s.Calendar.Zone = zone
	p := rubric.CheckText(map[string]string{"main": text}, s)
	if !p.OK() {
		t.Fatal(p.Render())
	}
	return p.Plan
}

// everything is a program that looks at whatever a decision can look at.
func everything(t testing.TB) *plan.Program {
	t.Helper()
	text, err := os.ReadFile("../rubric/explain/testdata/programs/all.rubric")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text)+`
access more {
  allow  traits  if reader.traits.plan == "gold" and reader.first_seen < now - 1d
  allow  lists   if "berlin" in item.tags or request.country in ["DE", "AT"]
  allow  tested  if arm("wall", 3) == 1 and hour(now) < 20
  charge priced  if request.referrer_host == "x.example" and (events |> where type == "order" |> sum properties.total) > 2 price rolling.used + 0.5 EUR
  allow  fans    if sport_fan and not lapsing burns first
  allow  again   if item in rolling and rolling.resets_at > now + 1d
  allow  other   if request.item == "a3" and (events |> where item == request.item |> count) > 1
  deny   first   if first.left == 0 offers wall
  allow  rest    if rolling.left > 0 burns rolling
  deny   all     offers wall
}
`)
}

var at = time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC).UnixMilli()

const aDay = 24 * 3600_000

// world draws what decisions are made on.
func world(t *rapid.T, p *plan.Program) *fold.View {
	flip := func(name string) bool { return rapid.Bool().Draw(t, name) }
	profile := &memory.Profile{Subject: rapid.SampledFrom([]string{"device:1", "device:2", "device:3"}).Draw(t, "subject"), Account: flip("account")}
	if flip("entitled") {
		profile.Entitlements = map[string]string{"premium": rapid.SampledFrom([]string{"account", "grace"}).Draw(t, "by")}
	}
	if flip("traits") {
		profile.Traits = map[string]value.Value{"plan": value.OfText(rapid.SampledFrom([]string{"gold", "trial"}).Draw(t, "plan"))}
		profile.First = value.OfTime(at - rapid.Int64Range(0, 3*aDay).Draw(t, "first"))
	}
	request := &memory.Request{Columns: map[plan.Column]value.Value{}}
	request.Flags[plan.Gift] = rapid.IntRange(0, 5).Draw(t, "gift") == 0
	if flip("robot") {
		request.Class, request.Verified = value.OfText(rapid.SampledFrom([]string{"search", "ai_training"}).Draw(t, "class")), flip("verified")
	}
	for _, c := range []event.Column{event.ColCountry, event.ColReferrerHost} {
		request.Columns[plan.Column(c)] = value.OfText(rapid.SampledFrom([]string{"DE", "FR", "x.example"}).Draw(t, "column"))
	}
	items, burns := memory.Items{}, memory.Burns{}
	var rows memory.Rows
	for i := range 7 {
		id, entry := fmt.Sprint("a", i), memory.Item{}
		entry.Fields[plan.FieldKind], entry.Fields[plan.FieldSection] = value.OfText("article"), value.OfText("sport")
		entry.Fields[plan.FieldTags] = value.OfTexts([]string{"berlin", "x"}[:rapid.IntRange(0, 2).Draw(t, "tags")])
		items[id] = entry
		if flip("read") {
			rows.Add(memory.NewRow(at-rapid.Int64Range(0, 20*aDay).Draw(t, "time"), "page_view", id))
		}
		if flip("order") {
			r := memory.NewRow(at-aDay, "order", id)
			r.Properties["total"] = value.OfMicro(1_500_000)
			rows.Add(r)
		}
		for _, m := range p.Meters {
			if flip("burned") {
				burns.Add(m.Name, fold.Burn{Item: id, Time: at - rapid.Int64Range(0, 20*aDay).Draw(t, "burn"), Limit: 4, Rule: m.Rule})
			}
		}
	}
	return &fold.View{Program: p, Now: at, Rows: rows, Items: items, Profile: profile, Burns: burns, Request: request,
		Item: fmt.Sprint("a", rapid.IntRange(0, 8).Draw(t, "item"))}
}

// record decides on a view and keeps what it looked up.
func recordOf(v *fold.View, a *plan.Access) (*record, fold.Decision) {
	r := newRecord(a)
	v.Facts = r
	d := v.Decide(a.ID)
	if d.Meter != fold.NoMeter {
		v.Meter(d.Meter)
	}
	r.clause = d.Index
	v.Asked(func(m *fold.Meter) { r.meters = append(r.meters, m) })
	return r, d
}

func asText(t testing.TB, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// A decision is explained from its record as it is from the reader's state, and
// its record is small.
func TestRecordsExplain(t *testing.T) {
	p := everything(t)
	rapid.Check(t, func(rt *rapid.T) {
		v := world(rt, p)
		for _, a := range p.Accesses {
			about := v.About(v.Item)
			want := asText(t, explain.Decide(about, a.ID, 41))
			about = v.About(v.Item)
			r, d := recordOf(about, a)
			raw := r.append(nil, at, 4096, 0)
			if len(raw) > 300 {
				rt.Fatalf("a record of %d bytes", len(raw))
			}
			back, err := readRecord(raw, p, a, at)
			if err != nil {
				rt.Fatal(err)
			}
			again := recorded(p, a, back, v.Item, at, "")
			if got := asText(t, explain.Decided(again.view, again.Decision, 41)); got != want {
				rt.Fatalf("%s of %s by %s:\n%s", a.Name, v.Item, d.Clause.Name, cmp.Diff(want, got))
			}
		}
	})
}

// A record keeps the newest entries of a meter where there is no room for all.
func TestRecordsAreBounded(t *testing.T) {
	p := compile(t, "meter m (limit: 500) = burns |> per month |> distinct item\naccess story { allow more if m.left > 0 burns m deny rest }")
	burns := memory.Burns{}
	for i := range 200 {
		burns.Add("m", fold.Burn{Item: fmt.Sprintf("article-%03d", i), Time: at - 1000 + int64(i), Limit: 500})
	}
	v := &fold.View{Program: p, Now: at, Items: memory.Items{}, Profile: &memory.Profile{}, Burns: burns, Item: "a"}
	r, _ := recordOf(v, p.Accesses[0])
	raw := r.append(nil, at, 500, 0)
	if len(raw) > 500 {
		t.Fatalf("%d bytes", len(raw))
	}
	back, err := readRecord(raw, p, p.Accesses[0], at)
	if err != nil {
		t.Fatal(err)
	}
	d := recorded(p, p.Accesses[0], back, "a", at, "")
	if d.meter.Used() != 200 || d.meter.Older == 0 || d.meter.Entries[len(d.meter.Entries)-1].Item != "article-199" {
		t.Errorf("%+v", d.meter)
	}
	if x := explain.Decided(d.view, d.Decision, 1); x.Meter.Older != d.meter.Older || !strings.HasPrefix(x.Sentence, "Allowed by `more`: 200 of 500") {
		t.Errorf("%+v", x)
	}
}

func FuzzRecord(f *testing.F) {
	p := everything(f)
	v := &fold.View{Program: p, Now: at, Items: memory.Items{}, Profile: &memory.Profile{}, Burns: memory.Burns{"first": {{Item: "x", Time: at - 5}}}, Item: "a"}
	for _, a := range p.Accesses {
		r, _ := recordOf(v.About("a"), a)
		f.Add(r.append(nil, at, 300, 0))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, a := range p.Accesses {
			r, err := readRecord(raw, p, a, at)
			if err != nil {
				continue
			}
			d := recorded(p, a, r, "a", at, commitBurned)
			explain.Decided(d.view, d.Decision, 1)
			d.verdict(new(wording), 1, "", "device:1")
			again, err := readRecord(r.append(nil, at, len(raw)+1000, 0), p, a, at)
			if err != nil || len(again.meters) != len(r.meters) {
				t.Fatalf("written again: %v", err)
			}
		}
	})
}

func drawGiven(t *rapid.T) Given {
	var g Given
	text := rapid.StringN(0, 12, 40)
	for range rapid.IntRange(0, 3).Draw(t, "columns") {
		g.setColumn(event.Column(rapid.IntRange(0, int(event.NumColumns)-1).Draw(t, "column")), text.Draw(t, "text"))
	}
	g.Verified = rapid.Bool().Draw(t, "verified")
	for range rapid.IntRange(0, 2).Draw(t, "entitlements") {
		g.Entitlements = append(g.Entitlements, text.Draw(t, "name"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "lists") {
		g.Lists = append(g.Lists, match(text.Draw(t, "list"), rapid.SampledFrom(listKinds[:]).Draw(t, "by")))
	}
	if rapid.Bool().Draw(t, "session") {
		g.Session = &Session{User: text.Draw(t, "user")}
	}
	if rapid.Bool().Draw(t, "link") {
		g.Link = &identity.Link{ID: "AAAAAAAAAAAA", Kind: event.LinkGift, Item: text.Draw(t, "item"), Giver: "account:7", Expires: at, Uses: 10}
	}
	return g
}

var testIDs = identity.NewDecisions([]byte("a secret of the tests, 32 bytes and more"))

// What an id seals comes back, from it and from the event of the commit; it fits,
// and of another site it says nothing.
func TestTickets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringN(1, 40, 300)
		want := ticket{Reader: "device:" + name.Draw(rt, "reader"), Item: name.Draw(rt, "item"), At: rapid.Int64Range(0, 4e12).Draw(rt, "at"),
			Version: rapid.IntRange(0, 1e6).Draw(rt, "version"), Access: "story", Shown: shown(rapid.IntRange(0, 3).Draw(rt, "shown")),
			Clause: rapid.IntRange(0, 40).Draw(rt, "clause"), Given: drawGiven(rt), Record: rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(rt, "record")}
		want.Nonce[3] = 7
		err := want.pack(true, func(dst []byte, _, _ int) []byte { return append(dst, want.Record...) })
		if err != nil {
			if len(want.Reader)+len(want.Item) < maxNames-20 {
				rt.Fatal(err)
			}
			return
		}
		id := want.seal(testIDs, "news")
		if len(id) > identity.MaxDecisionID {
			rt.Fatalf("an id of %d bytes", len(id))
		}
		if _, err := openTicket(testIDs, "blog", id); err == nil {
			rt.Fatal("an id of another site was opened")
		}
		got, err := openTicket(testIDs, "news", id)
		if err != nil {
			rt.Fatal(err)
		}
		row := new(ticket)
		if err := row.readAsked(want.asked(), want.Reader, want.Item, want.At); err != nil {
			rt.Fatal(err)
		}
		if row.seal(testIDs, "news") != id {
			rt.Fatal("the row has another id")
		}
		for _, x := range []*ticket{got, row} {
			if len(x.Record) == 0 && len(want.Record) > 0 {
				continue // there was no room
			}
			x.rest, want.rest = nil, nil
			if diff := cmp.Diff(want, *x, cmp.AllowUnexported(ticket{}), cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); diff != "" {
				rt.Fatal(diff)
			}
		}
	})
}

// Texts of a request that are too long for an id are cut, names are not.
func TestTicketsFit(t *testing.T) {
	long := ticket{Reader: "device:d", Item: "a", Access: "story"}
	long.Given.Columns = new([event.NumColumns]string)
	for c := range long.Given.Columns {
		long.Given.Columns[c] = strings.Repeat("ä", 1000)
	}
	if err := long.pack(true, nil); err != errTooLong {
		t.Errorf("%v", err)
	}
	long.Given.Columns = &[event.NumColumns]string{event.ColURL: strings.Repeat("ä", 1000), event.ColCountry: "DE"}
	if err := long.pack(true, nil); err != nil {
		t.Fatal(err)
	}
	got, err := openTicket(testIDs, "news", long.seal(testIDs, "news"))
	if err != nil || got.Given.Column(event.ColURL) != strings.Repeat("ä", cutColumn/2) || got.Given.Column(event.ColCountry) != "DE" {
		t.Errorf("%+v %v", got, err)
	}
	long.Item = strings.Repeat("x", maxNames)
	if err := long.pack(true, nil); err != errTooLong {
		t.Errorf("%v", err)
	}
}

func FuzzTicket(f *testing.F) {
	t := ticket{Reader: "device:d", Item: "a", Access: "story", Given: Given{Entitlements: []string{"premium"}, Link: &identity.Link{Kind: "gift"}}}
	if err := t.pack(true, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(t.rest, t.seal(testIDs, "news"))
	f.Fuzz(func(t *testing.T, raw []byte, id string) {
		if _, err := openTicket(testIDs, "news", id); err == nil && id != "" {
			if _, _, ok := testIDs.Open("news", id); !ok {
				t.Fatal("an id that we did not make")
			}
		}
		var back ticket
		if back.read(bytesReader{raw: raw}) != nil {
			return
		}
		again := back
		if err := again.pack(true, func(dst []byte, _, _ int) []byte { return append(dst, back.Record...) }); err != nil {
			return // too long for an id
		}
		if err := again.read(bytesReader{raw: again.rest}); err != nil {
			t.Fatal(err)
		}
	})
}

func match(list, by string) engine.Match { return engine.Match{List: list, By: by} }

func FuzzSession(f *testing.F) {
	f.Add(AppendBurns(nil, []engine.Burn{{Meter: "monthly", Item: "a1", Time: at, Limit: 5, Rule: 1 << 63, Until: at + 1}}, at))
	f.Fuzz(func(t *testing.T, raw []byte) {
		burns := ReadBurns(raw)
		if back := ReadBurns(AppendBurns(nil, burns, math.MinInt64)); len(back) > len(burns) {
			t.Fatalf("%d burns of %d", len(back), len(burns))
		}
	})
}
