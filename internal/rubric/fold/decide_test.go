package fold_test

import (
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

const accessText = `
meter m (limit: 1) = burns |> per month |> distinct item
meter n (limit: 1) = burns |> per month |> distinct item
access story {
  allow  preview  if request.preview
  allow  search   if bot.verified and bot.class == "search"
  charge crawler  if bot.class == "ai_training" price 0.002 EUR
  allow  abroad   if request.country == "FR"
  allow  topic    if item.topic == "open" and item.id != "x"
  allow  again    if item in m
  allow  metered  if m.left > 0 burns m
  allow  bonus    if n.left > 0 and reader.registered burns n
  deny   full     if n.left == 0
  deny   stop     offers page
}
test "-" { item z { topic: "open" } at 2026-03-01 expect story(z) == allow topic }`

// Each case gives the clause, the meter that is shown and the one that a commit
// burns.
func TestDecide(t *testing.T) {
	m, n, none := 0, 1, fold.NoMeter
	for _, c := range []struct {
		name         string
		change       func(v *fold.View, r *memory.Request)
		clause       string
		shown, burns int
	}{
		{"a fresh reader", func(*fold.View, *memory.Request) {}, "metered", m, m},
		{"a signed link", func(_ *fold.View, r *memory.Request) { r.Flags[plan.Preview] = true }, "preview", none, none},
		{"a verified robot", func(_ *fold.View, r *memory.Request) { r.Verified, r.Class = true, value.OfText("search") }, "search", none, none},
		{"one that only says so", func(_ *fold.View, r *memory.Request) { r.Class = value.OfText("search") }, "metered", m, m},
		{"a charge", func(_ *fold.View, r *memory.Request) { r.Class = value.OfText("ai_training") }, "crawler", none, none},
		{"a column of the request", func(_ *fold.View, r *memory.Request) {
			r.Columns = map[plan.Column]value.Value{plan.Column(event.ColCountry): value.OfText("FR")}
		}, "abroad", none, none},
		{"an attribute of the item", func(v *fold.View, _ *memory.Request) {
			v.Items = memory.Items{"a": {Attributes: map[string]value.Value{"topic": value.OfText("open")}}}
		}, "topic", none, none},
		{"again: the condition asks a meter", func(v *fold.View, _ *memory.Request) { burn(v, "m", "a") }, "again", m, none},
		{"a denial: the last meter above that would have been burned", func(v *fold.View, _ *memory.Request) { burn(v, "m", "b") }, "stop", n, none},
		{"a denial that asks a meter", func(v *fold.View, _ *memory.Request) { burn(v, "m", "b"); burn(v, "n", "b") }, "full", n, none},
		{"the next meter", func(v *fold.View, _ *memory.Request) {
			burn(v, "m", "b")
			v.Profile.(*memory.Profile).Account = true
		}, "bonus", n, n},
		{"no request at all", func(v *fold.View, _ *memory.Request) { v.Request = nil }, "metered", m, m},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := view(program(t, accessText), at(t, "02T10:00"), nil)
			r := &memory.Request{}
			v.Item, v.Request = "a", r
			c.change(v, r)
			d := v.Decide(0)
			if d.Clause.Name != c.clause || d.Meter != c.shown || d.Burns != c.burns {
				t.Errorf("%s, meter %d, burns %d; want %s, %d, %d", d.Clause.Name, d.Meter, d.Burns, c.clause, c.shown, c.burns)
			}
			if d.Clause.Name == "crawler" && (d.Price != value.OfMicro(2000) || d.Clause.Currency != "EUR") {
				t.Errorf("price %s %s", d.Price, d.Clause.Currency)
			}
		})
	}
}

func burn(v *fold.View, meter, item string) {
	v.Burns.(memory.Burns).Add(meter, fold.Burn{Item: item, Time: v.Now})
}

// A clause that burns a meter which has the item already burns nothing.
func TestBurnsOnce(t *testing.T) {
	v := view(program(t, "meter m (limit: 5) = burns |> per month |> distinct item\naccess story { allow metered burns m }"), at(t, "02T10:00"), nil)
	v.Item = "a"
	burn(v, "m", "a")
	if d := v.Decide(0); d.Burns != fold.NoMeter || !d.Again || d.Meter != 0 {
		t.Errorf("%+v", d)
	}
}

// The item asked for may stand in a stage: how often this reader has read its
// section.
func TestAskedInStage(t *testing.T) {
	p := program(t, `access story {
  allow known if events |> where item.section == request.item.section |> any
  deny stop
}`)
	items := memory.Items{}
	for id, section := range map[string]string{"a": "sport", "b": "sport", "c": "news"} {
		i := memory.Item{}
		i.Fields[plan.FieldSection] = value.OfText(section)
		items[id] = i
	}
	for item, want := range map[string]string{"b": "known", "c": "stop", "": "stop", "unknown": "stop"} {
		v := view(p, at(t, "02T11:00"), rows(t, "02T10:00 page_view a, 02T10:01 page_view"))
		v.Items, v.Item = items, item
		if got := v.Decide(0).Clause.Name; got != want {
			t.Errorf("%q: %s, want %s", item, got, want)
		}
	}
}
