package lsp

import (
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/rubric/schema"
)

// folder is a folder in memory.
type folder map[string]string

func (f folder) Read(path string) (string, bool) { t, ok := f[path]; return t, ok }

func (f folder) Folder(dir string) []string {
	var out []string
	for p := range f {
		if path.Dir(p) == dir && strings.HasSuffix(p, ".rubric") {
			out = append(out, p)
		}
	}
	return out
}

// workspace opens a document whose cursor stands at ¦.
func workspace(t *testing.T, text string) (*Workspace, string, Position) {
	t.Helper()
	before, after, _ := strings.Cut(text, "¦")
	s := schema.Default()
	s.Properties, s.Traits, s.Attributes, s.Entitlements = []string{"goal", "mood"}, []string{"plan"}, []string{"dossier"}, []string{"premium"}
	s.Window = 31 * 24 * 3600_000
	w := New(s, nil)
	w.Values = map[string][]string{"item.section": {"sport", "culture"}, "device_class": {"phone", "desktop"}, "properties.goal": {"trial"}, "reader.entitled": {"premium"}, "item.tags": {"x"}, "bot_class": {"search"}}
	const uri = "untitled:Untitled-1"
	w.Open(Document{URI: uri, Version: 1, Text: before + after})
	return w, uri, NewText(before+after, w.Unit).Position(len(before))
}

func labels(items []CompletionItem) []string {
	var out []string
	for _, i := range items {
		out = append(out, i.Label)
	}
	slices.Sort(out)
	return out
}

const program = `let reads = events |> where type == "page_view"
let fun(rows, s) = rows |> where item.section == s
segment fan = reads |> last 7d |> any
meter monthly (limit: 5) = burns |> per month |> distinct item
access story {
  allow fans if fan
  allow metered if monthly.left > 0 burns monthly
  deny others
}
`

