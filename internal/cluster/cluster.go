// Package cluster joins the roles of Readership across processes, over the
// nats-server that also keeps the event log:
//
//	edge ── commits ──► event log ──► engine          (package eventlog)
//	edge ◄─ facts, events, days to drop ─ engine      Writer, ServeWriter
//	edge ── questions, reads ──► engine               Asker, Forwarder
//	edge ◄─ keys and secrets, laid out ── engine      Conn.Put, Conn.Watch
//
// Everything asked has a deadline and a bound on how much is on its way; nobody
// to answer is an answer at once.
//
// Design: docs/design/0007-roles.md.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Subjects of requests and of what is said to whoever listens.
const (
	subjectWriter = "readership.writer" // who writes the log
	subjectCommit = "readership.commit"
	subjectFacts  = "readership.facts"
	subjectRead   = "readership.read"
	subjectDrop   = "readership.drop"
	subjectAcked  = "readership.acked" // said: a position, 8 bytes
	subjectAsk    = "readership.ask"
	subjectHTTP   = "readership.http"
)

// group is the queue group of those who answer questions and reads.
const group = "engine"

// bucketName is the key-value bucket of what is laid out for other processes.
const bucketName = "readership"

// ErrAway says that nobody answers.
var ErrAway = errors.New("the process that would answer is away")

// Address is where the nats-server is.
type Address struct {
	URL      string // one address, or several separated by commas
	Replicas int    // on how many servers of a cluster each stream lies
	Options  []nats.Option
}

// ParseAddress reads READERSHIP_NATS_URL: an address, or several separated by
// commas, and behind a question mark replicas=N and creds=FILE.
func ParseAddress(text string) (Address, error) {
	urls, query, _ := strings.Cut(text, "?")
	a := Address{URL: urls, Replicas: 1}
	if urls == "" {
		return a, errors.New("names no server")
	}
	for one := range strings.SplitSeq(urls, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err != nil || u.Host == "" {
			return a, fmt.Errorf("%q is no address such as nats://127.0.0.1:4222", one)
		}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return a, fmt.Errorf("read what follows the question mark: %w", err)
	}
	for name, list := range values {
		switch value := list[0]; name {
		case "replicas":
			if a.Replicas, err = strconv.Atoi(value); err != nil || a.Replicas < 1 || a.Replicas > 5 {
				return a, fmt.Errorf("replicas is %q, it is 1 to 5", value)
			}
		case "creds":
			a.Options = append(a.Options, nats.UserCredentials(value))
		default:
			return a, fmt.Errorf("there is no parameter %q: it has replicas and creds", name)
		}
	}
	return a, nil
}

// Conn is a connection to the server. It connects again by itself. Safe for
// concurrent use.
type Conn struct {
	nc     *nats.Conn
	bucket jetstream.KeyValue
	logger *slog.Logger
}

// connectTime bounds the first connection, and putTime what is laid out.
const (
	connectTime = 10 * time.Second
	putTime     = 2 * time.Second
)

// Connect connects a process, whose name others are told.
func Connect(ctx context.Context, a Address, name string, logger *slog.Logger) (*Conn, error) {
	options := append([]nats.Option{nats.Name(name), nats.Timeout(connectTime), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent now fails now
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			if s != nil {
				logger.Warn("cluster: messages are dropped", "subject", s.Subject, "error", err)
			}
		})}, a.Options...)
	nc, err := nats.Connect(a.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the nats-server: %w", err)
	}
	c := &Conn{nc: nc, logger: logger}
	js, err := jetstream.New(nc)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		c.bucket, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: bucketName, Storage: jetstream.FileStorage, Replicas: max(1, a.Replicas)})
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open the bucket %s: %w", bucketName, err)
	}
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.nc.Close()
	return nil
}

// Put lays a value out for others.
func (c *Conn) Put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	if _, err := c.bucket.Put(ctx, key, value); err != nil {
		return fmt.Errorf("lay out %s: %w", key, err)
	}
	return nil
}

// Watch calls fn with a value as it is, and whenever it is laid out again, until
// ctx ends.
func (c *Conn) Watch(ctx context.Context, key string, fn func(value []byte)) error {
	w, err := c.bucket.Watch(ctx, key)
	if err != nil {
		return fmt.Errorf("watch %s: %w", key, err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case entry, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("watch %s: %w", key, nats.ErrConnectionClosed)
			}
			if entry != nil && entry.Operation() == jetstream.KeyValuePut { // nil ends what was there
				fn(entry.Value())
			}
		}
	}
}

// away turns errors of requests that nobody has taken or answered into ErrAway.
func away(err error) error {
	for _, of := range [...]error{nats.ErrNoResponders, nats.ErrTimeout, context.DeadlineExceeded, nats.ErrConnectionClosed,
		nats.ErrReconnectBufExceeded, nats.ErrDisconnected, nats.ErrConnectionReconnecting} {
		if errors.Is(err, of) {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	return err
}
