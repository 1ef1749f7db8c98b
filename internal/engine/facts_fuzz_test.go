package engine

import (
	"maps"
	"testing"

	"github.com/readership/readership/internal/event"
)

// FuzzProfiles: whatever stands in the log as a fact about readers is applied or
// passed over; what comes of it is told again by its own facts, and by a
// checkpoint's.
func FuzzProfiles(f *testing.F) {
	f.Add(uint8(0), "a7", []byte(`{"traits":{"n":1.5,"b":true,"s":"x","o":{}},"entitlements":[{"name":"e","until":"2026-04-01T00:00:00Z","state":"past_due"}]}`))
	f.Add(uint8(1), "d1", []byte(`{"account":"a7"}`))
	f.Add(uint8(2), "campus", []byte(`{"entitlement":"e","cidrs":["192.0.2.0/24","::/0","255.255.255.255"],"domains":["x"],"seats":1}`))
	f.Add(uint8(3), "campus\x00device:d", []byte(`{"at":5}`))
	f.Add(uint8(4), "l1\x00device:d", []byte(`{"kind":"gift","giver":"account:7","uses":1,"expires":10,"at":5}`))
	kinds := [...]string{event.FactAccount, event.FactLogin, event.FactList, event.FactSeat, event.FactUse}
	f.Fuzz(func(t *testing.T, kind uint8, key string, value []byte) {
		told := func(p *Profiles) map[string]string {
			out := map[string]string{}
			p.facts(func(kind, key string, value []byte) { out[kind+" "+key] = string(value) })
			return out
		}
		p, _ := noProfiles.apply(&event.Fact{Kind: event.FactList, Key: "campus", Value: []byte(`{"entitlement":"e","seats":2}`)}, 1)
		p, _ = p.apply(&event.Fact{Kind: kinds[int(kind)%len(kinds)], Key: key, Value: value}, 2)
		again := noProfiles
		p.facts(func(kind, key string, value []byte) {
			if kind == event.FactList { // seats need theirs first
				again, _ = again.apply(&event.Fact{Kind: kind, Key: key, Value: value}, 2)
			}
		})
		p.facts(func(kind, key string, value []byte) {
			again, _ = again.apply(&event.Fact{Kind: kind, Key: key, Value: value}, 2)
		})
		if !maps.Equal(told(p), told(again)) {
			t.Fatalf("told again:\n%q\n%q", told(p), told(again))
		}
		for id, a := range p.accounts.All() {
			b, err := decodeVersions(id, a.encodeVersions())
			if err != nil || !a.same(b) || a.Since != b.Since {
				t.Fatalf("account %q: %v\n%+v\n%+v", id, err, a, b)
			}
		}
	})
}
