package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dial opens a connection to a listener.
func dial(t *testing.T, l listener) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn), bufio.NewReader(conn)
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// answered reads an answer and its body.
func answered(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// ended expects that the server closes the connection.
func ended(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if b, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %q, %v", b, err)
	}
}

func post(body string, fields ...string) string {
	return fmt.Sprintf("POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s", len(body), strings.Join(fields, ""), body)
}

// TestPipelined sends requests without waiting for answers: plain ones, one
// that the general server takes, and plain ones after it.
func TestPipelined(t *testing.T) {
	both, stores := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	var all strings.Builder
	for i := range 300 {
		fields := fmt.Sprintf("X-Request-Id: r%d\r\n", i)
		if i == 200 {
			all.WriteString(post(gzipped(`{"type":"a"}`), fields, "Content-Encoding: gzip\r\n"))
			continue
		}
		all.WriteString(post(fmt.Sprintf(`{"type":"a","id":"%d"}`, i), fields))
	}
	go func() { _, _ = io.WriteString(conn, all.String()) }()
	for i := range 300 {
		answer, body := answered(t, r)
		if answer.StatusCode != 200 || answer.Header.Get("X-Request-Id") != fmt.Sprint("r", i) || !strings.HasPrefix(body, `{"accepted":1,`) {
			t.Fatalf("%d: %d %v %s", i, answer.StatusCode, answer.Header, body)
		}
	}
	if n := stores[0].stored(); n != 300 {
		t.Errorf("%d events are stored", n)
	}
}

