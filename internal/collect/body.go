package collect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/readership/readership/internal/problem"
)

// form is how a body holds events.
type form uint8

const (
	formJSON   form = iota // an object or an array
	formNDJSON             // a line each
	formText               // either, as it looks
)

// coding is how a body is compressed.
type coding uint8

const (
	codingNone coding = iota
	codingGzip
	codingZstd
)

// bodyForm reads Content-Type and Content-Encoding.
func bodyForm(h Header) (form, coding, *problem.Problem) {
	f, ok := formText, true
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch kind = strings.TrimSpace(kind); {
	case kind == "" || strings.EqualFold(kind, "text/plain"):
	case strings.EqualFold(kind, "application/json"):
		f = formJSON
	case strings.EqualFold(kind, "application/x-ndjson"), strings.EqualFold(kind, "application/ndjson"), strings.EqualFold(kind, "application/jsonl"):
		f = formNDJSON
	default:
		ok = false
	}
	if !ok {
		return 0, 0, problem.New(http.StatusUnsupportedMediaType, "the body must be application/json, application/x-ndjson or text/plain",
			problem.Fault{Location: "header.Content-Type", Code: "unsupported", Message: "is none of application/json, application/x-ndjson, text/plain", Value: strings.Clone(kind)}).
			WithHeader("Accept-Post", "application/json, application/x-ndjson, text/plain")
	}
	coding, p := bodyCoding(h)
	return f, coding, p
}

// bodyCoding reads Content-Encoding.
func bodyCoding(h Header) (coding, *problem.Problem) {
	switch name := strings.TrimSpace(h.Get("Content-Encoding")); {
	case name == "" || strings.EqualFold(name, "identity"):
		return codingNone, nil
	case strings.EqualFold(name, "gzip") || strings.EqualFold(name, "x-gzip"):
		return codingGzip, nil
	case strings.EqualFold(name, "zstd"):
		return codingZstd, nil
	default:
		return 0, problem.New(http.StatusUnsupportedMediaType, "the body may be compressed with gzip or zstd",
			problem.Fault{Location: "header.Content-Encoding", Code: "unsupported", Message: "is neither gzip nor zstd", Value: strings.Clone(name)}).
			WithHeader("Accept-Encoding", "gzip, zstd")
	}
}

// Errors of reading a body.
var (
	errTooLarge  = errors.New("body is too large")
	errTruncated = errors.New("body ended before its length")
	errCoding    = errors.New("body is not what its encoding says")
)

