package importer

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const stamp = "[17/May/2015:10:05:03 +0000]"

func millis(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

func TestParse(t *testing.T) {
	at := millis("2015-05-17T10:05:03Z")
	for _, tt := range []struct {
		name   string
		format Format
		line   string
		want   Entry
	}{
		{"combined", Combined, `83.149.9.216 - - ` + stamp + ` "GET /a?b=1 HTTP/1.1" 200 203023 "http://x.example/" "Mozilla/5.0 (X11)"`,
			Entry{IP: []byte("83.149.9.216"), Time: at, Method: []byte("GET"), Target: []byte("/a?b=1"), Protocol: []byte("HTTP/1.1"), Status: 200, Bytes: 203023, Referrer: []byte("http://x.example/"), Agent: []byte("Mozilla/5.0 (X11)")}},
		{"common", Common, `::1 - frank ` + stamp + ` "POST /a HTTP/1.0" 304 -`,
			Entry{IP: []byte("::1"), User: []byte("frank"), Time: at, Method: []byte("POST"), Target: []byte("/a"), Protocol: []byte("HTTP/1.0"), Status: 304, Bytes: -1}},
		{"virtual host", VHost, `news.example:443 1.2.3.4 - - ` + stamp + ` "GET / HTTP/2.0" 200 5 "-" "-"`,
			Entry{Host: []byte("news.example"), IP: []byte("1.2.3.4"), Time: at, Method: []byte("GET"), Target: []byte("/"), Protocol: []byte("HTTP/2.0"), Status: 200, Bytes: 5}},
		{"zone", Combined, `1.2.3.4 - - [17/May/2015:12:35:03 +0230] "-" 408 0 "-" "-"`,
			Entry{IP: []byte("1.2.3.4"), Time: at, Status: 408, Bytes: 0}},
		{"escaped quotes", Combined, `1.2.3.4 - - ` + stamp + ` "GET /a\"b HTTP/1.1" 200 1 "-" "say \"hi\" \\ \x22now\x22"`,
			Entry{IP: []byte("1.2.3.4"), Time: at, Method: []byte("GET"), Target: []byte(`/a"b`), Protocol: []byte("HTTP/1.1"), Status: 200, Bytes: 1, Agent: []byte(`say "hi" \ "now"`)}},
		{"escapes that are not UTF-8 stay", Combined, `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "http://\xe4\xe5/" "a"`,
			Entry{IP: []byte("1.2.3.4"), Time: at, Method: []byte("GET"), Target: []byte("/"), Protocol: []byte("HTTP/1.1"), Status: 200, Bytes: 1, Referrer: []byte(`http://\xe4\xe5/`), Agent: []byte("a")}},
		{"no request line", Combined, `1.2.3.4 - - ` + stamp + ` "\x16\x03\x01" 400 166 "-" "-"`,
			Entry{IP: []byte("1.2.3.4"), Time: at, Status: 400, Bytes: 166}},
		{"user with blanks", Combined, `1.2.3.4 - john smith ` + stamp + ` "GET /x y HTTP/1.1" - 1 "-" "-"`,
			Entry{IP: []byte("1.2.3.4"), User: []byte("john smith"), Time: at, Method: []byte("GET"), Target: []byte("/x y"), Protocol: []byte("HTTP/1.1"), Status: -1, Bytes: 1}},
		{"further fields", Combined, `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "a" "10.0.0.1" 0.003`,
			Entry{IP: []byte("1.2.3.4"), Time: at, Method: []byte("GET"), Target: []byte("/"), Protocol: []byte("HTTP/1.1"), Status: 200, Bytes: 1, Agent: []byte("a")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Parser{Format: tt.format}
			var e Entry
			if err := p.Parse([]byte(tt.line), &e); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, e); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"empty", ``, "byte 1: expected address"},
		{"text", `hello world`, "byte 7: expected identity"},
		{"no time", `1.2.3.4 - - "GET / HTTP/1.1" 200 1 "-" "-"`, "byte 11: expected user and [time]"},
		{"day", `1.2.3.4 - - [30/Feb/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`, "byte 14: expected a time like"},
		{"month", `1.2.3.4 - - [01/Mai/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`, "byte 14: expected a time like"},
		{"open quote", `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "Mozilla`, `byte 77: expected a " that ends the user agent`},
		{"escaped end", `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "Mozilla\"`, `expected a " that ends the user agent`},
		{"status", `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 20 1 "-" "-"`, "byte 59: expected a status"},
		{"size", `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 x "-" "-"`, "byte 63: expected a number of bytes"},
		{"glued", `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "a"b`, "expected a blank before further fields"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Parser{Format: Combined}
			err := p.Parse([]byte(tt.line), &Entry{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestDetect(t *testing.T) {
	line := map[Format]string{
		Common:   `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1`,
		Combined: `1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "a [b] c"`,
		VHost:    `news.example:80 1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "a"`,
	}
	for want, text := range line {
		got, err := detect([]byte(strings.Repeat(text+"\n", 3) + `1.2.3.4 - - "broken` + "\n" + text[:20]))
		if err != nil || got != want {
			t.Errorf("detect(%s) = %v, %v", want, got, err)
		}
	}
	if _, err := detect([]byte("{\"type\":\"page_view\"}\n")); err == nil {
		t.Error("JSON passed as an access log")
	}
}

func TestTimeAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.IntRange(-14*60, 14*60).Draw(t, "zone")
		want := time.Unix(rapid.Int64Range(-60e9, 200e9).Draw(t, "time"), 0).In(time.FixedZone("", zone*60))
		if want.Year() < 1 || want.Year() > 9999 {
			t.Skip("no four-digit year")
		}
		got, ok := clfTime([]byte(want.Format("02/Jan/2006:15:04:05 -0700")))
		if !ok || got != want.UnixMilli() {
			t.Fatalf("%s: got %d, %v; want %d", want, got, ok, want.UnixMilli())
		}
	})
}

// escape writes a field as Apache does.
func escape(field string) string {
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func TestWriteAndParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 40, 200)
		target := "/" + rapid.StringMatching(`[a-z0-9/"\\?&=%. ]{0,40}`).Draw(t, "target")
		referrer, agent := text.Draw(t, "referrer"), text.Draw(t, "agent")
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0).UTC()
		status, size := rapid.IntRange(100, 599).Draw(t, "status"), rapid.Int64Range(0, 1e15).Draw(t, "size")
		line := fmt.Sprintf(`2001:db8::1 - - [%s] "GET %s HTTP/1.1" %d %d "%s" "%s"`,
			at.Format("02/Jan/2006:15:04:05 -0700"), escape(target), status, size, escape(referrer), escape(agent))
		p := Parser{Format: Combined}
		var e Entry
		if err := p.Parse([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if string(e.Target) != target || e.Status != status || e.Bytes != size || e.Time != at.UnixMilli() {
			t.Fatalf("%s: read %q %d %d %d", line, e.Target, e.Status, e.Bytes, e.Time)
		}
		if referrer != "-" && string(e.Referrer) != referrer || agent != "-" && string(e.Agent) != agent {
			t.Fatalf("%s: read %q %q", line, e.Referrer, e.Agent)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`1.2.3.4 - - ` + stamp + ` "GET / HTTP/1.1" 200 1 "-" "a"`))
	f.Add([]byte(`h:1 1.2.3.4 - - ` + stamp + ` "\x16" - - "\\" "\"`))
	for _, s := range samples {
		f.Add([]byte(s.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsAny(line, "\n") {
			return
		}
		for format := range numFormat {
			tr := requestEvents{parser: Parser{Format: Format(format)}, typ: "request"}
			out, skip, err := tr.translate(nil, line)
			if err == nil && !skip {
				mustBeEvent(t, out)
			}
		}
		_, _ = detect(line)
	})
}
