package app

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"testing"
)

// BenchmarkDecision asks for decisions over a connection of the fast listener, one
// after the other, about a thousand readers. Allocations are those of the whole way,
// from request to answer; the client makes none.
func BenchmarkDecision(b *testing.B) {
	for _, commit := range []bool{false, true} {
		b.Run(fmt.Sprintf("commit=%t", commit), func(b *testing.B) { benchmarkDecision(b, commit) })
	}
}

func benchmarkDecision(b *testing.B, commit bool) {
	r := begin(b, Config{Data: b.TempDir(), RootKey: rootKey, CollectListen: "127.0.0.1:0"})
	defer r.end(b)
	program := `meter daily (limit: 3) = burns |> per month |> distinct item
access story {
  allow metered if daily.left > 0 burns daily
  deny  wall                      offers plans
}`
	for _, of := range [][3]string{{"POST", "/v1/sites", `{"id":"news","domains":["news.example"]}`},
		{"PUT", "/v1/sites/news/program", asJSON(map[string]any{"files": map[string]string{"main": program}})}} {
		if status, answer := r.call(b, of[0], of[1], rootKey, of[2]); status/100 != 2 {
			b.Fatal(status, answer)
		}
	}
	c, err := net.Dial("tcp", r.collect.String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var request, answer []byte
	answer = make([]byte, 8<<10)
	tail := []byte(fmt.Sprintf(`"},"commit":%t}`, commit))
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		request = append(request[:0], "POST /v1/sites/news/decisions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "+rootKey+
			"\r\nContent-Type: application/json\r\nContent-Length: "...)
		reader, item := 1000+i*7919%1000, i/1000%8
		i++
		request = strconv.AppendInt(request, int64(len(`{"access":"story","reader":{"device":"r1000"},"item":{"id":"a1`)+len(tail)), 10)
		request = append(request, "\r\n\r\n{\"access\":\"story\",\"reader\":{\"device\":\"r"...)
		request = strconv.AppendUint(request, reader, 10)
		request = append(request, `"},"item":{"id":"a`...)
		request = append(strconv.AppendUint(request, item, 10), tail...)
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		got, err := c.Read(answer)
		if err != nil {
			b.Fatal(err)
		}
		if !bytes.HasPrefix(answer[:got], []byte("HTTP/1.1 200 OK")) || !bytes.Contains(answer[:got], []byte(`"fallback":false`)) {
			b.Fatalf("%s", answer[:got])
		}
	}
}