// Each case is what could be written at ¦ with some names that could, and some
// that could not.
func TestComplete(t *testing.T) {
	for _, c := range []struct{ text, has, lacks string }{
		{"¦", "let segment meter access metric test use", "and where events"},
		{"segment a = ¦", "events reader not if has true fan lower now", "request item country where and all_events monthly let"},
		{"segment a = ev¦ents", "events reader", "where"},
		{"segment a = events |> ¦", "where last since per distinct then unless count any none latest fun", "reads fan and if burns country"},
		{"segment a = events |> wh¦ |> any", "where last", "and"},
		{"segment a = events |> where ¦ |> last 7d |> any", "type country item properties engaged_seconds lower not has", "reader fan where now"},
		{"segment a = events |> where item.¦", "section tags attributes dossier", "type and where"},
		{"segment a = events |> where properties.¦", "goal mood", "section"},
		{"segment a = events |> where type == \"x\" ¦", "and or in", "where country events then"},
		{"segment a = events |> per ¦", "day week month", "type and"},
		{"segment a = reads |> then reads ¦", "within", "and where"},
		{"segment a = reader.¦", "registered entitled entitled_by traits first_seen", "section"},
		{"segment a = reader.traits.¦", "plan", "goal"},
		{"segment a = if fan ¦", "then and or", "else"},
		{"segment a = if fan then fan ¦", "else", "then"},
		{"metric n = ¦", "events all_events", "reader now"},
		{"metric n = events |> by ¦ |> count", "segment country item", "fan"},
		{"meter m (¦) = burns |> per month |> distinct item", "limit merge sticky", "fails and"},
		{"meter m (limit: 5, merge: ¦) = burns |> per month |> distinct item", "union max account", "fan"},
		{"access a (fails: ¦) { allow x }", "open closed", "union"},
		{"access a { ¦ }", "allow deny charge", "let and"},
		{"access a { allow x ¦ }", "if burns price offers", "then"},
		{"access a { allow x if ¦ }", "fan monthly reader request bot item events", "country"},
		{"access a { allow x if request.¦ }", "country gift item preview", "registered"},
		{"access a { allow x if bot.¦ }", "verified class", "left"},
		{"access a { allow x if monthly.¦ }", "used left limit resets_at", "registered"},
		{"access a { allow x if fan burns ¦ }", "monthly", "fan story"},
		{"test \"t\" { ¦ }", "site item reader at", "allow"},
		{"test \"t\" { item a1 { ¦ } }", "section kind dossier", "id"},
		{"test \"t\" { reader { ¦ } }", "registered entitled plan", "section"},
		{"test \"t\" { at 2026-03-01T10:00 ¦ }", "read event login logout expect", "allow"},
		{"test \"t\" { item a1 { }\n at 2026-03-01T10:00 read ¦ }", "a1", "story"},
		{"test \"t\" { item a1 { }\n at 2026-03-01T10:00 read a1 through ¦ }", "story", "a1 fan"},
		{"test \"t\" { item a1 { }\n at 2026-03-01T10:00 expect ¦ }", "a1 story monthly fan reader", "country"},
		{"test \"t\" { item a1 { }\n at 2026-03-01T10:00 expect story(a1) == ¦ }", "allow deny charge", "where"},
		{"test \"t\" { item a1 { }\n at 2026-03-01T10:00 expect story(a1) == allow ¦ }", "fans metered", "others"},
		{"test \"t\" { at 2026-03-01T10:00 event \"x\" { ¦ } }", "value goal country", "type device"},
		{"let f(rows, x) = rows |> where ¦", "x rows country type", ""},
		// between quotes
		{"segment a = events |> where item.section == \"¦\" |> any", "sport culture", "phone"},
		{"segment a = events |> where item.section == \"sp¦", "sport culture", "phone"},
		{"segment a = events |> where device_class in [\"phone\", \"¦\"] |> any", "phone desktop", "sport"},
		{"segment a = events |> where \"¦\" in item.tags |> any", "x", "sport"},
		{"segment a = events |> where properties.goal != \"¦\" |> any", "trial", "sport"},
		{"segment a = events |> where starts_with(item.section, \"¦\") |> any", "sport", ""},
		{"segment a = events |> where type == \"¦\" |> any", "page_view subscribed", ""},
		{"segment a = reader.entitled(\"¦\")", "premium", "sport"},
		{"access a { deny x if bot.class == \"¦\" }", "search", "sport"},
		{"test \"t\" { at 2026-03-01T10:00 event \"¦\" { } }", "page_view", ""},
		{"test \"t\" { item a { section: \"¦\" } }", "sport", ""},
		{"test \"t\" { site { week_start: \"¦\" } }", "monday", ""},
		// nowhere
		{"-- a comment ¦", "", "let events"},
		{"segment a = 12¦", "", "let events and"},
	} {
		w, uri, at := workspace(t, program+c.text)
		got := labels(w.Complete(uri, at))
		for _, name := range strings.Fields(c.has) {
			if !slices.Contains(got, name) {
				t.Errorf("%s: no %s in %v", c.text, name, got)
			}
		}
		for _, name := range strings.Fields(c.lacks) {
			if slices.Contains(got, name) {
				t.Errorf("%s: %s in %v", c.text, name, got)
			}
		}
		if slices.Contains(got, marker) {
			t.Errorf("%s: the marker is told", c.text)
		}
	}
}

