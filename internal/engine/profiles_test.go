package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// facts sends facts in one message.
func (f *feed) facts(stamp int64, facts ...event.Fact) event.Position {
	f.enc.Reset(stamp)
	for _, fact := range facts {
		f.enc.AddFact(fact)
	}
	return f.send()
}

func factOf(kind, key string, value any) event.Fact {
	f := event.Fact{Kind: kind, Site: "news", Key: key}
	if value != nil {
		f.Value, _ = json.Marshal(value)
	}
	return f
}

func at(ms int64) *time.Time { t := time.UnixMilli(ms).UTC(); return &t }

// everyFact returns the facts of an engine but sites, by kind and key.
func everyFact(t *rapid.T, e *engine.Engine) map[string]string {
	out := map[string]string{}
	err := e.EachFact(func(f event.Fact) error {
		if f.Kind != event.FactSite {
			out[f.Kind+" "+f.Key] = string(f.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAccountsAsTheyStood: an account at any instant of the window is what was
// last said of it by then, also after restarts and after the daily snapshot of
// facts; what lies before the window is let go.
func TestAccountsAsTheyStood(t *testing.T) {
	type said struct {
		at    int64
		value *event.Account // nil: removed
	}
	rapid.Check(t, func(rt *rapid.T) {
		cfg := engine.Config{Shards: rapid.IntRange(1, 2).Draw(rt, "shards"), Dir: t.TempDir()}
		f := newFeed(t, cfg, event.Site{ID: "news", Window: "2d"})
		model := map[string][]said{}
		now := t0
		id := rapid.SampledFrom([]string{"a", "b", "c"})
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				key := id.Draw(rt, "id")
				a := event.Account{Traits: map[string]any{"plan": rapid.SampledFrom([]any{"x", 1.5, true}).Draw(rt, "plan")}}
				if rapid.Bool().Draw(rt, "entitled") {
					a.Entitlements = []event.Entitlement{{Name: "premium", Until: at(now + 3600_000), State: event.StateActive}}
				}
				f.facts(now, factOf(event.FactAccount, key, a))
				model[key] = append(model[key], said{now, &a})
			},
			"delete": func(rt *rapid.T) {
				key := id.Draw(rt, "id")
				f.facts(now, factOf(event.FactAccount, key, nil))
				model[key] = append(model[key], said{now, nil})
			},
			"wait": func(rt *rapid.T) {
				now += int64(rapid.IntRange(1, 20*3600_000).Draw(rt, "ms"))
			},
			"tick": func(rt *rapid.T) {
				now += 60_000
				f.facts(now, event.Fact{Kind: "tick"})
			},
			"snapshot": func(rt *rapid.T) {
				var all []event.Fact
				_ = f.e.EachFact(func(fact event.Fact) error { all = append(all, fact); return nil })
				f.facts(now, all...)
			},
			"restart": func(rt *rapid.T) {
				if err := f.e.Close(); err != nil {
					rt.Fatal(err)
				}
				e, err := engine.Open(cfg)
				if err != nil {
					rt.Fatal(err)
				}
				f.e = e
			},
			"": func(rt *rapid.T) {
				v := f.view("news")
				when := now - int64(rapid.IntRange(0, 2*24*3600_000-60_000).Draw(rt, "ago"))
				for _, key := range []string{"a", "b", "c"} {
					var want *event.Account
					for _, s := range model[key] {
						if s.at <= when {
							want = s.value
						}
					}
					got := v.Profiles.AccountAt(key, when)
					if (got == nil) != (want == nil) {
						rt.Fatalf("%s at %d is %v, want %v", key, when, got, want)
					}
					if got == nil {
						continue
					}
					a, _ := json.Marshal(got.Value())
					b, _ := json.Marshal(want)
					if string(a) != string(b) {
						rt.Fatalf("%s at %d is %s, want %s", key, when, a, b)
					}
				}
			},
		})
		f.facts(now+4*24*3600_000, event.Fact{Kind: "tick"})
		v := f.view("news")
		for _, key := range []string{"a", "b", "c"} {
			if a := v.Profiles.Account(key); a != nil && a.Past != nil {
				rt.Fatalf("%s keeps what no question can ask", key)
			}
		}
		_ = f.e.Close()
	})
}

func TestEntitlementsHoldInTheirTime(t *testing.T) {
	day := int64(24 * 3600_000)
	f := newFeed(t, engine.Config{}, event.Site{ID: "news"})
	f.facts(t0, factOf(event.FactAccount, "a", event.Account{Entitlements: []event.Entitlement{
		{Name: "timed", From: at(t0 + 10), Until: at(t0 + 20)},
		{Name: "late", State: event.StatePastDue, PastDueSince: at(t0)},
		{Name: "over", State: event.StateEnded},
		{Name: "both", State: event.StateEnded}, {Name: "both", State: event.StateActive},
	}}))
	a := f.view("news").Profiles.Account("a")
	for _, c := range []struct {
		name string
		at   int64
		by   string
	}{
		{"timed", t0 + 9, ""}, {"timed", t0 + 10, "account"}, {"timed", t0 + 19, "account"}, {"timed", t0 + 20, ""},
		{"late", t0 + 7*day - 1, "grace"}, {"late", t0 + 7*day, ""},
		{"over", t0 + 1, ""}, {"both", t0 + 1, "account"}, {"none", t0 + 1, ""},
		{"both", t0 - 1, ""}, // the account was not known yet
	} {
		if by, ok := a.Entitled(c.name, c.at); by != c.by || ok != (c.by != "") {
			t.Errorf("%s at +%d: %q %v, want %q", c.name, c.at-t0, by, ok, c.by)
		}
	}
	var changes []int64
	a.Changes(t0, func(at int64) { changes = append(changes, at-t0) })
	slices.Sort(changes)
	if !slices.Equal(changes, []int64{10, 20, 7 * day}) {
		t.Errorf("changes at %v", changes)
	}
}

func TestListsByAddressAndDomain(t *testing.T) {
	f := newFeed(t, engine.Config{}, event.Site{ID: "news"})
	f.facts(t0,
		factOf(event.FactList, "campus", event.List{Entitlement: "premium", CIDRs: []string{"10.0.0.0/8", "2001:db8::/32", "255.255.255.0/24"}, Domains: []string{"uni.example"}}),
		factOf(event.FactList, "lab", event.List{Entitlement: "data", CIDRs: []string{"10.1.0.0/16", "10.1.2.3", "ffff::/16"}}),
		factOf(event.FactList, "firm", event.List{Entitlement: "premium", CIDRs: []string{"192.0.2.7"}, Seats: 2}))
	p := f.view("news").Profiles
	for _, c := range []struct{ entitlement, address, domain, list, by string }{
		{"premium", "10.0.0.0", "", "campus", "address"}, {"premium", "10.255.255.255", "", "campus", "address"},
		{"premium", "11.0.0.0", "", "", ""}, {"premium", "9.255.255.255", "", "", ""},
		{"data", "10.1.2.3", "", "lab", "address"}, {"premium", "10.1.2.3", "", "campus", "address"},
		{"premium", "::ffff:10.1.2.3", "", "campus", "address"},
		{"data", "10.2.0.0", "", "", ""}, {"premium", "2001:db8:1::1", "", "campus", "address"}, {"premium", "2001:db9::", "", "", ""},
		{"premium", "255.255.255.255", "", "campus", "address"}, {"premium", "::", "", "", ""}, {"data", "ffff:ffff::1", "", "lab", "address"},
		{"premium", "", "uni.example", "campus", "domain"}, {"premium", "", "cs.uni.example", "campus", "domain"},
		{"premium", "", "notuni.example", "", ""}, {"premium", "", "example", "", ""},
		{"premium", "192.0.2.7", "", "firm", "seat"}, {"premium", "192.0.2.8", "", "", ""},
	} {
		address, _ := netip.ParseAddr(c.address)
		got, ok := p.Listed(c.entitlement, "device:d", p.Matches(address, c.domain), t0)
		if got.List != c.list || got.By != c.by || ok != (c.list != "") {
			t.Errorf("%s from %s%s: %+v", c.entitlement, c.address, c.domain, got)
		}
	}
}

// TestSeats: a list with n seats entitles n readers; a seat that was not needed
// for 30 days is free again.
func TestSeats(t *testing.T) {
	f := newFeed(t, engine.Config{}, event.Site{ID: "news"})
	f.facts(t0, factOf(event.FactList, "firm", event.List{Entitlement: "premium", CIDRs: []string{"192.0.2.0/24"}, Seats: 2}))
	address := netip.MustParseAddr("192.0.2.1")
	asks := func(reader string, at int64) (engine.Listing, bool) {
		p := f.view("news").Profiles
		return p.Listed("premium", reader, p.Matches(address, ""), at)
	}
	takes := func(reader string, at int64) {
		f.facts(t0, factOf(event.FactSeat, event.SeatKey("firm", reader), event.Seat{At: at}))
	}
	for _, reader := range []string{"device:1", "device:2"} {
		if l, ok := asks(reader, t0); !ok || !l.Take {
			t.Fatalf("%s finds no seat: %+v", reader, l)
		}
		takes(reader, t0)
		if l, ok := asks(reader, t0); !ok || l.Take || l.By != engine.BySeat {
			t.Fatalf("%s has no seat: %+v", reader, l)
		}
	}
	if _, ok := asks("device:3", t0); ok {
		t.Fatal("a third reader finds a seat")
	}
	takes("device:3", t0) // too late: another was faster
	if _, ok := asks("device:3", t0); ok {
		t.Fatal("a third reader took a seat")
	}
	later := t0 + event.SeatTime.Milliseconds()
	takes("device:2", later-1)
	if l, ok := asks("device:3", later); !ok || !l.Take {
		t.Fatal("the seat that lapsed is not free")
	}
	takes("device:3", later)
	if _, ok := asks("device:1", later); ok {
		t.Fatal("the reader whose seat lapsed still has it")
	}
	if _, ok := asks("device:2", later); !ok {
		t.Fatal("the reader who kept its seat lost it")
	}
	f.facts(t0, factOf(event.FactList, "firm", nil))
	if len(f.view("news").Profiles.Lists()) != 0 {
		t.Fatal("the list is still there")
	}
}

// TestGiftLinks: a link opens for as many readers as it says, once each; a
// giver's gifts open ten times a calendar month of the site.
func TestGiftLinks(t *testing.T) {
	f := newFeed(t, engine.Config{}, event.Site{ID: "news", Timezone: "America/Sao_Paulo"})
	zone, _ := time.LoadLocation("America/Sao_Paulo")
	end := time.Date(2026, 10, 1, 0, 0, 0, 0, zone).UnixMilli()
	now := end - 1
	use := func(at int64) event.LinkUse {
		return event.LinkUse{Kind: event.LinkGift, Giver: "account:7", Uses: 10, Expires: end + 3600_000, At: at}
	}
	opens := func(link, reader string, at int64) bool {
		return f.view("news").Profiles.LinkOpen(link, reader, use(at))
	}
	for i := range 10 {
		reader := fmt.Sprint("device:", i)
		if !opens("l1", reader, now) {
			t.Fatalf("use %d is refused", i+1)
		}
		f.facts(t0, factOf(event.FactUse, event.UseKey("l1", reader), use(now)))
		f.facts(t0, factOf(event.FactUse, event.UseKey("l1", reader), use(now))) // again: no further use
	}
	if opens("l1", "device:10", now) {
		t.Fatal("the eleventh use is open")
	}
	if !opens("l1", "device:3", now) {
		t.Fatal("a reader cannot open the gift again")
	}
	if opens("l2", "device:10", now) || !opens("l2", "device:10", end) {
		t.Fatal("the giver's month is not counted")
	}
	if opens("l2", "device:10", end+3600_000) || opens("l1", "device:3", end+3600_000) {
		t.Fatal("an expired link is open")
	}
	f.facts(t0, factOf(event.FactUse, event.UseKey("l2", "device:10"), use(now)))
	if f.view("news").Profiles.LinkOpen("l2", "device:10", use(now)) {
		t.Fatal("a use beyond the quota was taken")
	}
	before := map[string]string{}
	_ = f.e.EachFact(func(fact event.Fact) error { before[fact.Kind+fact.Key] = string(fact.Value); return nil })
	if len(before) != 11 {
		t.Fatalf("%d facts, want the site and ten uses", len(before))
	}
	minute := int64(60_000)
	day := (end/(1440*minute) + 60) * 1440 * minute
	f.facts(day, event.Fact{Kind: "tick"})
	_ = f.view("news")
	if _, ok := f.e.Fact(event.FactUse, "news", event.UseKey("l1", "device:3")); ok {
		t.Fatal("uses of a link that is over are kept")
	}
}

// TestFactsSurvive: a restart, and a log that begins with the daily snapshot,
// give the same facts.
func TestFactsSurvive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := engine.Config{Dir: t.TempDir()}
		f := newFeed(t, cfg, event.Site{ID: "news"})
		defer func() { _ = f.e.Close() }()
		readers := []string{"device:1", "account:a", "device:2"}
		now := t0
		for range rapid.IntRange(1, 40).Draw(rt, "facts") {
			now += int64(rapid.IntRange(0, 3600_000).Draw(rt, "later"))
			reader := rapid.SampledFrom(readers).Draw(rt, "reader")
			switch rapid.IntRange(0, 6).Draw(rt, "kind") {
			case 0:
				f.facts(now, factOf(event.FactAccount, rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "account"), event.Account{Traits: map[string]any{"n": rapid.Float64Range(0, 9).Draw(rt, "n")}}))
			case 1:
				f.facts(now, factOf(event.FactLogin, fmt.Sprint(rapid.IntRange(1, 2).Draw(rt, "device")), event.Login{Account: rapid.SampledFrom([]string{"a", "b", ""}).Draw(rt, "account")}))
			case 2:
				f.facts(now, factOf(event.FactList, "firm", event.List{Entitlement: "e", Seats: rapid.IntRange(0, 2).Draw(rt, "seats")}))
			case 3:
				f.facts(now, factOf(event.FactSeat, event.SeatKey("firm", reader), event.Seat{At: now}))
			case 4:
				f.facts(now, factOf(event.FactUse, event.UseKey(rapid.SampledFrom([]string{"l1", "l2"}).Draw(rt, "link"), reader),
					event.LinkUse{Kind: event.LinkGift, Giver: "giver of account:a", Uses: 2, Expires: t0 + 40*3600_000, At: now}))
			case 5:
				f.facts(now, factOf(event.FactErase, reader, event.Erase{Giver: "giver of " + reader}))
			case 6:
				if err := f.e.Checkpoint(context.Background()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		f.view("news")
		want := everyFact(rt, f.e)
		snapshot := []event.Fact{}
		_ = f.e.EachFact(func(fact event.Fact) error { snapshot = append(snapshot, fact); return nil })
		if err := f.e.Close(); err != nil {
			rt.Fatal(err)
		}
		e, err := engine.Open(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		defer e.Close()
		if got := everyFact(rt, e); !maps.Equal(got, want) {
			rt.Fatalf("after a restart (-want +got):\n%s", gocmp.Diff(want, got))
		}
		g := newFeed(t, engine.Config{}, event.Site{ID: "news"})
		g.facts(now, snapshot...)
		g.facts(now, snapshot...)
		g.view("news")
		if got := everyFact(rt, g.e); !maps.Equal(got, want) {
			rt.Fatalf("from the snapshot (-want +got):\n%s", gocmp.Diff(want, got))
		}
		_ = g.e.Close()
	})
}
