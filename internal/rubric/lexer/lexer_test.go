package lexer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

func TestLiterals(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse("2006-01-02T15:04:05.999Z07:00", s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	day := 24 * time.Hour
	for _, c := range []struct {
		in    string
		kind  token.Kind
		text  string
		value int64
		scale int
	}{
		{`"a"`, token.Text, "a", 0, 0},
		{`""`, token.Text, "", 0, 0},
		{`"\"\\\/\b\f\n\r\t"`, token.Text, "\"\\/\b\f\n\r\t", 0, 0},
		{`"\u00e9\ud83d\ude00 é😀"`, token.Text, "é😀 é😀", 0, 0},
		{"0", token.Integer, "0", 0, 0},
		{"9223372036854775807", token.Integer, "9223372036854775807", 1<<63 - 1, 0},
		{"0.002", token.Decimal, "0.002", 2, 3},
		{"12.50", token.Decimal, "12.50", 1250, 2},
		{"999999999999999999.0", token.Bad, "", 0, 0}, // 19 digits
		{"5ms", token.Duration, "5ms", int64(5 * time.Millisecond), 0},
		{"0s", token.Duration, "0s", 0, 0},
		{"30m", token.Duration, "30m", int64(30 * time.Minute), 0},
		{"24h", token.Duration, "24h", int64(day), 0},
		{"14d", token.Duration, "14d", int64(14 * day), 0},
		{"2w", token.Duration, "2w", int64(14 * day), 0},
		{"2026-03-01", token.Time, "2026-03-01", at("2026-03-01T00:00:00Z"), 0},
		{"2026-03-01T10:00", token.Time, "2026-03-01T10:00", at("2026-03-01T10:00:00Z"), 0},
		{"2026-03-01T10:00:05.25", token.Time, "2026-03-01T10:00:05.25", at("2026-03-01T10:00:05.25Z"), 0},
		{"2026-03-01T10:00Z", token.Time, "2026-03-01T10:00Z", at("2026-03-01T10:00:00Z"), 1},
		{"2026-03-01T10:00-03:00", token.Time, "2026-03-01T10:00-03:00", at("2026-03-01T13:00:00Z"), 1},
		{"2026-03-01T10:00:05.0001", token.Bad, "", 0, 0}, // finer than a millisecond
		{"2026-02-29", token.Bad, "", 0, 0},
		{"EUR", token.Currency, "EUR", 0, 0},
		{"events", token.Events, "events", 0, 0},
		{"where", token.Name, "where", 0, 0},
		{"&&", token.And, "&&", 0, 0},
		{"||", token.Or, "||", 0, 0},
		{"!", token.Not, "!", 0, 0},
		{"!=", token.Ne, "!=", 0, 0},
	} {
		got := lexer.Scan(source.NewFile("p", c.in))
		if c.kind == token.Bad {
			if len(got.Diagnostics) != 1 {
				t.Errorf("%s: %d errors, want one", c.in, len(got.Diagnostics))
			}
			continue
		}
		tok := got.Tokens[0]
		if len(got.Diagnostics) > 0 || len(got.Tokens) != 2 || tok.Kind != c.kind || tok.Text != c.text || tok.Int != c.value || tok.Scale != c.scale {
			t.Errorf("%s: %+v %v", c.in, tok, got.Diagnostics)
		}
	}
}

func TestTokens(t *testing.T) {
	const text = "a1..a6 x<=-5 -- c \n\"t\"\r\n  -- own\t\n1 .2"
	got := lexer.Scan(source.NewFile("p", text))
	var kinds []token.Kind
	var first []string
	for _, tok := range got.Tokens {
		kinds = append(kinds, tok.Kind)
		if tok.First && tok.Kind != token.EOF {
			first = append(first, text[tok.Start:tok.End])
		}
	}
	want := []token.Kind{token.Name, token.DotDot, token.Name, token.Name, token.Le, token.Minus, token.Integer, token.Text, token.Integer, token.Decimal, token.EOF}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a1", `"t"`, "1"}, first); diff != "" {
		t.Errorf("first of their lines (-want +got):\n%s", diff)
	}
	if c := got.Comments; len(c) != 2 || c[0].Text != "-- c" || c[0].Own || c[1].Text != "-- own" || !c[1].Own {
		t.Errorf("comments %+v", c)
	}
}

// Each input has one mistake, one error about it, and the token that was meant.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind token.Kind
		hint string
	}{
		{"Let", token.Let, "write `let`"},
		{"sportFans", token.Name, "write `sport_fans`"},
		{"é", token.Name, ""},
		{"aé", token.Name, ""},
		{"'it'", token.Text, "write `\"it\"`"},
		{"„it“", token.Text, "write `\"it\"`"},
		{"'", token.Bad, "a text stands in `\"…\"`"},
		{"\"a\tb\"", token.Text, "write `\\t`"},
		{"\"a\\", token.Text, "close it with `\"` on the same line"},
		{"<>", token.Ne, "write `!=`"},
		{"=<", token.Le, "write `<=`"},
		{":=", token.Assign, "write `=`"},
		{"...", token.DotDot, "write `..`"},
		{"5EUR", token.Integer, "write `5 EUR`"},
		{"0.5EUR", token.Decimal, "write `0.5 EUR`"},
		{"0.5kg", token.Decimal, ""},
		{"2Weeks", token.Duration, "write `2w`"},
		{"2D", token.Duration, "write `2d`"},
		{"1.0001s", token.Duration, ""},
		{"\u00a0x", token.Name, "write a plain space"},
		{"\xff\xff", token.Bad, ""},
		{"\x00", token.Bad, ""},
		{"2026-03-01x", token.Time, "such as `2026-03-01`, `2026-03-01T10:00` or `2026-03-01T10:00+01:00`"},
		{"-- \xff", token.EOF, ""},
		{"# c", token.EOF, "a comment begins with `--`"},
		{"/* c", token.EOF, "begin each line of a comment with `--`"},
	} {
		got := lexer.Scan(source.NewFile("p", c.in))
		if len(got.Diagnostics) != 1 || got.Diagnostics[0].Hint != c.hint || got.Tokens[0].Kind != c.kind || len(got.Tokens) > 2 {
			t.Errorf("%q: %v with hint %q, want %v, %q; %v", c.in, got.Tokens[0].Kind, hints(got), c.kind, c.hint, got.Diagnostics)
		}
	}
}

func hints(r lexer.Result) string {
	var all []string
	for _, d := range r.Diagnostics {
		all = append(all, d.Hint)
	}
	return strings.Join(all, "|")
}

func TestByteOrderMark(t *testing.T) {
	if got := lexer.Scan(source.NewFile("p", "\uFEFFlet")); len(got.Diagnostics) > 0 || got.Tokens[0].Kind != token.Let {
		t.Errorf("%+v", got)
	}
}

// Tokens and comments lie in the text, in order and apart from each other.
func FuzzScan(f *testing.F) {
	f.Add("let a = \"x\\u00e9\" -- c\n 1.5h 2026-03-01T10:00+01:00 'x' „y“ é \xff a1..a6")
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		got := lexer.Scan(source.NewFile("p", text))
		for i, tok := range got.Tokens {
			if tok.Start < end || tok.End < tok.Start || tok.End > len(text) || (tok.Kind == token.EOF) != (i == len(got.Tokens)-1) {
				t.Fatalf("token %d %+v after offset %d", i, tok, end)
			}
			end = tok.End
		}
	})
}
