package cost_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/schema"
)

func check(text string, limits schema.Limits) *rubric.Program {
	s := schema.Default()
	s.Limits = limits
	return rubric.CheckText(map[string]string{"main": text}, s)
}

// segments returns a program of n segments, each made by line.
func segments(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "segment s%d = %s\n", i, line(i))
	}
	return b.String()
}

// Programs that a site with many segments has are not refused.
func TestLargeProgramsFit(t *testing.T) {
	sections := func(i int) string {
		return fmt.Sprintf(`events |> where type == "page_view" and item.section == "s%d" |> last %dd |> count >= %d`, i%100, 1+i%30, 1+i/100)
	}
	windows := func(i int) string {
		return fmt.Sprintf(`events |> where type == "page_view" |> last %dh |> count >= %d`, 720-i%50, 1+i/50)
	}
	for name, text := range map[string]string{"sections": segments(1000, sections), "windows": segments(1000, windows)} {
		p := check(text, schema.Limits{})
		if !p.OK() {
			t.Errorf("%s: %s", name, p.Render())
			continue
		}
		c := p.Plan.Cost
		t.Logf("%s: %+v", name, c)
		if c.NanosPerEvent < 10_000 || c.BytesPerReader != 125 || c.Rows != 200 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// What every event changes adds up until it is refused.
func TestTooDear(t *testing.T) {
	p := check(segments(1000, func(i int) string {
		return fmt.Sprintf(`events |> where path == "/%d" or country == "DE" and "%d" in item.tags |> distinct item |> count >= 5`, i, i)
	}), schema.Limits{})
	if p.OK() || !strings.Contains(p.Render(), "the program costs too much: an event takes about") || !strings.Contains(p.Render(), "dearest: `s0`") {
		t.Errorf("got %s", p.Render())
	}
	if p := check(`segment s = events |> count > 5`, schema.Limits{NanosPerEvent: 1000}); p.OK() {
		t.Error("the limit is not kept")
	}
	meter := "meter m (limit: 100) = burns |> per month |> distinct item\n"
	p = check(meter, schema.Limits{BytesPerReader: 1599})
	if p.OK() || !strings.Contains(p.Render(), "an active reader takes about 1600 bytes, at most 1599 bytes") {
		t.Errorf("got %s", p.Render())
	}
	for limit, bytes := range map[string]int64{
		"if reader.registered then 6 else 3": 96, `if reader.registered then (if reader.entitled("more") then 9 else 4) else 3`: 144,
		"if reader.registered then 300 else 3": 3200, "if reader.registered then (events |> last 1d |> count) else 3": 3200,
	} {
		if p := check("meter m (limit: "+limit+") = burns |> per month |> distinct item\n", schema.Limits{BytesPerReader: bytes - 1}); p.OK() || !strings.Contains(p.Render(), fmt.Sprintf("an active reader takes about %d bytes", bytes)) {
			t.Errorf("limit: %s: %s", limit, p.Render())
		}
	}
	p = check("meter m (limit: if reader.registered then -5 else -3) = burns |> per month |> distinct item\n", schema.Limits{})
	if p.Plan == nil || p.Plan.Cost.BytesPerReader != 0 {
		t.Errorf("a limit that is never above 0: %s", p.Render())
	}
	p = check("access a {\n allow x if events |> where item.section == request.item.section |> any\n deny y\n}", schema.Limits{NanosPerEvent: 1000})
	if p.OK() || !strings.Contains(p.Render(), "a decision of `a` takes about") {
		t.Errorf("got %s", p.Render())
	}
	if p := check("segment a = true\nsegment b = true\nlet c = 1\nmetric d = events |> count", schema.Limits{Definitions: 2}); p.OK() {
		t.Error("three definitions are two at most")
	}
}

// What definitions have in common is counted once, and named.
func TestShared(t *testing.T) {
	one := check(`segment a = events |> last 7d |> count > 5`, schema.Limits{}).Plan
	two := check("segment a = events |> last 7d |> count > 5\nsegment b = events |> last 7d |> count > 9", schema.Limits{}).Plan
	apart := check("segment a = events |> last 7d |> count > 5\nsegment b = events |> last 6d |> count > 9", schema.Limits{}).Plan
	if two.Cost.NanosPerEvent-one.Cost.NanosPerEvent > 50 || apart.Cost.NanosPerEvent <= two.Cost.NanosPerEvent {
		t.Errorf("one %d, two %d, apart %d", one.Cost.NanosPerEvent, two.Cost.NanosPerEvent, apart.Cost.NanosPerEvent)
	}
	if got := two.Segment("a").Cost.Shares; len(got) != 1 || got[0] != "b" {
		t.Errorf("a shares with %v", got)
	}
	if got := apart.Segment("a").Cost.Shares; got != nil {
		t.Errorf("a shares with %v", got)
	}
	if got := one.Segment("a").Cost; got.Rows != 48 || got.BytesPerReader != 1 || got.Nodes != 3 {
		t.Errorf("%+v", got)
	}
}
