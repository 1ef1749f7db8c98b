// Package rubrictest makes programs for tests: what evaluators must agree on.
package rubrictest

import (
	"fmt"
	"strings"
)

const heading = `
let reads       = events |> where type == "page_view"
let walls       = events |> where type == "wall_shown"
let plans       = events |> where type in ["plans_opened", "page_view"]
let sport(rows) = rows |> where item.section == "sport"
`

// templates are segments as people write them: D stands for a span, N for a
// small number, S for an earlier segment.
var templates = []string{
	`reads |> sport |> last D |> distinct item |> count >= N`,
	`events |> last D |> distinct day |> count >= N`,
	`reader.entitled("premium") and (reads |> last D |> count >= N) and (reads |> last D |> none)`,
	`walls |> then plans within D |> last D |> any`,
	`walls |> then (plans |> last D) within D |> then reads within D |> count > N`,
	`walls |> unless plans within D |> count > N`,
	`(walls |> unless plans within D |> last D |> any) and not S`,
	`(reads |> per day |> sum engaged_seconds) >= N`,
	`(events |> where country in ["de", "br"] or properties.plan == "de" |> latest time ?? 2026-01-01) > now - D`,
	`reads |> where "de" in item.tags or item.section == "news" |> distinct item, country |> count > N`,
	`reader.traits.city == "de" or S`,
	`reader.first_seen > now - D and hour(now) < 12`,
	`if reader.registered then S else (reads |> distinct visit |> count >= N)`,
	`(reads |> avg properties.price ?? 0) > N or (reads |> first country ?? "us") == "de"`,
	`(events |> last D |> where starts_visit ?? false |> count) > N or (events |> where scroll_percent > 40 |> any)`,
	`events |> since 2026-03-27T12:00 |> distinct device |> count >= N`,
	`(events |> per day |> distinct visit |> count) > N and arm("x", 2) == 1`,
	`reader.entitled_by("premium") == "grace" or (walls |> where value > N |> any)`,
	`(events |> min path ?? "") < (events |> last D |> max country ?? "") and weekday(now) in [1, 3, 5]`,
}

// Segments returns the text of a program with a few segments s0, s1, …: pick
// returns a choice of 0 to n−1. Its rows have the types page_view, wall_shown and
// plans_opened, the columns item, country, path and value, the properties plan and
// price; its items sections and tags.
func Segments(pick func(n int) int) string {
	var b strings.Builder
	b.WriteString(heading)
	for i := range 2 + pick(6) {
		t := templates[pick(len(templates))]
		for i == 0 && strings.Contains(t, "S") {
			t = templates[pick(len(templates))]
		}
		fmt.Fprintf(&b, "segment s%d = %s\n", i, Filled(t, i, pick))
	}
	return b.String()
}

// Filled writes something in place of a template's capitals: a span for D, a
// small number for N, one of the first segments for S.
func Filled(template string, segments int, pick func(n int) int) string {
	spans := [...]string{"1s", "1m", "1h", "1d", "2d"}
	for strings.ContainsAny(template, "DNS") {
		template = strings.Replace(template, "D", spans[pick(len(spans))], 1)
		template = strings.Replace(template, "N", fmt.Sprint(pick(4)), 1)
		template = strings.Replace(template, "S", fmt.Sprintf("s%d", pick(max(segments, 1))), 1)
	}
	return template
}
