package repl_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/repl"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

var update = flag.Bool("update", false, "write what is answered now into the manual")

const march = 1772359200000 // 2026-03-01T10:00:00Z

func begin(t testing.TB, text string, change ...func(*repl.Config)) *repl.Session {
	t.Helper()
	c := repl.Config{Schema: schema.Default(), Now: march}
	for _, f := range change {
		f(&c)
	}
	p := rubric.CheckText(map[string]string{"home.rubric": text}, c.Schema)
	if !p.OK() {
		t.Fatal(p.Render())
	}
	return repl.New(c, p)
}

// say enters lines one after the other and returns all that is answered.
func say(t testing.TB, s *repl.Session, lines ...string) string {
	t.Helper()
	var out strings.Builder
	pending := ""
	for _, line := range lines {
		text := pending + line
		r := s.Enter(t.Context(), text, pending != "" && line == "")
		if pending = ""; r.Open {
			pending = text + "\n"
			continue
		}
		out.WriteString(r.Text)
	}
	if pending != "" {
		t.Fatalf("still open: %q", pending)
	}
	return out.String()
}

const program = `
meter monthly (limit: if reader.registered then 10 else 2) = burns |> per month |> distinct item
segment fan = events |> where item.section == "sport" |> any
access story {
  allow    again     if item in monthly
  allow    metered   if monthly.left > 0  burns monthly
  deny     register
}
`

