package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// answer is what a response said, as far as the generator asks.
type answer struct {
	status     int
	retryAfter bool
	close      bool
	accepted   int
	duplicates int
}

var (
	errAnswer  = errors.New("the answer is not one of HTTP/1.1 with a length")
	timeoutFor = 30 * time.Second
)

// wire is one HTTP/1.1 connection, read and written by hand: the generator
// shares its machine with the server.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	body []byte
}

func dial(address string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 4096)}, nil
}

func (w *wire) Close() error { return w.conn.Close() }

// read reads one response.
func (w *wire) read(a *answer) error {
	*a = answer{}
	line, err := w.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return errAnswer
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return errAnswer
	}
	length := -1
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if v, ok := header(line, "content-length"); ok {
			if length, err = strconv.Atoi(string(v)); err != nil || length < 0 || length > 64<<20 {
				return errAnswer
			}
		} else if _, ok := header(line, "retry-after"); ok {
			a.retryAfter = true
		} else if v, ok := header(line, "connection"); ok {
			a.close = bytes.EqualFold(v, []byte("close"))
		}
	}
	if a.status == 204 {
		length = 0
	}
	if length < 0 {
		return errAnswer
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	if _, err := io.ReadFull(w.r, w.body); err != nil {
		return err
	}
	a.accepted, a.duplicates = number(w.body, `"accepted":`), number(w.body, `"duplicates":`)
	return nil
}

// header returns the value of a header line if it has the name, which is in
// lower case.
func header(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		if line[i]|0x20 != name[i] && line[i] != name[i] {
			return nil, false
		}
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// number returns the digits after a name in a JSON text, 0 without.
func number(text []byte, name string) int {
	at := bytes.Index(text, []byte(name))
	if at < 0 {
		return 0
	}
	n := 0
	for _, c := range text[at+len(name):] {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// requestHead returns what stands before a body of size bytes.
func requestHead(host, key string) func(size int) string {
	return func(size int) string {
		return fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", host, key, size)
	}
}
