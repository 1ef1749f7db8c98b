package repl_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/readership/readership/internal/rubric/repl"
	"github.com/readership/readership/internal/rubric/schema"
)

// Whatever is typed, line by line, is answered.
func FuzzSession(f *testing.F) {
	for _, text := range []string{
		"item a1..a3 { section: \"sport\", desk: \"x\" }\nread a1, a2\nmonthly\nstory(a1)\nevents |> by item\n|> count",
		"segment s = fan and (events |>\nlast 3d |> any)\ns\n:explain s\n:type s",
		"let story = 1\nlet f(x) = x + 1\nf(2)\ntest \"t\" { at 2026-03-01 expect fan }",
		"site { timezone: \"Asia/Tokyo\", window: 1d }\nreader { registered: true, first_seen: 2026-01-01 }\n:at +2h\nnow - reader.first_seen",
		"at 2026-03-01 login \"a\" at 2026-03-02 logout\n\"\n(\n\n[1, \"a\"]\n:at 0001-01-01\n:reader\nallow x\nevents |> distinct visit",
		"item in monthly\nitem fan {}\nexpect 1\nmetric m = all_events |> by segment |> count\nm\nuse \"x\"",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2<<10 || strings.Count(text, "\n") > 20 {
			return
		}
		s := begin(t, program, func(c *repl.Config) {
			c.Schema = schema.Default()
			c.Schema.Limits.Nodes, c.Schema.Limits.Stages = 500, 100 // so that no input takes long
		})
		pending := ""
		for line := range strings.SplitSeq(text, "\n") {
			typed := pending + line
			r := s.Enter(t.Context(), typed, pending != "" && line == "")
			if pending = ""; r.Open {
				pending = typed + "\n"
			}
			if r.Failed && r.Text == "" {
				t.Errorf("nothing is said of what is wrong with %q", line)
			}
			if utf8.ValidString(text) && !utf8.ValidString(r.Text) {
				t.Errorf("%q is answered with what is no text", line)
			}
		}
	})
}