func TestCompletionReplacesWhatIsWritten(t *testing.T) {
	w, uri, at := workspace(t, "-- 😀 é\nsegment a = \"😀\" == \"\" and ev¦")
	for _, i := range w.Complete(uri, at) {
		if i.Label == "events" {
			if diff := cmp.Diff(&TextEdit{Range: Range{Position{1, 27}, Position{1, 29}}, NewText: "events"}, i.TextEdit); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Error("no events")
}

func TestHover(t *testing.T) {
	for text, want := range map[string][]string{
		"segment a = ev¦ents |> any":                                   {"**events**", "the reader's rows", "rows"},
		"segment a = events |> wh¦ere type == \"x\" |> any":            {"**where**", "keeps the rows"},
		"segment a = events |> where engaged_s¦econds > 3 |> any":      {"a number", "may be missing", "seconds"},
		"segment a = events |> where item.sec¦tion == \"x\" |> any":    {"**item.section**", "a text"},
		"segment a = events |> where properties.go¦al == \"x\" |> any": {"**properties.goal**", "a text"},
		"segment a = events |> last 1¦4d |> any":                       {"a duration", "24 hours"},
		"segment a = f¦an":                                                    {"**segment fan**", "A reader is in it if", "Cost: ", "µs an event"},
		"segment a = rea¦ds |> any":                                           {"let reads = events", "Rows."},
		"access b { allow x if mont¦hly.left > 0\n deny y }":                  {"**meter monthly**", "The limit is 5", "bytes a reader"},
		"access b { allow x if monthly.le¦ft > 0\n deny y }":                  {"**monthly.left**", "a number", "limit less used"},
		"access b { allow x if reader.enti¦tled(\"premium\")\n deny y }":      {"a condition", "grace"},
		"access b { allow x if request.coun¦try == \"DE\"\n deny y }":         {"a text", "two letters"},
		"segment a = events |> where low¦er(path ?? \"\") == \"x\" |> any":    {"a text", "small letters"},
		"meter m (mer¦ge: max, limit: 1) = burns |> last 1d |> distinct item": {"after a login"},
	} {
		w, uri, at := workspace(t, program+text)
		h := w.Hover(uri, at)
		if h == nil {
			t.Errorf("%s: nothing", text)
			continue
		}
		for _, part := range want {
			if !strings.Contains(h.Contents.Value, part) {
				t.Errorf("%s: no %q in %s", text, part, h.Contents.Value)
			}
		}
	}
	w, uri, at := workspace(t, "segment a = ¦  events |> any")
	if h := w.Hover(uri, at); h != nil {
		t.Errorf("between tokens: %v", h)
	}
}

func TestDiagnosticsAreInUTF16(t *testing.T) {
	w, uri, _ := workspace(t, "let a = \"😀\" |> any -- é\nsegment b = events |> where item.sektion == \"x\" |> any\nsegment c = true == \"😀😀\" and nothing")
	var got []string
	for _, d := range w.Diagnose(uri) {
		got = append(got, d.Message)
		if strings.Contains(d.Message, "nothing") && d.Range != (Range{Position{2, 31}, Position{2, 38}}) {
			t.Errorf("%+v", d)
		}
		if strings.Contains(d.Message, "sektion") && (d.Range != Range{Position{1, 28}, Position{1, 40}} || !strings.Contains(d.Message, "did you mean `item.section`")) {
			t.Errorf("%+v", d)
		}
	}
	if len(got) < 3 {
		t.Errorf("not all at once: %q", got)
	}
}

// Files of a folder are checked together: an error of a shared file is said there
// with the use that it is about, and names are found across files.
func TestFolder(t *testing.T) {
	files := folder{"/p/main.rubric": "use \"shared\"\nsegment a = mine |> any\n", "/p/other.rubric": "use \"shared\"\nsegment b = mine |> none\n", "/p/shared.rubric": "let mine = events |> where type == \"x\"\n", "/q/far.rubric": "segment mine = true\n"}
	w := New(schema.Default(), files)
	main, shared := "file:///p/main.rubric", "file:///p/shared.rubric"
	w.Open(Document{URI: main, Text: files["/p/main.rubric"]})
	if got := w.Diagnose(main); len(got) > 0 {
		t.Errorf("%v", got)
	}
	mine := Location{URI: shared, Range: Range{Position{0, 4}, Position{0, 8}}}
	if got := w.Definition(main, Position{1, 13}); got == nil || *got != mine {
		t.Errorf("defined at %v", got)
	}
	if got := w.Definition(main, Position{0, 6}); got == nil || got.URI != shared {
		t.Errorf("the file is %v", got)
	}
	refs := w.References(main, Position{1, 13}, true)
	if len(refs) != 3 {
		t.Errorf("%v", refs)
	}
	edit, err := w.Rename(main, Position{1, 13}, "yours")
	if err != nil || len(edit.Changes) != 3 || edit.Changes[shared][0] != (TextEdit{mine.Range, "yours"}) {
		t.Errorf("%v, %v", edit, err)
	}
	for _, bad := range []string{"a", "item", "where x", "", "Events", "events"} {
		if _, err := w.Rename(main, Position{1, 13}, bad); err == nil {
			t.Errorf("renamed to %q", bad)
		}
	}
	if got := labels(w.Complete(main, Position{0, 5})); !slices.Equal(got, []string{"other", "shared"}) {
		t.Errorf("files to use: %v", got)
	}
	w.Open(Document{URI: shared, Text: "let yours = events"})
	if got := w.Diagnose(main); len(got) != 1 || !strings.Contains(got[0].Message, "mine") {
		t.Errorf("%v", got)
	}
	w.Close(shared)
	if got := w.Diagnose(main); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

func TestDefinitionAndRename(t *testing.T) {
	text := "let f(rows, s) = rows |> where item.section == s\nsegment a = events |> f(s: \"x\") |> any\ntest \"t\" {\n item a1 { }\n at 2026-03-01T10:00 read a1\n at 2026-03-01T10:01 expect a\n}\naccess story { allow all }\n"
	for _, c := range []struct {
		at   Position
		want int // places
		line uint32
	}{{Position{0, 6}, 2, 0}, {Position{0, 47}, 3, 0}, {Position{1, 22}, 2, 0}, {Position{1, 24}, 3, 0}, {Position{4, 26}, 2, 3}, {Position{5, 28}, 2, 1}} {
		w, uri, _ := workspace(t, text)
		def := w.Definition(uri, c.at)
		if def == nil || def.Range.Start.Line != c.line {
			t.Errorf("%v: defined at %v", c.at, def)
		}
		edit, err := w.Rename(uri, c.at, "other_name")
		if err != nil || len(edit.Changes[uri]) != c.want {
			t.Errorf("%v: %v, %v", c.at, edit, err)
		}
	}
}

func TestSymbolsAndFormat(t *testing.T) {
	w, uri, _ := workspace(t, program+"test \"x\" { }\nsegment = 3\n")
	var got []string
	for _, s := range w.Symbols(uri) {
		got = append(got, s.Detail+" "+s.Name)
		for _, c := range s.Children {
			got = append(got, "."+c.Detail+" "+c.Name)
		}
	}
	want := []string{"let reads", "let fun", "segment fan", "meter monthly", "access story", ".allow fans", ".allow metered", ".deny others", "test x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if edits := w.Format(uri); len(edits) > 0 {
		t.Errorf("a document with errors is laid out anew: %v", edits)
	}
	w, uri, _ = workspace(t, "segment   a=true\r\n")
	if edits := w.Format(uri); len(edits) != 1 || edits[0].NewText != "segment a = true\n" || edits[0].Range != (Range{Position{}, Position{1, 0}}) {
		t.Errorf("%v", edits)
	}
}

// Positions are what counting code units from the line's start gives, and there
// and back is the same place.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n\ré日😀")), 0, 60, -1).Draw(t, "text")
		runes := []rune(text)
		n := rapid.IntRange(0, len(runes)).Draw(t, "n")
		offset := len(string(runes[:n]))
		for _, unit := range []Encoding{UTF8, UTF16, UTF32} {
			l := NewText(text, unit)
			if offset > 0 && offset < len(text) && text[offset-1] == '\r' && text[offset] == '\n' {
				continue // inside of the end of a line
			}
			before := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(runes[:n]))
			line := before[strings.LastIndexByte(before, '\n')+1:]
			want := Position{Line: uint32(strings.Count(before, "\n"))}
			switch unit {
			case UTF8:
				want.Character = uint32(len(line))
			case UTF16:
				want.Character = uint32(len(utf16.Encode([]rune(line))))
			default:
				want.Character = uint32(len([]rune(line)))
			}
			if got := l.Position(offset); got != want {
				t.Fatalf("%s of %d in %q: %v, want %v", unit, offset, text, got, want)
			}
			if got := l.Offset(want); got != offset {
				t.Fatalf("%s: %v in %q is %d, want %d", unit, want, text, got, offset)
			}
		}
	})
}

