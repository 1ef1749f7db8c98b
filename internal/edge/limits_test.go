package edge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/readership/readership/internal/collect"
)

// TestTooOften refuses what comes too often of a reader's address, behind a proxy
// the reader's, of a key and of a device, on both listeners alike.
func TestTooOften(t *testing.T) {
	body := `{"type":"a","consent":{"analytics":false}}`
	from := func(address string) map[string]string {
		return map[string]string{"X-Forwarded-For": address}
	}
	limited := func(l listener, o one) (refused int) {
		t.Helper()
		for range 15 {
			switch status, header, body := l.do(t, o); status {
			case 200:
			case 429:
				refused++
				if header.Get("Retry-After") != "1" || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"rate_limited"`) {
					t.Errorf("%s: %v %s", l.name, header, body)
				}
			default:
				t.Errorf("%s: %d %s", l.name, status, body)
			}
		}
		return refused
	}
	both, stores := listenersOf(t, site, Limits{}, collect.Rates{Address: 1, Device: 1})
	for i, l := range both {
		event := one{method: "POST", path: "/v1/events?key=write", body: body}
		for _, c := range []struct {
			name, address string
			want          int
		}{
			{"the proxy itself", "", 0},
			{"a private network", "10.1.2.3", 0},
			{"a reader", "203.0.113.5", 5},
			{"the same reader", "198.51.100.1, 203.0.113.5", 15},
			{"another", "203.0.113.6", 5},
			{"a network of IPv6", "2001:db8::1", 5},
			{"another address of it", "2001:db8::ffff:2", 15},
			{"another network of it", "2001:db8:0:1::1", 5},
		} {
			event.headers = from(c.address)
			if got := limited(l, event); got != c.want {
				t.Errorf("%s: %s: %d of 15 are refused, want %d", l.name, c.name, got, c.want)
			}
		}
		if n := stores[i].counted("refused", "address_rate"); n != 50 {
			t.Errorf("%s: the ledger has %d", l.name, n)
		}
		// An API key speaks for many.
		event.path, event.headers = "/v1/events?key=import&site=news", from("203.0.113.5")
		if got := limited(l, event); got != 0 {
			t.Errorf("%s: %d of an API key are refused", l.name, got)
		}
		if got := limited(l, one{method: "GET", path: "/v1/pixel.gif?key=write&type=a&device=d1"}); got != 5 {
			t.Errorf("%s: %d of a device are refused, want 5", l.name, got)
		}
		if got := limited(l, one{method: "POST", path: "/v1/events?key=write", body: `{"type":"a","device":"d2"}`}); got != 5 {
			t.Errorf("%s: %d of another device are refused, want 5", l.name, got)
		}
		if status, _, body := l.do(t, one{method: "POST", path: "/v1/events?key=write", body: `[{"type":"a","device":"d2"},{"type":"a","device":"d3"}]`}); status != 200 ||
			!strings.Contains(body, `"accepted":1,`) || !strings.Contains(body, `{"index":0,"code":"too_many","path":"device"`) {
			t.Errorf("%s: beside another device: %d %s", l.name, status, body)
		}
	}

	both, stores = listenersOf(t, site, Limits{}, collect.Rates{Key: 1})
	for i, l := range both {
		if got := limited(l, one{method: "POST", path: "/v1/events?key=write", body: body}); got != 5 {
			t.Errorf("%s: %d with a key are refused", l.name, got)
		}
		if n := stores[i].counted("refused", "key_rate"); n != 5 {
			t.Errorf("%s: the ledger has %d", l.name, n)
		}
		if got := limited(l, one{method: "POST", path: "/v1/events?key=import&site=news", body: body}); got != 5 {
			t.Errorf("%s: %d with another key are refused", l.name, got)
		}
	}
}

// reserved dials a listener and sends a request, so that it has a place.
func reserved(t *testing.T, l listener) (*net.TCPConn, *bufio.Reader, int) {
	t.Helper()
	conn, r := dial(t, l)
	send(t, conn, post(`{"type":"a"}`))
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
			return conn, r, 0
		}
		t.Fatal(err)
	}
	if answer.StatusCode != 200 && (answer.Header.Get("Retry-After") == "" || answer.Header.Get("Content-Type") != "application/problem+json") {
		t.Errorf("%s: %d %v", l.name, answer.StatusCode, answer.Header)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	return conn, r, answer.StatusCode
}

// TestPlaces bounds the connections, and those of one address, on both
// listeners; a place is free again when its connection ends, also on the general
// server.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		want   int
	}{{Limits{AddressConnections: 3}, 429}, {Limits{Connections: 3}, 503}} {
		both, _ := listeners(t, c.limits)
		for _, l := range both {
			var held []*net.TCPConn
			for range 3 {
				conn, _, status := reserved(t, l)
				if status != 200 {
					t.Fatalf("%s: %d", l.name, status)
				}
				held = append(held, conn)
			}
			if _, _, status := reserved(t, l); status != c.want && status != 0 { // 0: reset before it was read
				t.Errorf("%s: %d, want %d", l.name, status, c.want)
			}
			for _, conn := range held {
				_ = conn.Close()
			}
			for taken := true; taken && t.Context().Err() == nil; { // until the server has seen it
				conn, _, status := reserved(t, l)
				taken = status != 200
				_ = conn.Close()
			}
		}
		for range 10 { // connections that the loops hand over
			conn, r := dial(t, both[0])
			send(t, conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if answer, _ := answered(t, r); answer.StatusCode != 200 {
				t.Fatal(answer.StatusCode)
			}
			ended(t, r)
			_ = conn.Close()
			for both[0].server.Connections().Open > 0 && t.Context().Err() == nil {
				time.Sleep(time.Millisecond) // nothing tells that the server has closed its end
			}
		}
	}
}

// TestPlacesAddUp counts as many as there are.
func TestPlacesAddUp(t *testing.T) {
	proxy := netip.MustParseAddr("192.0.2.1")
	p := newPlaces(&Limits{Connections: 5, AddressConnections: 2}, func(a netip.Addr) bool { return a == proxy })
	reader := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)) }
	for i, c := range []struct {
		from netip.Addr
		want entry
	}{{reader(1), entered}, {reader(2), entered}, {reader(3), pushed}, {proxy, entered}, {proxy, entered}, {proxy, entered}, {proxy, crowded}, {reader(4), crowded}} {
		if got := p.take(c.from); got != c.want {
			t.Errorf("%d: %d, want %d", i, got, c.want)
		}
	}
	p.leave(reader(9))
	p.leave(proxy)
	if got := p.take(reader(3)); got != entered {
		t.Errorf("a place that was left: %d", got)
	}
	if got, want := p.connections(), (Connections{Open: 4, Crowded: 2, Pushed: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestSlow ends connections that take too long to send a request or to take an
// answer, on both listeners.
func TestSlow(t *testing.T) {
	both, _ := listeners(t, Limits{BodyTime: 100 * time.Millisecond, AnswerTime: 100 * time.Millisecond})
	for _, l := range both {
		for _, c := range []struct{ name, request string }{
			{"first line", "POST /v1/ev"},
			{"headers", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"},
			{"body", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"},
			{"long body", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"},
			{"chunks", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"},
		} {
			conn, r := dial(t, l)
			send(t, conn, c.request)
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s, %s: %v", l.name, c.name, err)
				}
				continue // ended without a word: net/http's headers
			}
			if answer.StatusCode != 408 && (l.name != "main" || answer.StatusCode != 400) { // net/http has not read a request by then
				t.Errorf("%s, %s: %d", l.name, c.name, answer.StatusCode)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			ended(t, r)
		}
		t.Run(l.name+" drops", func(t *testing.T) { drops(t, l) })
	}
}

// drops asks byte by byte: what comes slowly is not given more time for that.
func drops(t *testing.T, l listener) {
	conn, r := dial(t, l)
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := io.WriteString(conn, "X"); err != nil {
				done <- err
				return
			}
			time.Sleep(5 * time.Millisecond) // it is a slow sender
		}
	}()
	_, _ = io.Copy(io.Discard, r)
	_ = conn.Close()
	<-done
}

// TestTakesNothing sends requests and never takes an answer: the connection
// ends, on both listeners.
func TestTakesNothing(t *testing.T) {
	both, _ := listeners(t, Limits{AnswerTime: 100 * time.Millisecond})
	request := "OPTIONS /v1/events HTTP/1.1\r\nHost: x\r\nOrigin: https://" + strings.Repeat("o", 1000) + ".example\r\n\r\n"
	for _, l := range both {
		conn, _ := dial(t, l)
		if err := conn.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := io.WriteString(conn, request); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: the connection goes on", l.name)
				}
				break
			}
		}
	}
}
