package engine

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzBurnsFact: the value of a fact of burns is read up to where it is none; what
// was read is read again as it was.
func FuzzBurnsFact(f *testing.F) {
	f.Add(appendBurns(appendBurns(nil, "d1", []placedBurn{{Burn{Meter: "m", Item: "a1", Time: 5, Limit: 3, Rule: 1 << 63, Start: -1, Until: 9}, 7, 2}}),
		"account:7", []placedBurn{{Burn{Meter: "m", Item: "a1", Device: "d1", Joined: 6}, 1 << 40, 1<<32 - 1}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		type reader struct {
			name string
			list []placedBurn
		}
		read := func(value []byte) (out []reader) {
			eachBurns(value, func(name string, list []placedBurn) { out = append(out, reader{name, list}) })
			return out
		}
		var again []byte
		first := read(value)
		for _, r := range first {
			again = appendBurns(again, r.name, r.list)
			for _, b := range r.list {
				if of := meterOf(&b.Burn); readMeter(of.text()) != of {
					t.Fatalf("%+v comes back as %+v", of, readMeter(of.text()))
				}
			}
		}
		second := read(again)
		if !slices.EqualFunc(first, second, func(a, b reader) bool { return a.name == b.name && slices.Equal(a.list, b.list) }) {
			t.Fatalf("%+v comes back as %+v", first, second)
		}
		var third []byte
		for _, r := range second {
			third = appendBurns(third, r.name, r.list)
		}
		if !bytes.Equal(again, third) {
			t.Fatal("what was read is written in another way")
		}
	})
}
