package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/source"
)

// lines joins n lines, each made by line.
func lines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.String()
}

func joined(n int, by string, part func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = part(i)
	}
	return strings.Join(parts, by)
}

// Programs of a size that nobody writes by hand are checked or refused, in a time
// that grows with their size.
func TestBounds(t *testing.T) {
	named := func(prefix string) func(int) string { return func(i int) string { return fmt.Sprint(prefix, i) } }
	access := "access story {\n  allow everyone\n}\n"
	for name, c := range map[string]struct{ text, message string }{
		"names that are unknown": {lines(20_000, func(i int) string { return fmt.Sprintf("let name%d = nome%d + 1", i, i) }), "unknown name"},
		"many lets":              {lines(30_000, func(i int) string { return fmt.Sprintf("let name%d = %d", i, i) }) + "segment s = name7 == 7", ""},
		"lets in a row":          {"let a0 = 1\n" + lines(4000, func(i int) string { return fmt.Sprintf("let a%d = a%d", i+1, i) }) + "segment s = a4000 == 1", ""},
		"too many in a row":      {"let a0 = 1\n" + lines(20_000, func(i int) string { return fmt.Sprintf("let a%d = a%d", i+1, i) }) + "segment s = a20000 == 1", "too large"},
		"errors of errors": {"let a0 = " + joined(900, " or ", func(i int) string { return fmt.Sprintf(`item.section == "%d"`, i) }) + "\n" +
			lines(200, func(i int) string {
				return fmt.Sprintf("let a%d = %s", i+1, joined(500, " or ", func(int) string { return fmt.Sprint("a", i) }))
			}) + "segment s = a100", "no meaning here"},
		"segments of segments": {"segment s0 = events |> any\n" + lines(1900, func(i int) string { return fmt.Sprintf("segment s%d = s%d and (events |> count > %d)", i+1, i, i) }), ""},
		"too many segments":    {lines(2001, func(i int) string { return fmt.Sprintf("segment s%d = true", i) }), "at most 2000 segments"},
		"a long list":          {"segment s = events |> where country in [" + joined(1001, ", ", func(i int) string { return fmt.Sprintf(`"%d"`, i) }) + "] |> any", "at most 1000 elements"},
		"many patterns": {lines(501, func(i int) string {
			return fmt.Sprintf(`segment s%d = events |> where matches(path ?? "", "%da{1000}") |> any`, i, i)
		}), "at most 500 patterns"},
		"many tests":       {access + lines(1001, func(i int) string { return `test "t" { item a1..a900 { } }` }), "at most 1000 tests"},
		"many items":       {access + `test "t" { item a1..a900 { } item b1..b900 { } }`, "at most 1000 items"},
		"many steps":       {access + "test \"t\" {\n  item a1 { }\n" + lines(20_000, func(int) string { return "  at 2026-03-01 read a1" }) + "}", ""},
		"wrong steps":      {access + "test \"t\" {\n  item a1..a900 { }\n" + lines(20_000, func(int) string { return "  at 2026-03-01 read a901" }) + "}", "has no item"},
		"a long condition": {"segment s = " + joined(1000, " or ", func(i int) string { return fmt.Sprintf("(events |> last %dm |> any)", i+1) }), ""},
		"long conditions": {lines(30, func(n int) string {
			return fmt.Sprintf("segment s%d = ", n) + joined(900, " and ", func(i int) string { return fmt.Sprintf("reader.traits.t%d == %d", i, n) })
		}), ""},
		"a long sum":             {"segment s = " + joined(1000, " + ", func(i int) string { return fmt.Sprint(i) }) + " > 5", ""},
		"deep":                   {"segment s = " + strings.Repeat("not (", 45) + "reader.registered" + strings.Repeat(")", 45), ""},
		"functions of functions": {"let f0(x) = x + 1\n" + lines(40, func(i int) string { return fmt.Sprintf("let f%d(x) = f%d(x) * f%d(f%d(x))", i+1, i, i, i) }) + "segment s = f40(1) > 5", "too large"},
		"arguments of arguments": {"let f(x) = x + x\nsegment s = " + strings.Repeat("f(", 90) + "events |> count" + strings.Repeat(")", 90) + " > 5", "more than 10000 parts"},
		"streams of streams": {"let a0 = events\n" + lines(60, func(i int) string {
			return fmt.Sprintf("let a%d = a%d |> then a%d within 1h |> unless a%d within 1h", i+1, i, i, i)
		}) + "segment s = a60 |> any", "more than 1000 stages"},
		"parameters":   {"let f(" + joined(3000, ", ", named("p")) + ") = p0\nsegment s = f(" + joined(3000, ", ", func(int) string { return "1" }) + ") == 1", ""},
		"wrong fields": {lines(10_000, func(i int) string { return fmt.Sprintf("segment s%d = events |> where item.f%d == 1 |> any", i, i) }), "unknown field"},
		"traits":       {lines(900, func(i int) string { return fmt.Sprintf("segment s%d = reader.traits.t%d == %d", i, i, i) }), "no reader has had"},
	} {
		t.Run(name, func(t *testing.T) {
			p := rubric.Check([]*source.File{source.NewFile("main", c.text)}, site())
			text := p.Render()
			if c.message == "" && !p.OK() || c.message != "" && !strings.Contains(text, c.message) {
				t.Errorf("want %q, ok %v, got %.1000s", c.message, p.OK(), text)
			}
		})
	}
}
