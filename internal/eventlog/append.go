package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/readership/readership/internal/event"
)

// dayMillis is the length of a log day.
const dayMillis = 24 * 60 * 60 * 1000

// messageOverhead is what the store adds to a message: record header, subject
// and checksum, from above.
const messageOverhead = 64

// UnknownError is the error of an append that may or may not have been stored.
// The log must be reopened and read from its last known position before
// anything else is appended.
type UnknownError struct{ Cause error }

func (e *UnknownError) Error() string { return "outcome of the append is unknown: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Cause }

// Append writes message with a stamp, Unix milliseconds, and returns its
// position once it is durable. It keeps no reference to message. Errors:
// ErrDiskFull and ErrUnavailable before anything was written (try again),
// ErrStamp, ErrTooLarge, ErrClosed; *UnknownError (see there).
func (l *Log) Append(ctx context.Context, stamp int64, message []byte) (event.Position, error) {
	if len(message) > MaxMessage {
		return 0, fmt.Errorf("%w: message of %d bytes", ErrTooLarge, len(message))
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.RLock()
	b, held, closed := l.broker, l.size, l.closed
	var current part
	if n := len(l.parts); n > 0 {
		current = l.parts[n-1]
	}
	l.mu.RUnlock()
	switch {
	case closed:
		return 0, ErrClosed
	case b == nil:
		return 0, ErrUnavailable
	}
	bytes := int64(len(message)) + messageOverhead
	if err := l.room(held, bytes); err != nil {
		return 0, err
	}
	day := int(stamp / dayMillis)
	if stamp < 0 || day >= 1<<16 {
		return 0, fmt.Errorf("%w: stamp %d is outside what a position can name", ErrStamp, stamp)
	}
	begin, before := false, current
	switch {
	case current == part{} || day > current.day:
		current, begin = part{day: day, previous: current.lastPosition()}, true
	case day < current.day:
		return 0, fmt.Errorf("%w: day %d after day %d", ErrStamp, day, current.day)
	case current.sealed || current.last > 0 && current.bytes+bytes > l.cfg.PartBytes:
		if current.number+1 == maxParts {
			return 0, fmt.Errorf("%w: day %d has %d parts", ErrTooLarge, day, maxParts)
		}
		current, begin = part{day: day, number: current.number + 1, previous: current.lastPosition()}, true
	}
	if begin {
		err := b.seal(ctx, &before)
		if err == nil {
			err = b.createPart(ctx, &current)
		}
		if err != nil {
			// The stream may exist half made: only a restart tells.
			l.breakDown()
			return 0, &UnknownError{Cause: err}
		}
		l.mu.Lock()
		l.parts = append(l.parts, current)
		l.mu.Unlock()
	}
	if err := l.publish(ctx, b, &current, message); errors.Is(err, errRefused) {
		return 0, err
	} else if err != nil {
		l.breakDown()
		return 0, &UnknownError{Cause: err}
	}
	l.mu.Lock()
	p := &l.parts[len(l.parts)-1]
	p.last++
	p.bytes += bytes
	l.size += bytes
	position := p.lastPosition()
	l.mu.Unlock()
	return position, nil
}

// ack is the server's answer to a publish.
type ack struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"seq"`
	Error    *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// errRefused says that an external server has no room for a message: nothing was
// stored.
var errRefused = fmt.Errorf("%w: the nats-server has no room for it", ErrDiskFull)

// refusals are the server's codes for that: of the account, of what it has left, of
// its disk.
var refusals = [...]int{10002, 10023, 10047}

// publish sends message to the stream of p and waits for the answer that it is
// durable as p's next sequence.
func (l *Log) publish(ctx context.Context, b *broker, p *part, message []byte) error {
	l.appends++
	reply := b.inbox + "." + strconv.FormatUint(l.appends, 36)
	loseMessage, loseAnswer := l.cfg.lose()
	if loseMessage {
		return l.writeFailed("the message is lost")
	}
	m := nats.Msg{Subject: p.subject(), Reply: reply, Data: message}
	if b.external() {
		m.Header = nats.Header{jetstream.ExpectedLastSeqHeader: []string{strconv.FormatUint(p.last, 10)}}
	}
	if err := b.write.PublishMsg(&m); err != nil {
		return fmt.Errorf("publish to %s: %w", p.name(), err)
	}
	watch := time.NewTicker(100 * time.Millisecond)
	defer watch.Stop()
	timeout := time.NewTimer(l.cfg.AckTimeout)
	defer timeout.Stop()
	for {
		select {
		case m := <-b.acks:
			if m.Subject != reply {
				continue
			}
			if loseAnswer {
				return l.writeFailed("the answer is lost")
			}
			return checkAck(m.Data, p)
		case <-b.failed:
			return l.writeFailed("the log server could not write")
		case <-b.gone:
			return l.writeFailed("the connection to the nats-server is lost")
		case <-watch.C:
			if l.exhausted() {
				return l.writeFailed("the disk is full and no answer came")
			}
		case <-timeout.C:
			return l.writeFailed(fmt.Sprintf("no answer in %s", l.cfg.AckTimeout))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeFailed is the error of a write without an answer: ErrDiskFull where that
// is the likely cause.
func (l *Log) writeFailed(why string) error {
	if l.exhausted() {
		return fmt.Errorf("%w: %s", ErrDiskFull, why)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, why)
}

func checkAck(data []byte, p *part) error {
	var a ack
	if err := json.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("read the answer to an append: %w", err)
	}
	switch {
	case a.Error != nil && slices.Contains(refusals[:], a.Error.Code):
		return fmt.Errorf("%w: %s", errRefused, a.Error.Description)
	case a.Error != nil:
		return errors.New("append refused: " + a.Error.Description)
	case a.Stream != p.name() || a.Sequence != p.last+1:
		return fmt.Errorf("append went to %s %d instead of %s %d", a.Stream, a.Sequence, p.name(), p.last+1)
	}
	return nil
}