// TestInParts sends a request byte by byte, and two in one piece with half of
// another.
func TestInParts(t *testing.T) {
	both, _ := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	for _, c := range []byte(post(`{"type":"a"}`)) {
		send(t, conn, string(c))
	}
	if answer, body := answered(t, r); answer.StatusCode != 200 {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	last := post(`{"type":"c"}`)
	send(t, conn, post(`{"type":"a"}`)+post(`{"type":"b"}`)+last[:len(last)-3])
	for range 2 {
		if answer, body := answered(t, r); answer.StatusCode != 200 {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
	}
	send(t, conn, last[len(last)-3:])
	if answer, body := answered(t, r); answer.StatusCode != 200 {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// TestLargeBody has the largest body that is plain, and one byte more.
func TestLargeBody(t *testing.T) {
	both, _ := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	for _, size := range []int{64 << 10, 64<<10 + 1, 64 << 10} {
		event := `{"type":"a"}`
		send(t, conn, post(event+strings.Repeat(" ", size-len(event))))
		if answer, body := answered(t, r); answer.StatusCode != 200 || !strings.HasPrefix(body, `{"accepted":1,`) {
			t.Errorf("%d bytes: %d %s", size, answer.StatusCode, body)
		}
	}
}

// TestPackedWithoutWord has a compressed body that no header announces: it goes
// to the general server, which commits it in parts.
func TestPackedWithoutWord(t *testing.T) {
	both, stores := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	var all strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&all, `{"type":"a","id":"%d"}`+"\n", i)
	}
	send(t, conn, post(gzipped(all.String()), "Content-Type: application/x-ndjson\r\n"))
	if answer, body := answered(t, r); answer.StatusCode != 200 || !strings.HasPrefix(body, `{"accepted":5000,`) {
		t.Errorf("%d %.200s", answer.StatusCode, body)
	}
	if n := stores[0].largestCommit(); n > 1000 {
		t.Errorf("%d events are committed at once", n)
	}
}

// TestManyEventsAtOnce commits a body of more events than a part has in one
// piece.
func TestManyEventsAtOnce(t *testing.T) {
	both, stores := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	var all []string
	for i := range 2500 {
		all = append(all, fmt.Sprintf(`{"type":"a","id":"%d"}`, i))
	}
	send(t, conn, post("["+strings.Join(all, ",")+"]"))
	if answer, body := answered(t, r); answer.StatusCode != 200 || !strings.HasPrefix(body, `{"accepted":2500,`) {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	if n := stores[0].stored(); n != 2500 {
		t.Errorf("%d events are stored", n)
	}
}

// TestSlowTaker does not take its answers until it has sent everything: the
// server keeps what the connection has no room for, and reads no further.
func TestSlowTaker(t *testing.T) {
	both, _ := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	const n = 12_000
	request := "OPTIONS /v1/events HTTP/1.1\r\nHost: x\r\nOrigin: https://" + strings.Repeat("o", 1000) + ".example\r\n\r\n"
	sent := make(chan error, 1)
	full := make(chan struct{})
	go func() {
		// The reader begins when more has been asked for than the connection's
		// buffers hold of answers.
		for i := range n {
			if i == 4000 {
				close(full)
			}
			if _, err := io.WriteString(conn, request); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	<-full
	for i := range n {
		if answer, _ := answered(t, r); answer.StatusCode != 204 {
			t.Fatalf("%d: %d", i, answer.StatusCode)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// TestClose ends the connection when the request says so, with the answer
// before, and when the peer sends no more.
func TestClose(t *testing.T) {
	both, _ := listeners(t, Limits{})
	conn, r := dial(t, both[0])
	send(t, conn, post(`{"type":"a"}`, "Connection: close\r\n"))
	if answer, _ := answered(t, r); answer.StatusCode != 200 || !answer.Close {
		t.Errorf("%d, close %v", answer.StatusCode, answer.Close)
	}
	ended(t, r)

	conn, r = dial(t, both[0])
	send(t, conn, post(`{"type":"a"}`))
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, _ := answered(t, r); answer.StatusCode != 200 {
		t.Errorf("%d", answer.StatusCode)
	}
	ended(t, r)
}

// TestIdle ends connections that send nothing.
func TestIdle(t *testing.T) {
	both, _ := listeners(t, Limits{IdleTime: 50 * time.Millisecond})
	_, r := dial(t, both[0])
	ended(t, r)
	conn, r := dial(t, both[0])
	send(t, conn, post(`{"type":"a"}`))
	if answer, _ := answered(t, r); answer.StatusCode != 200 {
		t.Errorf("%d", answer.StatusCode)
	}
	ended(t, r)
}

// TestCrowded refuses connections beyond the limit, until another ends.
func TestCrowded(t *testing.T) {
	both, _ := listeners(t, Limits{Connections: 1})
	first, r := dial(t, both[0])
	send(t, first, post(`{"type":"a"}`))
	if answer, _ := answered(t, r); answer.StatusCode != 200 {
		t.Fatal(answer.StatusCode)
	}
	_, second := dial(t, both[0])
	if answer, _ := answered(t, second); answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
	ended(t, second)
	send(t, first, post(`{"type":"a"}`, "Connection: close\r\n"))
	if answer, _ := answered(t, r); answer.StatusCode != 200 {
		t.Fatal(answer.StatusCode)
	}
	ended(t, r)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		third, r := dial(t, both[0])
		if _, err := io.WriteString(third, post(`{"type":"a"}`)); err == nil {
			if answer, err := http.ReadResponse(r, nil); err == nil && answer.StatusCode == 200 {
				return
			}
		}
		if t.Context().Err() != nil {
			t.Fatal("the place of the first connection stays taken")
		}
	}
}

// TestShutdownEndsIdle does not wait for connections without a request, and
// gives up on those whose commit does not end.
func TestShutdownEndsIdle(t *testing.T) {
	both, _ := listeners(t, Limits{})
	conn, idle := dial(t, both[0])
	send(t, conn, post(`{"type":"a"}`)) // so that it has been accepted
	if answer, _ := answered(t, idle); answer.StatusCode != 200 {
		t.Fatal(answer.StatusCode)
	}
	both[0].stop()
	ended(t, idle)

	both, stores := listeners(t, Limits{})
	hold := make(chan struct{})
	stores[0].set(nil, hold)
	taken := make(chan struct{}, 2)
	stores[0].mu.Lock()
	stores[0].taken = taken
	stores[0].mu.Unlock()
	conn, _ = dial(t, both[0])
	send(t, conn, post(`{"type":"a"}`))
	send(t, conn, post(`{"type":"b"}`))
	<-taken // else it may be idle still
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := both[0].server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	close(hold) // the commit ends after all
}
