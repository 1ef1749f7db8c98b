package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
)

// BenchmarkFastSingle sends single events over one connection to the fast
// listener. The client does not allocate.
func BenchmarkFastSingle(b *testing.B) { benchmarkSingle(b, 0) }

// BenchmarkMainSingle is the same on net/http.
func BenchmarkMainSingle(b *testing.B) { benchmarkSingle(b, 1) }

func benchmarkSingle(b *testing.B, which int) {
	both, stores := listeners(b, Limits{})
	stores[which].ids = nil // nothing is kept
	stores[which].commitOne(b)
	conn, err := net.Dial("tcp", strings.TrimPrefix(both[which].url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	body := `{"type":"page_view","device":"d1","item":"a77","url":"https://news.example/sport/a77?utm_source=x","referrer":"https://t.co/abc","title":"The final","properties":{"section":"sport","author":"jd","premium":true}}`
	request := []byte(fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: collect.example\r\nAuthorization: Bearer write\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	answer := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		length := 0
		for {
			line, err := answer.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				for _, c := range bytes.TrimSpace(digits) {
					length = 10*length + int(c-'0')
				}
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := answer.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
}
