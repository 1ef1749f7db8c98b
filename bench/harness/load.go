package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a stream of collection requests over raw connections: closed loop
// (each connection sends its next request when it has the answer), or open
// loop at a fixed rate, whatever the answers.
type Load struct {
	Addr        string // host:port of the fast listener
	WriteKey    string
	Connections int
	Batch       int     // events a request
	Rate        float64 // requests/s, open loop; 0: closed loop
	Duration    time.Duration
	// Body builds the body of request n (from 0); nil: page views by many
	// devices. It appends to dst.
	Body func(dst []byte, n uint64, batch int) []byte
	// Request, if set, builds request n whole, head and body, in place of Body and
	// WriteKey. It appends to dst.
	Request func(dst []byte, n uint64) []byte
	// Ask, if set, sends request n on connection i and reads its answer, in place of
	// Addr, Body and Request: for servers that speak something else. Each connection
	// has one request under way. An error counts as broken.
	Ask func(i int, n uint64) error
	// Read, if set, is given the body of each answer of status 200, valid until it
	// returns, from the connection's goroutine.
	Read func(n uint64, body []byte)
	// Answered, if set, is called after each answer, from the connection's
	// goroutine.
	Answered func(n uint64, a Answer)
}

// Answer is one answered request.
type Answer struct {
	Status     int
	RetryAfter bool
	Waited     time.Duration // from when the request was due
	Took       time.Duration // from when it was sent
}

// LoadReport sums up a Load. Durations are sorted.
type LoadReport struct {
	Offered  uint64          // requests that were due
	Accepted []time.Duration // from when they were sent
	Due      []time.Duration // the same, from when they were due: more where all connections were busy
	Refused  []time.Duration // from when they were sent
	// RefusedBare counts refusals without Retry-After, Others answers that are
	// neither 200 nor 429 nor 503, Broken requests without an answer.
	RefusedBare, Others, Broken int
	Took                        time.Duration
}

// Run sends until Duration is over or ctx ends and waits for the last answers.
func (l Load) Run(ctx context.Context) (*LoadReport, error) {
	if l.Batch == 0 {
		l.Batch = 1
	}
	if l.Body == nil {
		l.Body = PageViews
	}
	reports := make([]LoadReport, l.Connections)
	errs := make([]error, l.Connections)
	conns := make([]*conn, l.Connections)
	for i := range conns { // before the clock starts: connections are not what is measured
		if l.Ask != nil {
			break
		}
		var err error
		if conns[i], err = dial(l.Addr, l.WriteKey); err != nil {
			for _, c := range conns[:i] {
				c.Close()
			}
			return nil, err
		}
	}
	var wg sync.WaitGroup
	var next atomic.Uint64 // number of the next request
	start := time.Now()
	end := start.Add(l.Duration)
	for i := range l.Connections {
		wg.Go(func() { errs[i] = l.connection(ctx, i, conns[i], &next, &reports[i], start, end) })
	}
	wg.Wait()
	sum := &LoadReport{Took: time.Since(start)}
	for i := range reports {
		r := &reports[i]
		sum.Accepted = append(sum.Accepted, r.Accepted...)
		sum.Due = append(sum.Due, r.Due...)
		sum.Refused = append(sum.Refused, r.Refused...)
		sum.RefusedBare += r.RefusedBare
		sum.Others += r.Others
		sum.Broken += r.Broken
	}
	sum.Offered = next.Load()
	slices.Sort(sum.Accepted)
	slices.Sort(sum.Due)
	slices.Sort(sum.Refused)
	return sum, errors.Join(errs...)
}

