package eventlog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/readership/readership/internal/event"
)

// External names a nats-server with JetStream, or a cluster of them, that keeps
// the log in place of the embedded server. Its disk is not ours to watch: every
// nats-server runs with sync_interval: always, else an acknowledged commit may be
// lost with the power.
type External struct {
	// URL is one address of a server, or several separated by commas.
	URL string
	// Replicas is on how many servers of the cluster each stream lies. 0: 1.
	Replicas int
	// Options are how to connect beside the URL, such as credentials.
	Options []nats.Option
}

// leastPayload is the largest message that a server must take at least: a commit
// with one event or fact of the largest size.
const leastPayload = 4 << 20

// bucketName is the key-value bucket for what belongs to the log beside its
// messages.
const bucketName = "readership-log"

// Keys of the bucket.
const (
	bucketKey      = "ids.key"  // 32 hexadecimal digits
	bucketRetained = "retained" // as the file of that name
)

// dialBroker connects to an external server. It does not connect again by itself:
// after a break the log is read before anything is appended.
func dialBroker(cfg *Config) (*broker, error) {
	b := newBroker()
	options := append([]nats.Option{nats.NoReconnect(), nats.Timeout(5 * time.Second), nats.WriteBufferSize(256 << 10), nats.Name("event log"),
		nats.ClosedHandler(func(*nats.Conn) { b.lost() })}, cfg.External.Options...)
	if err := b.connect(cfg.External.URL, options...); err != nil {
		b.stop()
		return nil, fmt.Errorf("connect to the nats-server of the log: %w", err)
	}
	if most := b.write.MaxPayload(); most < leastPayload {
		b.stop()
		return nil, fmt.Errorf("the nats-server takes messages of %d bytes, the log needs %d: set max_payload to 8MB", most, leastPayload)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	b.replicas = max(1, cfg.External.Replicas)
	var err error
	b.bucket, err = b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: bucketName, Storage: jetstream.FileStorage, Replicas: b.replicas})
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("open the bucket of the log: %w", err)
	}
	return b, nil
}

// external says whether the log lies on a server of its own.
func (b *broker) external() bool { return b.srv == nil }

// lost notes that there is no connection any more.
func (b *broker) lost() { b.losing.Do(func() { close(b.gone) }) }

// unlimited is the space of a disk that is not ours to watch.
func unlimited() (free, total int64, err error) { return math.MaxInt64 / 4, math.MaxInt64 / 4, nil }

// seal ends a part for good, as it must be ended before the next begins: who does
// not know of that cannot append to it.
func (b *broker) seal(ctx context.Context, p *part) error {
	if !b.external() || p.sealed || *p == (part{}) {
		return nil
	}
	cfg := b.streamConfig(p)
	cfg.Sealed = true
	stream, err := b.js.UpdateStream(ctx, cfg)
	if err != nil {
		return fmt.Errorf("seal log stream %s: %w", p.name(), err)
	}
	if last := stream.CachedInfo().State.LastSeq; last != p.last {
		return fmt.Errorf("log stream %s was to end at %d, but somebody else has written up to %d", p.name(), p.last, last)
	}
	return nil
}

// get returns a value of the bucket, "" if there is none.
func (b *broker) get(ctx context.Context, key string) (string, error) {
	entry, err := b.bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s of the log's bucket: %w", key, err)
	}
	return strings.TrimSpace(string(entry.Value())), nil
}

// retained returns the first day that retention has left.
func (b *broker) retained(ctx context.Context) (int, error) {
	text, err := b.get(ctx, bucketRetained)
	if err != nil || text == "" {
		return 0, err
	}
	day, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("read the first retained day: %w", err)
	}
	return day, nil
}

// sharedKey returns the key of ids of the log, which is made with an empty one.
func (b *broker) sharedKey(ctx context.Context, create bool) (string, error) {
	text, err := b.get(ctx, bucketKey)
	if err != nil || text != "" {
		return text, err
	}
	if !create {
		return "", fmt.Errorf("the log has messages, but the bucket %s does not hold its key of ids", bucketName)
	}
	text = hex.EncodeToString(newKey())
	if _, err := b.bucket.Create(ctx, bucketKey, []byte(text)); errors.Is(err, jetstream.ErrKeyExists) {
		return b.get(ctx, bucketKey)
	} else if err != nil {
		return "", fmt.Errorf("create the key of ids: %w", err)
	}
	return text, nil
}

// belongs checks that what a folder keeps of a log is of this one: the key of ids
// tells one log from another.
func belongs(dir, key string) error {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeFile(path, []byte(key+"\n")); err != nil {
			return fmt.Errorf("note which log this is: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read which log this is: %w", err)
	}
	if strings.TrimSpace(string(text)) != key {
		return fmt.Errorf("%s belongs to another log than the nats-server's: name another folder", dir)
	}
	return nil
}

// followEvery is how often a log that is followed is looked at without a word.
const followEvery = time.Second

// Saw tells Follow that the log has grown up to a position at least.
func (l *Log) Saw(position event.Position) {
	for {
		at := l.seen.Load()
		if at >= uint64(position) {
			return
		}
		if l.seen.CompareAndSwap(at, uint64(position)) {
			break
		}
	}
	select {
	case l.grown <- struct{}{}:
	default:
	}
}

// Follow calls fn, as Read does, with every message after a position, whoever
// appends it, until ctx ends or fn fails. It connects again when the server was
// away. Errors: ctx's, fn's, and ones that wrap ErrGap.
func (l *Log) Follow(ctx context.Context, after event.Position, fn func(pos event.Position, message []byte) error) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var failed error // of fn
	next := func(pos event.Position, message []byte) error {
		if failed = fn(pos, message); failed == nil {
			after = pos
		}
		return failed
	}
	for look := true; ; {
		err := l.refresh(ctx, look)
		if err == nil && (look || l.Last() > after) {
			err = l.Read(ctx, after, next)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case failed != nil:
			return failed
		case errors.Is(err, ErrGap), errors.Is(err, ErrClosed):
			return err
		case err != nil:
			l.cfg.Logger.Warn("event log cannot be read, it is connected again", "error", err)
			l.reconnect(ctx)
		}
		look = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.grown:
		case <-tick.C:
			look = true
		}
	}
}

// refresh learns how far the log goes by now: from Saw, or from the server if that
// is wanted or needed.
func (l *Log) refresh(ctx context.Context, look bool) error {
	seen := event.Position(l.seen.Load())
	l.mu.Lock()
	b := l.broker
	if n := len(l.parts); n > 0 && !look {
		p := &l.parts[n-1]
		if look = p.day != seen.Day() || p.number != seen.Part(); !look {
			p.last = max(p.last, seen.Sequence())
		}
	}
	l.mu.Unlock()
	if !look || b == nil {
		return nil
	}
	parts, err := b.listParts(ctx)
	if err != nil {
		return err
	}
	retained, err := b.retained(ctx) // after the parts: its mark goes before they do
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broker == b {
		l.hold(parts, retained)
	}
	return nil
}

// reconnect ends the connection and makes a new one, as soon as it can.
func (l *Log) reconnect(ctx context.Context) {
	l.appending.Lock()
	l.breakDown()
	l.appending.Unlock()
	for ctx.Err() == nil && l.Reopen() != nil {
		select {
		case <-ctx.Done():
		case <-time.After(reopenEvery):
		}
	}
}
