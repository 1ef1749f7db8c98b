package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// DropBefore deletes the days before day (days since 1970-01-01 UTC), whole
// streams at a time, while appends go on. The last part stays in any case: it
// holds the log's end.
func (l *Log) DropBefore(day int) error {
	l.dropping.Lock()
	defer l.dropping.Unlock()
	b, parts, err := l.working()
	if err != nil {
		return err
	}
	n := len(parts)
	if n == 0 || parts[0].day >= day {
		return nil
	}
	day = min(day, parts[n-1].day)
	// The mark goes first: a drop that is cut short is finished by the next
	// start, and what is missing is explained in every case.
	if err := l.writeRetained(b, day); err != nil {
		return err
	}
	l.mu.Lock()
	l.retained = day
	l.mu.Unlock()
	kept, err := b.finishDrop(context.Background(), parts, day)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broker != b {
		return cmp.Or(err, error(ErrUnavailable)) // started again meanwhile: it finishes the drop itself
	}
	for range n - len(kept) {
		l.size -= l.parts[0].bytes
		l.parts = l.parts[1:]
	}
	return err
}

// finishDrop deletes the streams of parts that lie before the retained day,
// except the last, and returns the parts that are left.
func (b *broker) finishDrop(ctx context.Context, parts []part, retained int) ([]part, error) {
	for len(parts) > 1 && parts[0].day < retained {
		if err := b.js.DeleteStream(ctx, parts[0].name()); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return parts, fmt.Errorf("drop %s: %w", parts[0].name(), err)
		}
		parts = parts[1:]
	}
	return parts, nil
}

// retainedFile holds the first day that retention has left, as a number.
const retainedFile = "retained"

func (l *Log) readRetained(ctx context.Context, b *broker) (int, error) {
	if b.external() {
		return b.retained(ctx)
	}
	return readRetained(l.cfg.Dir)
}

func (l *Log) writeRetained(b *broker, day int) error {
	if !b.external() {
		return writeRetained(l.cfg.Dir, day)
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	if _, err := b.bucket.PutString(ctx, bucketRetained, strconv.Itoa(day)); err != nil {
		return fmt.Errorf("write the first retained day: %w", err)
	}
	return nil
}

func readRetained(dir string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dir, retainedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the first retained day: %w", err)
	}
	day, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("read the first retained day: %w", err)
	}
	return day, nil
}

func writeRetained(dir string, day int) error {
	if err := writeFile(filepath.Join(dir, retainedFile), []byte(strconv.Itoa(day)+"\n")); err != nil {
		return fmt.Errorf("write the first retained day: %w", err)
	}
	return nil
}

// writeFile replaces the file at path, durably and all at once.
func writeFile(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}