// bodyProblem turns an error of reading a body into the answer.
func bodyProblem(err error, limit int64) (p *problem.Problem, reason string) {
	switch {
	case errors.Is(err, errTooLarge):
		return problem.New(http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d bytes after decompression", limit)), "too_large"
	case errors.Is(err, errCoding):
		return problem.New(http.StatusBadRequest, "the body cannot be decompressed",
			problem.Fault{Location: "body", Code: "malformed_encoding", Message: err.Error()}), "malformed_encoding"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(http.StatusRequestTimeout, "the body took too long"), "timeout"
	default:
		return problem.New(http.StatusBadRequest, "the body could not be read to its end").WithCause(err), "truncated"
	}
}

// smallBody is the size of bodies that Limits.Bodies does not count.
const smallBody = 64 << 10

// reserve takes n bytes of Limits.Bodies; false if there are none left.
func (c *Collector) reserve(n int64) bool {
	if n <= smallBody {
		return true
	}
	if c.bodies.Add(n) > c.limits.Bodies {
		c.bodies.Add(-n)
		return false
	}
	return true
}

func (c *Collector) unreserve(n int64) {
	if n > smallBody {
		c.bodies.Add(-n)
	}
}

var gzipMagic = []byte{0x1f, 0x8b, 0x08}

// readBody reads the whole body into x.body, decompressed.
func (x *exchange) readBody(coding coding) (*problem.Problem, string) {
	c, q := x.c, x.q
	x.body = x.body[:0]
	limit := c.limits.Body
	need := q.Length
	if q.Length > limit {
		return bodyProblem(errTooLarge, limit)
	}
	if coding != codingNone || need < 0 {
		need = limit
	}
	if !c.reserve(need) {
		return overloaded("too many bodies are being read"), "overloaded"
	}
	x.reserved = need
	var err error
	switch {
	case q.Whole != nil:
		x.body = q.Whole
	case q.Body == nil:
		return nil, ""
	default:
		if x.body, err = readInto(x.body[:0], q.Body, q.Length, limit); err != nil {
			return bodyProblem(err, limit)
		}
	}
	x.taken = true
	if coding == codingNone && bytes.HasPrefix(x.body, gzipMagic) {
		coding = codingGzip
	}
	if coding != codingNone {
		x.packed, x.body = x.body, x.packed
		x.source.Reset(x.packed)
		x.body, err = x.unpack(coding, x.body[:0], limit)
		if err != nil {
			return bodyProblem(err, limit)
		}
	}
	return nil, ""
}

// readInto appends a body of length bytes (-1: not known) to dst.
func readInto(dst []byte, r io.Reader, length, limit int64) ([]byte, error) {
	if length >= 0 && int64(cap(dst)) <= length {
		dst = make([]byte, 0, length+1)
	} else if cap(dst) == 0 {
		dst = make([]byte, 0, 4<<10)
	}
	for {
		if int64(len(dst)) > limit {
			return dst, errTooLarge
		}
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return dst, fmt.Errorf("read body: %w", err)
		}
		if length >= 0 && int64(len(dst)) == length {
			break
		}
	}
	if length >= 0 && int64(len(dst)) < length {
		return dst, errTruncated
	}
	if int64(len(dst)) > limit {
		return dst, errTooLarge
	}
	return dst, nil
}

// unpack decompresses x.source.
func (x *exchange) unpack(coding coding, dst []byte, limit int64) ([]byte, error) {
	r, done, err := x.c.decompress(coding, &x.source)
	if err != nil {
		return dst, err
	}
	defer done()
	return readInto(dst, r, -1, limit)
}

// decoded marks the errors of a decompressor as the body's fault, but for those
// of the connection.
type decoded struct {
	r      io.Reader
	source *sourceErrors
}

func (d decoded) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		if d.source.err != nil {
			return n, d.source.err
		}
		return n, fmt.Errorf("%w: %w", errCoding, err)
	}
	return n, err
}

// sourceErrors remembers what went wrong below a decompressor.
type sourceErrors struct {
	r   io.Reader
	err error
}

func (s *sourceErrors) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// maxWindow bounds what a zstd frame may ask the decoder to remember.
const maxWindow = 8 << 20

// decompress returns a reader of what source holds. done gives its memory back.
func (c *Collector) decompress(coding coding, source io.Reader) (r io.Reader, done func(), err error) {
	raw := &sourceErrors{r: source}
	switch coding {
	case codingGzip:
		z, _ := c.gunzips.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		if err := z.Reset(raw); err != nil {
			c.gunzips.Put(z)
			if raw.err != nil {
				return nil, nil, raw.err
			}
			return nil, nil, fmt.Errorf("%w: %w", errCoding, err)
		}
		return decoded{z, raw}, func() { c.gunzips.Put(z) }, nil
	case codingZstd:
		z, _ := c.zstds.Get().(*zstd.Decoder)
		if z == nil {
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
			if err != nil {
				return nil, nil, fmt.Errorf("make zstd decoder: %w", err)
			}
		}
		if err := z.Reset(raw); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errCoding, err)
		}
		return decoded{z, raw}, func() {
			_ = z.Reset(nil) // lets go of the source
			c.zstds.Put(z)
		}, nil
	}
	return source, func() {}, nil
}

// buffered returns a reader that can look ahead.
func (c *Collector) buffered(source io.Reader) *bufio.Reader {
	b, _ := c.buffers.Get().(*bufio.Reader)
	if b == nil {
		b = bufio.NewReaderSize(nil, 64<<10)
	}
	b.Reset(source)
	return b
}

func (c *Collector) unbuffer(b *bufio.Reader) {
	b.Reset(nil)
	c.buffers.Put(b)
}
