package fold_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
)

// program checks a text.
func program(t rapid.TB, text string) *plan.Program {
	t.Helper()
	p := rubric.CheckText(map[string]string{"main": text}, schema.Default())
	if !p.OK() {
		t.Fatalf("%s", p.Render())
	}
	return p.Plan
}

// burns reads burns as "TIME ITEM DEVICE@JOINED, …"; what is after the item is
// of burns that were carried over.
func burns(t *testing.T, text string) []fold.Burn {
	t.Helper()
	var out []fold.Burn
	for part := range strings.SplitSeq(text, ",") {
		f := strings.Fields(part)
		b := fold.Burn{Time: at(t, f[0]), Item: f[1]}
		if len(f) > 2 {
			device, joined, _ := strings.Cut(f[2], "@")
			b.Device, b.Joined = device, at(t, joined)
		}
		out = append(out, b)
	}
	return out
}

func items(m *fold.Meter) string {
	var out []string
	for _, b := range m.Entries {
		out = append(out, b.Item)
	}
	return strings.Join(out, " ")
}

func TestMeters(t *testing.T) {
	for _, c := range []struct {
		name, options, burns, now string
		items, resets             string
	}{
		{"union: of an item that was read by both the earlier read is kept", `= burns |> last 7d |> distinct item`,
			"01T10:00 a d@03T10:00, 02T10:00 a, 02T11:00 b", "08T10:00", "b", "2026-03-09T11:00:00Z"},
		{"union: also if it is the account's", `= burns |> last 7d |> distinct item`,
			"01T10:00 a, 02T09:00 b, 02T10:00 a d@03T10:00", "07T10:00", "a b", "2026-03-08T10:00:00Z"},
		{"union: also if it was at the instant of the login", `= burns |> last 7d |> distinct item`,
			"02T10:00 a d@03T10:00, 03T10:00 a", "07T10:00", "a", "2026-03-09T10:00:00Z"},
		{"union: a read that had left the window by then is no earlier one", `= burns |> last 7d |> distinct item`,
			"01T10:00 a d@08T10:00, 03T10:00 a", "09T10:00", "a", "2026-03-10T10:00:00Z"},
		{"union: of three reads the earliest", `= burns |> last 7d |> distinct item`,
			"02T10:00 a d@05T10:00, 03T10:00 a, 04T10:00 a e@06T10:00, 01T10:00 a f@07T09:00", "07T10:00", "a", "2026-03-08T10:00:00Z"},
		{"a burn of the future does not count yet", `= burns |> last 7d |> distinct item`,
			"01T10:00 a, 03T10:00 b", "02T10:00", "a", "2026-03-08T10:00:00Z"},
		{"max: of two sets of one size the account's", `(limit: 5, merge: max) = burns |> per month |> distinct item`,
			"01T10:00 a d@02T12:00, 02T10:00 b", "03T10:00", "b", "2026-04-01T00:00:00Z"},
		{"max: what was carried over later is compared with all before", `(limit: 5, merge: max) = burns |> per month |> distinct item`,
			"01T10:00 a d@02T12:00, 01T11:00 b d@02T12:00, 02T10:00 c, 03T10:00 e f@04T10:00, 03T11:00 g", "05T10:00", "a b g", "2026-04-01T00:00:00Z"},
		{"max: a second login compares all that the device has", `(limit: 5, merge: max) = burns |> per month |> distinct item`,
			"01T10:00 a d@01T12:00, 01T13:00 b, 02T10:00 c d@02T12:00, 02T11:00 e d@02T12:00", "05T10:00", "a c e", "2026-04-01T00:00:00Z"},
		{"max: the sets are those in the window now", `(limit: 5, merge: max) = burns |> last 7d |> distinct item`,
			"01T10:00 a d@02T12:00, 01T11:00 b d@02T12:00, 02T10:00 c", "08T11:00", "c", "2026-03-09T10:00:00Z"},
		{"account: what was carried over does not count", `(limit: 5, merge: account) = burns |> from_first 7d |> distinct item`,
			"01T10:00 a d@02T12:00, 02T10:00 b", "03T10:00", "b", "2026-03-09T10:00:00Z"},
		{"from_first: the next read after the end opens the next period", `= burns |> from_first 7d |> distinct item`,
			"01T10:00 a, 08T09:59 b, 08T10:00 a", "08T10:00", "a", "2026-03-15T10:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := c.options
			if strings.HasPrefix(options, "=") {
				options = "(limit: 5) " + options
			}
			p := program(t, "meter m "+options)
			v := view(p, at(t, c.now), nil)
			v.Burns = memory.Burns{"m": burns(t, c.burns)}
			m := v.Meter(0)
			if items(m) != c.items || m.ResetsAt.String() != c.resets {
				t.Errorf("%q until %s, want %q until %s", items(m), m.ResetsAt, c.items, c.resets)
			}
		})
	}
}

// A burn knows the period that it fell into, so that it stays in it when the
// burn that has opened it is gone.
func TestFromFirstWithoutItsFirst(t *testing.T) {
	p := program(t, "meter m (limit: 5) = burns |> from_first 7d |> distinct item")
	v := view(p, at(t, "01T10:00"), nil)
	all := memory.Burns{}
	all.Add("m", v.Burn(0, "a"))
	v = view(p, at(t, "07T10:00"), nil)
	v.Burns = all
	b := v.Burn(0, "b")
	if b.Start != at(t, "01T10:00") {
		t.Fatalf("the period began at %s", value.OfTime(b.Start))
	}
	v = view(p, at(t, "08T10:00"), nil)
	v.Burns = memory.Burns{"m": {b, {Item: "c", Time: at(t, "08T10:00"), Start: at(t, "08T10:00")}}}
	if got := items(v.Meter(0)); got != "c" {
		t.Errorf("%q, want the new period's alone", got)
	}
}

