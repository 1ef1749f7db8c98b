package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/edge/upstream"
)

// originKey is what makes an origin: routes that agree in it share its
// connections and its health.
type originKey struct {
	url     string
	timeout time.Duration
	health  string
	every   time.Duration
}

// origin is a server of the publisher's, as long as a table names it.
type origin struct {
	key       originKey
	url       *url.URL
	transport *http.Transport
	client    *upstream.Client   // for what it serves; nil with TLS
	stop      context.CancelFunc // of its checks
	flying    atomic.Int64       // requests under way, upgraded connections among them

	// Health as requests see it. After a failure to connect, or several others in
	// a row, nobody is sent here until the time has come, and then one request
	// tries.
	failures atomic.Int32 // in a row
	until    atomic.Int64 // Unix nanoseconds; 0: well
	// Health as checks see it.
	sick atomic.Bool
	// trouble is the last failure, for people.
	trouble atomic.Pointer[string]
}

// How long an origin that failed is left alone: twice as long each time.
const (
	minRest = time.Second
	maxRest = 30 * time.Second
	// toRest is how many failures other than to connect make an origin rest.
	toRest = 3
)

const (
	idleTime = 90 * time.Second // that connections to an origin are kept without a request
	maxHead  = 256 << 10        // of an answer
)

// newOrigin makes an origin; nothing runs for it yet.
func (s *Server) newOrigin(rule *route.Rule, u *url.URL) *origin {
	o := &origin{key: keyOf(rule, u), url: u}
	// No read or write may stall for longer; the head of an answer has the route's time.
	stall := max(s.cfg.Limits.StallTime, rule.Timeout+5*time.Second)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.ConnectTime)
		defer cancel()
		c, err := s.cfg.Dial(ctx, network, address)
		if err != nil {
			return nil, &dialError{err}
		}
		return c, nil
	}
	if u.Scheme == "http" {
		address := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))
		if ascii, err := httpguts.PunycodeHostPort(address); err == nil {
			address = ascii
		}
		o.client = upstream.New(upstream.Config{
			Dial:     func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", address) },
			HeadTime: rule.Timeout, StallTime: stall, IdleTime: idleTime, MaxIdle: s.cfg.Limits.OriginRequests, MaxHead: maxHead,
		})
	}
	o.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &impatient{Conn: c, stall: stall}, nil
		},
		TLSClientConfig:        &tls.Config{RootCAs: s.cfg.OriginRoots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    s.cfg.Limits.ConnectTime,
		ResponseHeaderTimeout:  rule.Timeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        idleTime,
		MaxIdleConnsPerHost:    s.cfg.Limits.OriginRequests,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true, // answers are passed on as they are
		ForceAttemptHTTP2:      true,
		ReadBufferSize:         16 << 10,
		WriteBufferSize:        8 << 10,
	}
	return o
}

func keyOf(rule *route.Rule, u *url.URL) originKey {
	return originKey{u.String(), rule.Timeout, rule.Health, rule.Every}
}

// dialError says that an origin could not be connected to: it has seen nothing
// of the request.
type dialError struct{ err error }

// Error implements error.
func (e *dialError) Error() string { return e.err.Error() }

// Unwrap returns why.
func (e *dialError) Unwrap() error { return e.err }

// impatient is a connection on which no read and no write may stall.
type impatient struct {
	net.Conn
	stall time.Duration
}

// Read implements net.Conn.
func (c *impatient) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(c.stall)) // a closed connection says so when read
	return c.Conn.Read(p)
}

// Write implements net.Conn. Who was sent something is given time to answer.
func (c *impatient) Write(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(c.stall))
	return c.Conn.Write(p)
}

// admits says whether a request may be sent to the origin as far as its health
// goes. Of those that ask once it has rested, one is let through.
func (o *origin) admits(now time.Time) bool {
	if o.sick.Load() {
		return false
	}
	until := o.until.Load()
	if until == 0 {
		return true
	}
	return now.UnixNano() >= until && o.until.CompareAndSwap(until, now.Add(o.rest()).UnixNano())
}

// well says what admits would, but lets nobody through.
func (o *origin) well(now time.Time) bool {
	until := o.until.Load()
	return !o.sick.Load() && (until == 0 || now.UnixNano() >= until)
}

func (o *origin) rest() time.Duration {
	return min(maxRest, minRest<<min(10, max(0, o.failures.Load()-1)))
}

// succeeded notes an answer, whatever it says.
func (o *origin) succeeded() {
	if o.failures.Load() != 0 || o.until.Load() != 0 {
		o.failures.Store(0)
		o.until.Store(0)
		o.trouble.Store(nil)
	}
}

// failed notes that the origin gave no answer.
func (o *origin) failed(now time.Time, err error) {
	text := err.Error()
	o.trouble.Store(&text)
	n := o.failures.Add(1)
	var dial *dialError
	if errors.As(err, &dial) || n >= toRest {
		o.until.Store(now.Add(o.rest()).UnixNano())
	}
}

// pool holds the origins of the table in force.
type pool struct {
	mu      sync.Mutex // over origins
	origins map[originKey]*origin
	checks  sync.WaitGroup
}

// take returns the origins of a table's rules and lets go of those that it does
// not name any more. Requests that are under way to these are finished.
func (s *Server) take(t *route.Table) map[originKey]*origin {
	p := &s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[originKey]*origin{}
	t.Each(func(rule *route.Rule) {
		for _, named := range rule.Origins {
			key := keyOf(rule, named.URL)
			if next[key] != nil {
				continue
			}
			o := p.origins[key]
			if o == nil {
				o = s.newOrigin(rule, named.URL)
				if key.health != "" && s.base.Err() == nil {
					var ctx context.Context
					ctx, o.stop = context.WithCancel(s.base)
					p.checks.Go(func() { s.watch(ctx, o) })
				}
			}
			next[key] = o
		}
	})
	for key, o := range p.origins {
		if next[key] == nil {
			o.retire()
		}
	}
	p.origins = next
	return next
}

// retire ends the checks of an origin, and its connections as they fall idle.
func (o *origin) retire() {
	if o.stop != nil {
		o.stop()
	}
	o.transport.CloseIdleConnections()
	if o.client != nil {
		o.client.Close()
	}
}