// The conversations of the manual are answered as it says.
func TestManual(t *testing.T) {
	const page = "../../../docs/rubric/tools.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile("(?s)```rubric\n(.*?)```").FindStringSubmatch(string(data))
	s := begin(t, text[1])
	block := regexp.MustCompile("(?s)```text\n(rubric> .*?)```")
	tried := 0
	got := block.ReplaceAllStringFunc(string(data), func(example string) string {
		tried++
		return "```text\n" + converse(t, s, block.FindStringSubmatch(example)[1]) + "```"
	})
	if tried < 3 {
		t.Fatalf("%d conversations", tried)
	}
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(data), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// converse enters the lines of a conversation that have a prompt and returns it
// with the answers.
func converse(t *testing.T, s *repl.Session, text string) string {
	var out strings.Builder
	pending := ""
	for line := range strings.Lines(text) {
		typed, first := strings.CutPrefix(line, "rubric> ")
		if !first {
			var more bool
			if typed, more = strings.CutPrefix(line, "    … "); !more {
				continue
			}
		}
		if first == (pending != "") {
			t.Fatalf("%q stands behind %q", line, pending)
		}
		out.WriteString(line)
		typed = pending + typed
		r := s.Enter(t.Context(), typed, false)
		if pending = ""; r.Open {
			pending = typed
		}
		out.WriteString(r.Text)
	}
	return out.String()
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"constant", []string{`1 + 2`}, "3 : integer\n"},
		{"missing", []string{`reader.traits.plan`, `:type reader.traits.plan`}, "missing : any\n  It is the reader's `plan`.\nany, may be missing\n"},
		{"comment", []string{`-- nothing`, ``, `  `}, ""},
		{"no rows", []string{`events`}, "0 rows\n  For an active reader: 200 rows, about 12.8 µs.\n"},
		{"ends early", []string{`1 +`, ``}, "input1:1:4: error: expected an expression, found the end of the file\n  1 | 1 +\n    |    ^\n"},
		{"goes on", []string{`(1`, `+ 1)`}, "2 : integer\n"},
		{"text without end", []string{`"a`}, "input1:1:1: error: this text has no end\n"},
		{"traits", []string{`reader { registered: true, plan: "gold" }`, `reader.traits.plan == "gold"`}, "true : boolean\n  Because the reader's `plan` is \"gold\".\n"},
		{"attribute", []string{`item x { desk: "culture" }`, `event "view" { item: x }`, `events |> latest item.desk`},
			"event at 2026-03-01T10:00:00Z\n\"culture\" : text\n"},
		{"mixed", []string{"at 2026-03-01 logout\nitem b {}"}, "input1:1:1: error: expected an expression, steps, or lines about the site, its items or the reader: one of them at a time\n"},
		{"early", []string{`at 2026-03-02 logout`, `at 2026-03-01 logout`}, "logout at 2026-03-02T00:00:00Z\ninput2:1:1: error: steps stand in order of time, this is before the last one\n"},
		{"earlier question", []string{`event "x"`, `:at 2026-02-01`, `events |> any`}, "event at 2026-03-01T10:00:00Z\nIt is 2026-02-01T00:00:00Z.\nfalse : boolean\n  Because there are no events.\n"},
		{"redefined", []string{`segment fan = events |> none`, `fan`}, "fan = true : boolean\n  In `fan`: there are no events.\n"},
		{"function", []string{`let twice(n) = n + n`, `twice(4)`}, "twice is defined\n8 : integer\n"},
		{"broken by a definition", []string{`access story { allow everyone }`, `expect story(a) == deny register`},
			"story : access\n"},
		{"use", []string{`use "shared"`}, "input1:1:1: error: a file is taken in by files of a program\n"},
		{"test", []string{`test "fans" { at 2026-03-01 expect fan }`}, "FAIL  fans\ninput1:1:36: error: expected `fan`, found that the reader is not in it\n"},
		{"site", []string{`site { timezone: "Asia/Tokyo" }`, `:at 2026-03-01T10:00`, `now`}, "It is 2026-03-01T10:00:00+09:00.\n2026-03-01T10:00:00+09:00 : time\n"},
		{"window", []string{`segment old = events |> last 29d |> any`, `site { window: 1d }`, `:type old`}, ""},
		{"commands", []string{`:fly`, `:explian fan`, `:at noon`, `:load x`, `:reader device:1`, `:type item a {}`},
			"error: there is no command :fly: see :help\nerror: there is no command :explian: did you mean `:explain`?\n" +
				"error: \"noon\" is no time: write 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00+01:00\nerror: no files can be read here\n" +
				"error: readers are those of a server: begin with --site\nerror: an expression stands behind it, such as `:explain monthly.left`\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := say(t, begin(t, program), tt.lines...); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// A definition that is wrong leaves the program as it was.
func TestWrongDefinitionChangesNothing(t *testing.T) {
	s := begin(t, program)
	if r := s.Enter(t.Context(), `segment monthly = events |> any`, true); !r.Failed || !strings.Contains(r.Text, "home.rubric:5:") {
		t.Errorf("%+v", r)
	}
	if got := say(t, s, "monthly.left"); !strings.HasPrefix(got, "2 : integer\n") {
		t.Error(got)
	}
}

func TestLoad(t *testing.T) {
	s := begin(t, program, func(c *repl.Config) {
		c.Files = func(name string) ([]*source.File, error) {
			switch name {
			case "good":
				return []*source.File{source.NewFile("good", "let n = 5"), source.NewFile("beside", "let n = 6")}, nil
			case "bad":
				return []*source.File{source.NewFile("bad", "let n =")}, nil
			}
			return nil, errors.New("no such file")
		}
	})
	got := say(t, s, `event "x"`, ":load none", ":load bad", "fan", ":load good", "n", "events |> count")
	for _, want := range []string{"error: no such file\n", "bad:1:8: error: ", "false : boolean\n", "warning: no file takes in `beside`", "5 : integer\n", "1 : integer\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A reader of a site has rows; its items are read when they are asked for, each
// once.
func TestReaderOfASite(t *testing.T) {
	asked := map[string]int{}
	s := begin(t, program, func(c *repl.Config) {
		c.Reader = func(_ context.Context, name string) (*memory.Reader, error) {
			r := &memory.Reader{Name: name, Profile: memory.Profile{Account: true, Subject: name, Traits: map[string]value.Value{"plan": value.OfText("gold")}}}
			for i, item := range []string{"a", "b", "a"} {
				row := memory.NewRow(march+int64(i)*3600_000, "page_view", item)
				row.Columns[plan.ColDevice] = value.OfText("d")
				r.Rows.Add(row)
			}
			return r, nil
		}
		c.Item = func(_ context.Context, id string) (*event.Item, error) {
			asked[id]++
			switch id {
			case "a":
				return &event.Item{ID: "a", Section: "sport"}, nil
			case "b":
				return nil, nil
			}
			return nil, errors.New("the server is gone")
		}
	})
	got := say(t, s, ":reader account:7", "fan", "reader.registered", "events |> distinct visit |> count", `event "page_view" { item: "c" }`, "fan", `story("c")`, "logout", "events |> any", ":reader")
	for _, want := range []string{"account:7, 3 rows.\nIt is 2026-03-01T12:00:00Z.\ntrue : boolean\n  In `fan`", "Because this reader is registered", "3 : integer\n", "error: the server is gone\n",
		"allow metered : decision\n", "false : boolean\n  Because there are no events", "A new reader.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1}, asked); diff != "" {
		t.Error(diff)
	}
}

// A session keeps so many rows at most.
func TestRowsAreBounded(t *testing.T) {
	s := begin(t, program)
	for range 1000 {
		if r := s.Enter(t.Context(), `event "x"`, true); r.Failed {
			t.Fatal(r.Text)
		}
	}
	if r := s.Enter(t.Context(), `event "x"`, true); !r.Failed || !strings.Contains(r.Text, "`:reader` begins anew") {
		t.Errorf("%+v", r)
	}
	say(t, s, ":reader")
	if r := s.Enter(t.Context(), `event "x"`, true); r.Failed {
		t.Error(r.Text)
	}
}