// A limit that sticks is the first burn's while the expression is the same,
// whatever else the program has.
func TestSticky(t *testing.T) {
	const before = "let fan = (events |> where type == \"x\" |> count >= 1)\nmeter m (limit: if fan then 1 else 5, sticky: true) = burns |> per month |> distinct item"
	p := program(t, before)
	first := view(p, at(t, "02T10:00"), nil).Burn(0, "a")
	for name, c := range map[string]struct {
		text  string
		limit int64
	}{
		"the same program":                 {before, 5},
		"more streams before it":           {"segment other = events |> where type == \"y\" |> count >= 7\n" + before, 5},
		"another limit":                    {strings.Replace(before, "else 5", "else 6", 1), 1},
		"another condition behind a name":  {strings.Replace(before, `"x"`, `"z"`, 1), 6 - 1}, // nobody is a fan
		"not sticky any more":              {strings.Replace(before, ", sticky: true", "", 1), 1},
		"another window, the limit's same": {strings.Replace(before, "per month", "last 30d", 1), 5},
	} {
		v := view(program(t, c.text), at(t, "03T10:00"), rows(t, "02T11:00 x"))
		v.Burns = memory.Burns{"m": {first}}
		if m := v.Meter(v.Program.Meter("m").ID); m.Limit != c.limit {
			t.Errorf("%s: limit %d, want %d", name, m.Limit, c.limit)
		}
	}
	a, b := program(t, before), program(t, strings.Replace(before, `"x"`, `"z"`, 1))
	if a.Meters[0].Rule == b.Meters[0].Rule {
		t.Error("limits that ask for different events are one rule")
	}
}

// What is used falls at resets_at and not before, whatever was burned and
// carried over.
func TestResetsAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]string{"last 3d", "per day", "per week", "per month", "from_first 3d"}).Draw(t, "window")
		merge := rapid.SampledFrom(plan.Merges).Draw(t, "merge")
		p := program(t, fmt.Sprintf("meter m (limit: 3, merge: %s) = burns |> %s |> distinct item", merge, window))
		all := memory.Burns{}
		for range rapid.IntRange(0, 12).Draw(t, "burns") {
			b := fold.Burn{Item: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "item"), Time: 3 * hour * rapid.Int64Range(1, 80).Draw(t, "time")}
			if rapid.Bool().Draw(t, "carried over") {
				b.Device, b.Joined = rapid.SampledFrom([]string{"d", "e"}).Draw(t, "device"), 240*hour
			}
			all.Add("m", b)
		}
		at := func(now int64) *fold.Meter {
			v := view(p, now, nil)
			v.Burns = all
			return v.Meter(0)
		}
		now := 245 * hour
		m := at(now)
		if m.Used() == 0 {
			if !m.ResetsAt.IsMissing() {
				t.Fatal("an empty meter resets")
			}
			return
		}
		for h := now; h < m.ResetsAt.N; h += hour {
			if at(h).Used() < m.Used() {
				t.Fatalf("%d at %d: before %d", at(h).Used(), h, m.ResetsAt.N)
			}
		}
		if at(m.ResetsAt.N).Used() >= m.Used() {
			t.Fatalf("nothing falls at %d", m.ResetsAt.N)
		}
	})
}

// With many logins, too, what is used falls at resets_at and not before: there may be
// hundreds of instants at which one of the sets changes.
func TestResetsAtAfterManyLogins(t *testing.T) {
	const minute = hour / 60
	early := 0
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]string{"last 3d", "from_first 3d"}).Draw(t, "window")
		p := program(t, fmt.Sprintf("meter m (limit: 3, merge: max) = burns |> %s |> distinct item", window))
		all := memory.Burns{}
		logins := rapid.IntRange(1, 12).Draw(t, "logins")
		for n := range rapid.IntRange(60, 250).Draw(t, "burns") {
			b := fold.Burn{Item: fmt.Sprint("a", rapid.IntRange(0, n/2+1).Draw(t, "item")), Time: minute * rapid.Int64Range(0, 3*24*60).Draw(t, "time")}
			if device := rapid.IntRange(0, logins).Draw(t, "device"); device > 0 {
				b.Device, b.Joined = fmt.Sprint("d", device), 72*hour+int64(device)*minute
			}
			b.Start = b.Time
			all.Add("m", b)
		}
		at := func(now int64) *fold.Meter {
			v := view(p, now, nil)
			v.Burns = all
			return v.Meter(0)
		}
		now := 72*hour + 15*minute
		m := at(now)
		if m.Used() == 0 {
			return
		}
		n := 0
		for h := now; ; h += minute {
			if n++; h > m.ResetsAt.N-2*minute && at(h).Used() < m.Used() || n%37 == 0 && at(h).Used() < m.Used() {
				if h != m.ResetsAt.N {
					t.Fatalf("%d falls after %d minutes, resets_at says %d", m.Used(), n, (m.ResetsAt.N-now)/minute)
				}
				return
			}
			if h > now+80*hour {
				t.Fatal("it never falls")
			}
			early = max(early, n)
		}
	})
	t.Log("instants that were passed, at most:", early)
}