// Within a pair of surrogates is before it; behind the end of a line is its end.
func TestPositionsOutside(t *testing.T) {
	l := NewText("a😀b\r\ncd", UTF16)
	for p, want := range map[Position]int{{0, 2}: 1, {0, 3}: 5, {0, 99}: 6, {1, 99}: 10, {9, 0}: 10, {0, 1 << 31}: 6, {1 << 31, 1 << 31}: 10} {
		if got := l.Offset(p); got != want {
			t.Errorf("%v is %d, want %d", p, got, want)
		}
	}
}

// Whatever was typed where, an editor that applies the changes it sends has the
// text that the server has.
func TestApply(t *testing.T) {
	got := Apply("one\ntwo 😀 three\n", []Change{{Range: &Range{Position{1, 4}, Position{1, 6}}, Text: "2"}, {Range: &Range{Position{1, 6}, Position{0, 3}}, Text: "-"}, {Range: &Range{Position{9, 9}, Position{9, 9}}, Text: "!"}}, UTF16)
	if got != "one-three\n!" {
		t.Errorf("%q", got)
	}
	if got := Apply("x", []Change{{Text: "y"}}, UTF16); got != "y" {
		t.Errorf("%q", got)
	}
}

// Everything can be asked at every place of whatever text, changed in whatever
// way.
func FuzzWorkspace(f *testing.F) {
	f.Add(program, uint32(5), uint32(20), "x", uint8(0))
	f.Add("segment a = events |> where item.section == \"😀", uint32(0), uint32(50), "\"", uint8(1))
	f.Add("test \"t\" { item a1..a3 { }\n at 2026-03-01 read a1\r", uint32(1), uint32(1), "\xff", uint8(2))
	f.Add("use \"a\"\nlet f(x) = x |> f\n", uint32(1), uint32(9), "", uint8(0))
	f.Fuzz(func(t *testing.T, text string, line, character uint32, typed string, unit uint8) {
		if len(text) > 4000 {
			t.Skip()
		}
		s := schema.Default()
		s.Properties = []string{"goal"}
		w := New(s, folder{"/p/a.rubric": "let x = 1"})
		w.Unit = []Encoding{UTF16, UTF8, UTF32}[unit%3]
		const uri = "file:///p/main.rubric"
		w.Open(Document{URI: uri, Text: text})
		at := Position{line, character}
		if !w.Change(uri, 2, []Change{{Range: &Range{at, at}, Text: typed}}) {
			t.Fatal("it is open")
		}
		d, _ := w.Document(uri)
		l := NewText(d.Text, w.Unit)
		if len(d.Text) != len(text)+len(typed) {
			t.Fatalf("%q with %q is %q", text, typed, d.Text)
		}
		offset := l.Offset(at)
		if p := l.Position(offset); l.Offset(p) != offset {
			t.Fatalf("%d is %v and that is %d", offset, p, l.Offset(p))
		}
		for _, d := range w.Diagnose(uri) {
			if l.Offset(d.Range.Start) > l.Offset(d.Range.End) {
				t.Fatalf("%+v", d)
			}
		}
		for _, i := range w.Complete(uri, at) {
			if i.TextEdit == nil || i.Label == "" {
				t.Fatalf("%+v", i)
			}
		}
		w.Hover(uri, at)
		w.Definition(uri, at)
		w.References(uri, at, true)
		_, _ = w.Rename(uri, at, "fresh_name")
		w.Symbols(uri)
		w.Format(uri)
	})
}
