package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// standard is the text as encoding/json writes it.
func standard(t interface{ Fatal(...any) }, text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// same compares a text with encoding/json, and what is read back with the text.
func same(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, text string) {
	got, want := string(Append([]byte("x"), text)), "x"+standard(t, text)
	if got != want {
		t.Fatalf("%q is written %s, want %s", text, got, want)
	}
	if got := string(Append([]byte("x"), []byte(text))); got != want {
		t.Fatalf("the bytes of %q are written %s, want %s", text, got, want)
	}
	var back string
	if err := json.Unmarshal([]byte(got[1:]), &back); err != nil {
		t.Fatal(err)
	}
	if want := string([]rune(text)); back != want {
		t.Fatalf("%q is read back as %q", text, back)
	}
}

func TestAppend(t *testing.T) {
	texts := rapid.OneOf(rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("\x00\b\f\n\r\t\x1f\"\\/<>&'\x7fé\u2028\u2029\ufffd😀"))),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) { same(t, texts.Draw(t, "text")) })
	for b := range 256 {
		same(t, "a"+string([]byte{byte(b)})+"b")
	}
}

func FuzzAppend(f *testing.F) {
	for _, text := range []string{"", "sport_fan", "a\xffb", "\xe2\x80", "\xe2\x80\xa8", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\ufffd", "\"\\\b\x7f"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		same(t, text)
		if !utf8.Valid(Append(nil, text)) {
			t.Fatalf("%q is not written as UTF-8", text)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"name", "sport_fan"},
		{"address", "https://news.example/economy/2026/11/a-title-of-usual-length?utm_source=x&utm_medium=y"},
		{"title", "Ação: o que é, e para quê – 5 perguntas"},
		{"broken", "caf\xe9 \"no\" \x01"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = Append(buf[:0], c.text)
			}
		})
	}
	b.Run("bytes", func(b *testing.B) {
		var buf []byte
		text := []byte("https://news.example/economy/2026/11/ação?utm_source=x")
		b.ReportAllocs()
		for b.Loop() {
			buf = Append(buf[:0], text)
		}
	})
}
