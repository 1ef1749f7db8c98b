// Package upstream asks origins over HTTP/1.1, on the goroutine of who asks:
// a request is written at once and its answer read from the same connection, no
// other goroutine and no timer stands between. It is for requests without a body
// that may be repeated; the rest is net/http's.
//
//	Ask ─ idle connection, or a new one ─ request ─ head ─ Body ─ idle again
//
// A head that is as nearly all are is read here (answer.go), whatever is unusual,
// chunks among it, by net/http from the same connection.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Config says how a Client works. All is needed.
type Config struct {
	// Dial connects to the origin.
	Dial func(ctx context.Context) (net.Conn, error)
	// HeadTime is how long the head of an answer may take, from when the request
	// was sent; StallTime how long a read or a write may.
	HeadTime, StallTime time.Duration
	// IdleTime is how long a connection is kept without a request, MaxIdle how
	// many are at once.
	IdleTime time.Duration
	MaxIdle  int
	// MaxHead is the size of an answer's heads, those before the last among them.
	MaxHead int
}

// Client asks one origin. Safe for concurrent use.
type Client struct {
	Config

	mu     sync.Mutex
	idle   []*conn     // guarded by mu; the longest idle first
	sweep  *time.Timer // guarded by mu; nil while nothing is idle
	closed bool        // guarded by mu: nothing is kept any more
}

// New makes a client. It connects when it is asked.
func New(cfg Config) *Client { return &Client{Config: cfg} }

// Serves says whether a request is for a Client: it has no body, can be repeated,
// and wants nothing of the connection but its answer.
func Serves(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return r.ContentLength == 0 && len(r.TransferEncoding) == 0 && r.Header["Upgrade"] == nil
	}
	return false
}

// Ask sends a request, which Serves, and reads the head of the answer. Of the
// request it takes Method, URL (path and query), Host, Header and its context,
// whose end ends the body's reading too. Body must be read to its end or closed.
// early is called with each answer before the last (1xx), whose header is its own.
//
// A connection that had been idle and gives no answer is replaced, once.
func (c *Client) Ask(r *http.Request, early func(status int, h http.Header)) (*http.Response, error) {
	conn := c.take()
	if conn != nil {
		conn.ctx = r.Context()
		res, err := conn.ask(r, early)
		if err == nil {
			return res, nil
		}
		conn.close()
		if conn.heard || r.Context().Err() != nil || isTimeout(err) || errors.Is(err, ErrRequest) {
			return nil, err
		}
	}
	conn, err := c.connect(r.Context())
	if err != nil {
		return nil, err
	}
	res, err := conn.ask(r, early)
	if err != nil {
		conn.close()
		return nil, err
	}
	return res, nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (c *Client) connect(ctx context.Context) (*conn, error) {
	nc, err := c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(c, nc, ctx), nil
}

// take returns a connection that is idle and still there; nil: there is none.
func (c *Client) take() *conn {
	for {
		c.mu.Lock()
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			return nil
		}
		conn := c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if conn.quiet() {
			return conn
		}
		conn.close()
	}
}

// keep takes a connection back whose answer was read to its end.
func (c *Client) keep(conn *conn) {
	conn.since = time.Now()
	c.mu.Lock()
	kept := !c.closed && len(c.idle) < c.MaxIdle
	if kept {
		c.idle = append(c.idle, conn)
		if c.sweep == nil {
			c.sweep = time.AfterFunc(c.sweepTime(), c.expire)
		}
	}
	c.mu.Unlock()
	if !kept {
		conn.close()
	}
}

// expire closes what has been idle for too long, and what its origin has closed.
func (c *Client) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep = nil
	if c.closed {
		return
	}
	left := c.idle[:0]
	for _, conn := range c.idle {
		if time.Since(conn.since) >= c.IdleTime || !conn.quiet() {
			conn.close()
		} else {
			left = append(left, conn)
		}
	}
	clear(c.idle[len(left):])
	if c.idle = left; len(left) > 0 {
		c.sweep = time.AfterFunc(c.sweepTime(), c.expire)
	}
}

// sweepTime is how long what is idle is not looked at.
func (c *Client) sweepTime() time.Duration { return max(c.IdleTime/8, time.Millisecond) }

// Close ends the connections that are idle, and the others when their answers
// have been read. The client can still be asked.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.sweep != nil {
		c.sweep.Stop()
		c.sweep = nil
	}
	for _, conn := range c.idle {
		conn.close()
	}
	c.idle = nil
}

// ErrRequest says that a request cannot be sent.
var ErrRequest = errors.New("the request cannot be sent")

// appendRequest lays a request out.
func appendRequest(dst []byte, r *http.Request) ([]byte, error) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	host, err := httpguts.PunycodeHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("%w: to host %q: %w", ErrRequest, host, err)
	}
	target := r.URL.RequestURI()
	if !httpguts.ValidHostHeader(host) || !plainTarget(target) {
		return nil, fmt.Errorf("%w: to %q of host %q", ErrRequest, target, host)
	}
	dst = append(append(dst, r.Method...), ' ')
	dst = append(append(dst, target...), " HTTP/1.1\r\nHost: "...)
	dst = append(append(dst, host...), "\r\n"...)
	for name, values := range r.Header {
		if name == "Host" || name == "Content-Length" || name == "Transfer-Encoding" || name == "Trailer" {
			continue // of the message, which is ours
		}
		if name == "User-Agent" && len(values) == 1 && values[0] == "" {
			continue // so httputil.ReverseProxy says that there is none
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("%w: its header has a field %q", ErrRequest, name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return nil, fmt.Errorf("%w: the value of %s has bytes that no header may have", ErrRequest, name)
			}
			dst = append(append(dst, name...), ": "...)
			dst = append(append(dst, value...), "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}

// plainTarget says whether a target ends where it ends in the request line too.
func plainTarget(target string) bool {
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return target != ""
}
