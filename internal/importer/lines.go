package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// MaxLine is the longest line that is read, in bytes. Longer ones are rejected
// by their number.
const MaxLine = 1 << 20

// zstdWindow bounds the memory that a compressed file can ask for.
const zstdWindow = 128 << 20

// source is one file, opened and decompressed, whatever its name says.
type source struct {
	name   string
	size   int64 // bytes on disk; 0 if unknown (standard input)
	read   *counter
	reader *bufio.Reader
	close  []func() error
	number int // of the line read last, from 1
}

// counter counts the bytes taken from a file, as stored.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// The first bytes of compressed files.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

func compressed(head []byte) bool {
	return bytes.HasPrefix(head, gzipMagic) || bytes.HasPrefix(head, zstdMagic)
}

// open opens a file; "-" is standard input. The caller closes the source.
func open(name string, stdin io.Reader) (*source, error) {
	s := &source{name: name}
	raw := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, f.Close)
		if info, err := f.Stat(); err == nil {
			if info.IsDir() {
				f.Close()
				return nil, fmt.Errorf("%s is a folder: name the files in it", name)
			}
			s.size = info.Size()
		}
		raw = f
	}
	s.read = &counter{r: raw}
	plain := bufio.NewReaderSize(s.read, MaxLine)
	head, err := plain.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		s.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(plain)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("read %s as gzip: %w", name, err)
		}
		s.close = append(s.close, z.Close)
		plain = bufio.NewReaderSize(z, MaxLine)
	case bytes.HasPrefix(head, zstdMagic):
		z, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("read %s as zstd: %w", name, err)
		}
		s.close = append(s.close, func() error { z.Close(); return nil })
		plain = bufio.NewReaderSize(z, MaxLine)
	}
	s.reader = plain
	return s, nil
}

// lineError is what is wrong with a line; reading goes on after it.
type lineError string

// Error implements error.
func (e lineError) Error() string { return string(e) }

// errLongLine is the error of a line of more than MaxLine bytes.
var errLongLine error = lineError(fmt.Sprintf("the line is longer than %d bytes", MaxLine))

// next returns the next line without its end; it holds until the call after.
// At the end err is io.EOF. After errLongLine the next line can be read.
func (s *source) next() ([]byte, error) {
	line, err := s.reader.ReadSlice('\n')
	if err != nil {
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			s.number++
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = s.reader.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("read %s after line %d: %w", s.name, s.number, err)
			}
			return nil, errLongLine
		case errors.Is(err, io.EOF):
			if len(line) == 0 {
				return nil, io.EOF
			}
		default:
			return nil, fmt.Errorf("read %s after line %d: %w", s.name, s.number, err)
		}
	}
	s.number++
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// Close closes the file and its decompressor.
func (s *source) Close() error {
	var first error
	for i := len(s.close) - 1; i >= 0; i-- {
		if err := s.close[i](); err != nil && first == nil {
			first = err
		}
	}
	s.close = nil
	return first
}
