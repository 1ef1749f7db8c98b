package incremental

import (
	"fmt"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
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
	`(events |> min path ?? "") < (events |> last D |> max country ?? "") and weekday(now) in [1, 3, 5]`,
}

const ending = `
access story {
  deny  same   if (reads |> where item.section == request.item.section |> last D |> count) >= N
  deny  again  if (reads |> where item.id == request.item.id |> distinct day |> count) > N
  allow others
}
`

// text returns a program that was checked.
func (w *world) text() *plan.Program {
	var b strings.Builder
	b.WriteString(heading)
	for i := range 2 + w.pick(6) {
		t := oneOf(w, templates...)
		for i == 0 && strings.Contains(t, "S") {
			t = oneOf(w, templates...)
		}
		fmt.Fprintf(&b, "segment s%d = %s\n", i, w.filled(t, i))
	}
	b.WriteString(w.filled(ending, 0))
	tree, wrong := parse.File(source.NewFile("home.rubric", b.String()))
	s := schema.Default()
	s.Calendar, s.Window = w.calendar, w.window
	if len(wrong) == 0 {
		var p *plan.Program
		if p, wrong = check.Program([]*ast.Program{tree}, s); p != nil {
			return p
		}
	}
	panic(source.Render(wrong, tree.File))
}

// filled writes something in place of a template's capitals.
func (w *world) filled(template string, segments int) string {
	for strings.ContainsAny(template, "DNS") {
		template = strings.Replace(template, "D", oneOf(w, "1s", "1m", "1h", "1d", "2d"), 1)
		template = strings.Replace(template, "N", fmt.Sprint(w.pick(4)), 1)
		template = strings.Replace(template, "S", fmt.Sprintf("s%d", w.pick(max(segments, 1))), 1)
	}
	return template
}