func (l *Load) connection(ctx context.Context, i int, c *conn, next *atomic.Uint64, r *LoadReport, start, end time.Time) error {
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	var body []byte
	for ctx.Err() == nil {
		n := next.Add(1) - 1
		due := time.Now()
		if l.Rate > 0 {
			due = start.Add(time.Duration(float64(n) / l.Rate * 1e9))
		}
		if due.After(end) {
			next.Add(^uint64(0))
			return nil
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait) // the schedule of an open loop
		}
		if c == nil && l.Ask == nil {
			var err error
			if c, err = dial(l.Addr, l.WriteKey); err != nil {
				r.Broken++
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		switch {
		case l.Ask != nil:
		case l.Request != nil:
			c.buf = l.Request(c.buf[:0], n)
		default:
			body = l.Body(body[:0], n, l.Batch)
			c.lay(body)
		}
		sent := time.Now()
		status, retry, keep, err := 200, false, true, error(nil)
		if l.Ask != nil {
			err = l.Ask(i, n)
		} else {
			status, retry, keep, err = c.exchange()
		}
		now := time.Now()
		a := Answer{Status: status, RetryAfter: retry, Waited: now.Sub(due), Took: now.Sub(sent)}
		if err != nil {
			r.Broken++
			if c != nil {
				c.Close()
				c = nil
			}
		} else {
			r.add(a)
			if l.Read != nil && l.Ask == nil && status == 200 {
				l.Read(n, c.body)
			}
			if !keep {
				c.Close()
				c = nil
			}
		}
		if l.Answered != nil {
			l.Answered(n, a)
		}
	}
	return nil
}

func (r *LoadReport) add(a Answer) {
	switch a.Status {
	case 200:
		r.Accepted = append(r.Accepted, a.Took)
		r.Due = append(r.Due, a.Waited)
	case 429, 503:
		r.Refused = append(r.Refused, a.Took)
		if !a.RetryAfter {
			r.RefusedBare++
		}
	default:
		r.Others++
	}
}

// Quantile returns the q-quantile of sorted durations; 0 of none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// PageViews builds a body of page views: one object, or an array of several.
func PageViews(dst []byte, n uint64, batch int) []byte {
	if batch > 1 {
		dst = append(dst, '[')
	}
	for i := range uint64(batch) {
		k := n*uint64(batch) + i
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"page_view","device":"d`...)
		dst = strconv.AppendUint(dst, k%200000, 10)
		dst = append(dst, `","item":"a`...)
		dst = strconv.AppendUint(dst, k%5000, 10)
		dst = append(dst, `","url":"https://news.example/sport/a`...)
		dst = strconv.AppendUint(dst, k%5000, 10)
		dst = append(dst, `","referrer":"https://t.co/abc","title":"The final","properties":{"section":"sport","author":"jd","premium":true}}`...)
	}
	if batch > 1 {
		dst = append(dst, ']')
	}
	return dst
}

// conn is one HTTP/1.1 connection.
type conn struct {
	net.Conn
	r    *bufio.Reader
	head []byte
	buf  []byte // the request
	body []byte // of the answer
}

func dial(addr, key string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, "POST /v1/events HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: ", addr, key)
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 4096), head: head}, nil
}

// lay lays out a request for POST /v1/events.
func (c *conn) lay(body []byte) {
	c.buf = append(c.buf[:0], c.head...)
	c.buf = strconv.AppendInt(c.buf, int64(len(body)), 10)
	c.buf = append(c.buf, "\r\n\r\n"...)
	c.buf = append(c.buf, body...)
}

// exchange sends the request in buf and reads the answer. keep is false when the
// server closes the connection.
func (c *conn) exchange() (status int, retryAfter, keep bool, err error) {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Write(c.buf); err != nil {
		return 0, false, false, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, false, false, err
	}
	if len(line) < 12 {
		return 0, false, false, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, false, fmt.Errorf("status line %q", line)
	}
	length, keep := 0, true
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, false, false, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, false, err
			}
		case bytes.EqualFold(name, []byte("retry-after")):
			retryAfter = true
		case bytes.EqualFold(name, []byte("connection")):
			keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	_, err = io.ReadFull(c.r, c.body)
	return status, retryAfter, keep, err
}
