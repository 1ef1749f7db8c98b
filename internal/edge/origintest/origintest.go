// Package origintest is origins for tests that answer byte for byte as a test says.
package origintest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
)

// Listen accepts connections and has each of them answer as converse says, until the
// test ends; converse's connection is closed when it returns.
func Listen(t testing.TB, converse func(c net.Conn, r *bufio.Reader)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				converse(c, bufio.NewReader(c))
			}()
		}
	}()
	return l.Addr().String()
}

// Answers is a conversation that answers every request with a text.
func Answers(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for answered(c, r, text) {
		}
	}
}

// AnswersOnce is a conversation that answers the first request with a text.
func AnswersOnce(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		answered(c, r, text)
	}
}

func answered(c net.Conn, r *bufio.Reader, text string) bool {
	if _, err := http.ReadRequest(r); err != nil {
		return false
	}
	_, err := io.WriteString(c, text)
	return err == nil
}
