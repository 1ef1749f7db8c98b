package check_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// gen draws texts of programs without errors: all types in all places.
type gen struct {
	t     *rapid.T
	where string // stage, segment, access, limit, metric
	of    string // of a stage: the place of its stream

	segments, meters, clauses []string
	lets                      map[string][]string // by what they are: rows, condition
}

func (g *gen) int(most int) int { return rapid.IntRange(0, most).Draw(g.t, "n") }

func (g *gen) one(of ...string) string { return rapid.SampledFrom(of).Draw(g.t, "one") }

// in draws something in another place.
func (g *gen) in(where string, draw func() string) string {
	before, of := g.where, g.of
	if where == "stage" {
		g.of = before
	}
	g.where = where
	out := draw()
	g.where, g.of = before, of
	return out
}

func (g *gen) asks() bool { return g.where == "access" || g.where == "limit" }

// maybe draws a number, text or time that may be missing.
func (g *gen) maybeNumber() string {
	switch {
	case g.where == "stage":
		return g.one("engaged_seconds", "scroll_percent", "value", "properties.score", "item.words")
	case g.where == "metric":
		return "(" + g.rows() + " |> avg engaged_seconds)"
	default:
		return g.one("reader.traits.age", "("+g.rows()+" |> max engaged_seconds)", "(1 / ("+g.rows()+" |> count))", "("+g.rows()+" |> latest scroll_percent)")
	}
}

func (g *gen) maybeText() string {
	switch {
	case g.where == "stage":
		if g.of == "access" && g.int(3) == 0 {
			return g.one("request.item.section", "request.item.dossier", "request.item")
		}
		return g.one("country", "path", "item.section", "item.title", "item.dossier", "properties.goal", "item")
	case g.asks():
		return g.one("item.section", "request.country", "bot.class", "item.attributes.dossier", "reader.traits.plan")
	case g.where == "metric":
		return "(" + g.rows() + " |> latest country)"
	default:
		return g.one("reader.traits.plan", "("+g.rows()+" |> latest item.section)", "("+g.rows()+" |> first country)")
	}
}

func (g *gen) maybeTime() string {
	switch {
	case g.where == "stage":
		return g.one("item.published_at", "item.updated_at")
	case g.asks():
		return g.one("item.published_at", "reader.first_seen")
	case g.where == "metric":
		return "(" + g.rows() + " |> latest time)"
	default:
		return g.one("reader.first_seen", "("+g.rows()+" |> first time)")
	}
}

func (g *gen) number(depth int) string {
	if depth == 0 {
		return g.one("0", "5", "0.25", "1000000", "-3", "9.5")
	}
	depth--
	switch g.int(8) {
	case 0:
		return g.number(0)
	case 1:
		return fmt.Sprintf("(%s ?? %s)", g.maybeNumber(), g.number(depth))
	case 2:
		x := g.maybeNumber()
		return fmt.Sprintf("(if has %s then %s * 2 else %s)", x, x, g.number(depth))
	case 3:
		return fmt.Sprintf("(%s %s %s)", g.number(depth), g.one("+", "-", "*"), g.number(depth))
	case 4:
		return fmt.Sprintf("(%s / 4)", g.number(depth))
	case 5:
		return fmt.Sprintf("%s(%s, %s)", g.one("min", "max"), g.number(depth), g.number(depth))
	case 6:
		return fmt.Sprintf("size(%s)", g.text(depth))
	case 7:
		return fmt.Sprintf("hour(%s)", g.time(depth))
	default:
		if g.where == "stage" {
			return "weekday(time)"
		}
		return fmt.Sprintf("(%s |> %s)", g.rows(), g.one("count", "sum engaged_seconds"))
	}
}

func (g *gen) text(depth int) string {
	if depth == 0 {
		return g.one(`"a"`, `"sport"`, `""`, `"ä\n"`)
	}
	depth--
	switch g.int(3) {
	case 0:
		return g.text(0)
	case 1:
		return fmt.Sprintf("(%s ?? %s)", g.maybeText(), g.text(depth))
	case 2:
		return fmt.Sprintf("lower(%s)", g.text(depth))
	default:
		return fmt.Sprintf("(if %s then %s else %s)", g.condition(depth), g.text(depth), g.text(depth))
	}
}

