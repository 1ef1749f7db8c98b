package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/zeebo/xxh3"
)

// tail is one file of a log that is followed. It is read in order to where it
// ends now, and again when it has grown; what stands behind the last end of a
// line is taken only when the line is whole, or when the file has ended.
type tail struct {
	name   string
	file   *os.File   // nil: a compressed file, which does not grow
	source *source    // of a compressed file
	lines  translator // made at the first line, by which the format is found

	buf      []byte // read and not yet taken
	read     int64  // bytes read
	last     []byte // the last of them, to see that they still stand there
	mark     mark   // behind the last line that was taken
	number   int    // of that line, from 1
	skipping bool   // inside a line that is too long
	held     position
	wrote    time.Time // when the file was written to last, when all of it had been read or none yet

	own   bool // the file that the log's name stands for
	ended bool // nobody writes to it any more
	done  bool // and it was read to its end
}

// maker makes the translator of a file by what it begins with.
type maker func(name string, head []byte) (translator, error)

// mark is how far a file was read, and a hash of all of it.
type mark struct {
	bytes int64
	head  []byte // the first headLen of them
	sum   xxh3.Hasher
}

const (
	headLen  = 1 << 10
	lastLen  = 256
	chunkLen = 64 << 10
)

func (m *mark) add(text []byte) {
	if n := headLen - len(m.head); n > 0 {
		m.head = append(m.head, text[:min(n, len(text))]...)
	}
	_, _ = m.sum.Write(text)
	m.bytes += int64(len(text))
}

func (m *mark) position() position {
	return position{Bytes: m.bytes, Head: hexHash(xxh3.Hash(m.head)), Sum: hexHash(m.sum.Sum64())}
}

// errReplaced says that what was read of a file no longer stands in it: it was
// emptied and written anew.
var errReplaced = errors.New("the file was emptied")

// openTail opens a file at its beginning. The caller closes the tail.
func openTail(name string) (*tail, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !compressed(magic[:n]) {
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("look at %s: %w", name, err)
		}
		return &tail{name: name, file: f, wrote: info.ModTime()}, nil
	}
	f.Close()
	s, err := open(name, nil)
	if err != nil {
		return nil, err
	}
	t := &tail{name: name, source: s, ended: true}
	if t.wrote, err = t.modified(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// again begins with the file's first line; t is not used any more.
func (t *tail) again() (*tail, error) {
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read %s again: %w", t.name, err)
	}
	at, err := t.modified()
	return &tail{name: t.name, file: t.file, own: t.own, wrote: at}, err
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	} else {
		t.source.Close()
	}
}

// fill reads on. It returns io.EOF where the file ends now, and errReplaced.
func (t *tail) fill() error {
	from := len(t.buf)
	t.buf = append(t.buf, make([]byte, chunkLen)...)
	var n int
	var err error
	if t.file != nil {
		n, err = t.file.Read(t.buf[from:])
	} else {
		n, err = t.source.reader.Read(t.buf[from:])
	}
	t.buf = t.buf[:from+n]
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s after line %d: %w", t.name, t.number, err)
	}
	// What was read before is looked at after reading: if it stands there
	// still, the new bytes are those behind it.
	if !t.stands() {
		t.buf = t.buf[:from]
		return errReplaced
	}
	t.read += int64(n)
	t.last = append(t.last, t.buf[max(from, len(t.buf)-lastLen):]...)
	t.last = t.last[max(0, len(t.last)-lastLen):]
	if n > 0 {
		return nil
	}
	if t.read > 0 { // else it tells that something was there, see follower.first
		if t.wrote, err = t.modified(); err != nil {
			return err
		}
	}
	return io.EOF
}

// stands tells whether the last bytes that were read stand where they were.
func (t *tail) stands() bool {
	if t.file == nil || len(t.last) == 0 {
		return true
	}
	var now [lastLen]byte
	n, _ := t.file.ReadAt(now[:len(t.last)], t.read-int64(len(t.last)))
	return bytes.Equal(now[:n], t.last)
}

// next takes the next line, without its end; it holds until the call after.
// Errors are those of fill, and errLongLine, after which one can go on.
func (t *tail) next() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(t.buf[seen:], '\n'); i >= 0 {
			return t.take(seen + i + 1)
		}
		if seen = len(t.buf); seen > MaxLine {
			if !t.skipping {
				t.held, t.skipping = t.mark.position(), true
			}
			t.mark.add(t.buf)
			t.buf, seen = t.buf[:0], 0
		}
		err := t.fill()
		if errors.Is(err, io.EOF) && t.ended {
			t.done = true
			if len(t.buf) > 0 || t.skipping {
				return t.take(len(t.buf))
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// take takes the first n bytes, a line.
func (t *tail) take(n int) ([]byte, error) {
	line := t.buf[:n]
	t.mark.add(line)
	t.buf = t.buf[n:]
	t.number++
	if t.skipping || n > MaxLine {
		t.skipping = false
		return nil, errLongLine
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

// position is where reading goes on after a restart: behind a whole line.
func (t *tail) position() position {
	p := t.held
	if !t.skipping {
		p = t.mark.position()
	}
	if p.Bytes > 0 {
		return p
	}
	return position{Since: t.wrote.UnixNano() - 1}
}

// resume reads up to a position and tells whether the file holds what was read
// to there. Lines are translated and dropped, so that those after them get the
// ids that they would have had.
func (t *tail) resume(p position, m maker) (bool, error) {
	if same, err := t.begins(p); !same {
		return false, err
	}
	var scratch []byte
	for t.mark.bytes < p.Bytes {
		line, err := t.next()
		switch {
		case errors.Is(err, errLongLine):
			continue
		case err != nil:
			return false, ended(err)
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		if err := t.make(line, m); err != nil {
			return false, err
		}
		scratch, _, _ = t.lines.translate(scratch[:0], line)
	}
	return t.mark.position() == p, nil
}

// make finds out how the file is written, at its first line.
func (t *tail) make(line []byte, m maker) (err error) {
	if t.lines == nil {
		t.lines, err = m(t.name, append(append(bytes.Clone(line), '\n'), t.buf...))
	}
	return err
}

// grows closes a file of a log's name that cannot grow.
func (t *tail) grows() error {
	if t.own && t.file == nil {
		t.close()
		return fmt.Errorf("%s is compressed: a log that is followed grows", t.name)
	}
	return nil
}

// modified returns when the file was written to last.
func (t *tail) modified() (time.Time, error) {
	var info os.FileInfo
	var err error
	if t.file != nil {
		info, err = t.file.Stat()
	} else {
		info, err = os.Stat(t.name)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look at %s: %w", t.name, err)
	}
	return info.ModTime(), nil
}

// begins tells whether a file of which nothing was taken yet begins as one did
// of which there is a position: it is that file, or a copy of it.
func (t *tail) begins(p position) (bool, error) {
	n := int(min(p.Bytes, headLen))
	for len(t.buf) < n {
		if err := t.fill(); err != nil {
			return false, ended(err)
		}
	}
	return n > 0 && hexHash(xxh3.Hash(t.buf[:n])) == p.Head, nil
}

// ended is no error where a file merely ends or was written anew.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errReplaced) {
		return nil
	}
	return err
}