func (g *gen) time(depth int) string {
	if depth == 0 {
		if g.where == "stage" {
			return g.one("time", "day", "month", "2026-03-01")
		}
		if g.where == "metric" {
			return "2026-03-01T10:00"
		}
		return g.one("now", "2026-03-01", "2026-03-01T10:00Z")
	}
	depth--
	if g.int(1) == 0 {
		return fmt.Sprintf("(%s ?? %s)", g.maybeTime(), g.time(depth))
	}
	return fmt.Sprintf("(%s %s %s)", g.time(depth), g.one("+", "-"), g.duration(depth))
}

func (g *gen) duration(depth int) string {
	if depth == 0 {
		return g.one("1d", "90m", "2w", "500ms", "1h")
	}
	depth--
	switch g.int(3) {
	case 0:
		return fmt.Sprintf("(%s - %s)", g.time(depth), g.time(depth))
	case 1:
		return fmt.Sprintf("(%s * %s)", g.duration(depth), g.number(depth))
	case 2:
		return fmt.Sprintf("(%s + %s)", g.duration(depth), g.duration(depth))
	default:
		return g.duration(0)
	}
}

func (g *gen) condition(depth int) string {
	if depth == 0 {
		switch {
		case g.where == "stage":
			return g.one(`type == "page_view"`, `country in ["DE", "AT"]`, `item.kind == "article"`, `"x" in item.tags`, `starts_visit == true`, `has properties.goal`,
				`device_class != "phone"`, `properties.video == true`, `item.section in ["sport", country ?? ""]`)
		case g.where == "metric":
			return "true"
		case g.asks():
			return g.one(`item.tier == "free"`, `bot.verified`, `request.gift`, `reader.registered`, `reader.entitled("premium")`, g.meter(), g.segment(), `arm("wall", 3) == 1`)
		default:
			return g.one(`reader.registered`, `reader.entitled("premium")`, `reader.entitled_by("premium") == "grace"`, g.segment(), `arm("wall", 2) == 0`, `reader.traits.plan == "gold"`)
		}
	}
	depth--
	switch g.int(9) {
	case 0:
		return g.condition(0)
	case 1:
		return fmt.Sprintf("(%s %s %s)", g.condition(depth), g.one("and", "or", "&&", "||"), g.condition(depth))
	case 2:
		return fmt.Sprintf("not %s", g.condition(depth))
	case 3:
		return fmt.Sprintf("(%s %s %s)", g.number(depth), g.one("<", "<=", ">", ">=", "==", "!="), g.number(depth))
	case 4:
		return fmt.Sprintf("(%s %s %s)", g.text(depth), g.one("==", "!=", "<"), g.text(depth))
	case 5:
		return fmt.Sprintf("(%s %s %s)", g.time(depth), g.one("<", ">="), g.time(depth))
	case 6:
		return fmt.Sprintf("%s(%s, %s)", g.one("contains", "starts_with", "ends_with"), g.text(depth), g.text(depth))
	case 7:
		return fmt.Sprintf(`matches(%s, "^a+$")`, g.text(depth))
	case 8:
		return fmt.Sprintf("(%s %s %s)", g.duration(depth), g.one("<", ">"), g.duration(depth))
	default:
		if g.where == "stage" {
			return g.condition(0)
		}
		return fmt.Sprintf("(%s |> %s)", g.rows(), g.one("any", "none"))
	}
}

func (g *gen) segment() string {
	if len(g.segments) == 0 {
		return "reader.registered"
	}
	return g.one(g.segments...)
}

func (g *gen) meter() string {
	if len(g.meters) == 0 {
		return "reader.registered"
	}
	return fmt.Sprintf(g.one("%s.left > 0", "item in %s", "%s.used == 3", "(%s.resets_at ?? now) < now + 1d", "%[1]s.limit > %[1]s.used"), g.one(g.meters...))
}

// rows draws a stream without an end.
func (g *gen) rows() string {
	out := g.one(append([]string{"events"}, g.lets["rows"]...)...)
	distinct := out != "events" // perhaps
	for range g.int(3) {
		switch g.int(6) {
		case 0, 1:
			out += " |> where " + g.in("stage", func() string { return g.condition(2) })
		case 2:
			if g.where != "metric" && !distinct {
				out += " |> " + g.one("last 7d", "last 90m", "since 2026-03-01", "per day", "per week", "per month")
			}
		case 3:
			distinct = true
			out += " |> distinct " + g.one("item", "day", "visit", "item.section, day", "country")
		case 4:
			out += " |> then (" + g.one("events", `events |> where type == "plans_opened"`) + ") within 30m"
		case 5:
			out += " |> unless (" + g.one("events", `events |> where type == "subscribed"`) + ") within 2d"
		default:
			if g.lets["function"] != nil {
				out += " |> " + g.one(g.lets["function"]...)
			}
		}
	}
	return out
}

func (g *gen) metric() string {
	by := " |> by " + g.one("item", "item.section, device_class", "segment", "item.tags, country")
	out := g.one("events", "all_events")
	out += " |> where " + g.in("stage", func() string { return g.condition(2) })
	if g.int(1) == 0 {
		out += by
	}
	return fmt.Sprintf("(%s |> %s) %s", out, g.one("count", "sum engaged_seconds", "distinct device |> count"), g.one("", "/ 60", "* 2"))
}

func (g *gen) access(name string) string {
	out := "access " + name + g.one("", " (counts: engaged 10s)", " (fails: closed, deadline: 20ms)", " (counts: scroll 50)") + " {\n"
	g.clauses = nil
	for i := range g.int(4) {
		clause := fmt.Sprintf("c%d", i)
		g.clauses = append(g.clauses, "allow "+clause)
		// Whatever it is, it may not always hold.
		out += fmt.Sprintf("  allow %s if reader.registered and %s", clause, g.condition(2))
		if len(g.meters) > 0 && g.int(1) == 0 {
			out += " burns " + g.one(g.meters...)
		}
		out += "\n"
	}
	g.clauses = append(g.clauses, "deny last")
	return out + "  " + g.one("deny last offers wall", "deny last") + "\n}"
}

func (g *gen) program() string {
	g.lets = map[string][]string{}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	add(`let sport(rows, place) = rows |> where item.section == "sport" and country == place`)
	g.lets["function"] = []string{`sport("DE")`, `sport(place: "AT")`}
	for i := range g.int(2) {
		g.where = "segment"
		add("let rows%d = %s", i, g.rows())
		g.lets["rows"] = append(g.lets["rows"], fmt.Sprintf("rows%d", i))
	}
	for i := range g.int(4) {
		g.where = "segment"
		add("segment s%d = %s", i, g.condition(3))
		g.segments = append(g.segments, fmt.Sprintf("s%d", i))
	}
	for i := range g.int(2) {
		g.where = "limit"
		limit := g.one("5", "if reader.registered then 10 else 5", "if "+g.condition(2)+" then 3 else size("+g.text(1)+")")
		add("meter m%d (limit: %s%s) = burns |> %s |> distinct item", i, limit, g.one("", ", sticky: true", ", merge: max"), g.one("per month", "last 30d", "from_first 7d", "last 400d"))
		g.meters = append(g.meters, fmt.Sprintf("m%d", i))
	}
	g.where = "access"
	add("%s", g.access("story"))
	for i := range g.int(2) {
		g.where = "metric"
		g.lets["rows"] = nil
		add("metric n%d = %s", i, g.metric())
	}
	add(`test "t" {
  site { timezone: %q }
  item a1..a3 { kind: "article", dossier: "x", tags: ["x"] }
  reader { registered: true, entitled: "premium", plan: "gold" }
  at 2026-03-01 read a1, a2
  at 2026-03-02 event "click" { item: a1, value: 3, goal: "x" }
  at 2026-03-03 expect story(a1) == %s
}`, g.one("UTC", "America/Sao_Paulo"), g.one(g.clauses...))
	return strings.Join(out, "\n")
}
