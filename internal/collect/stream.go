package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// blockBytes is how much of an import is parsed and committed at once.
const blockBytes = 512 << 10

// block is a run of whole lines of an import on its way:
//
//	free ─► reader fills ─► a worker parses ─► committed in order ─► tallied ─► free
//
// There is a fixed number of them, which bounds the import's memory.
type block struct {
	part      part
	buf       []byte
	start     int64 // of buf in the body
	line      int   // number of its first line
	parsed    chan struct{}
	committed chan struct{}
}

func newBlock(random *rand.ChaCha8) *block {
	return &block{part: part{random: random}, parsed: make(chan struct{}, 1), committed: make(chan struct{}, 1)}
}

// importer is one streamed import.
type importer struct {
	x        *exchange
	ctx      context.Context
	free     chan *block
	parse    chan *block
	order    chan *block // as read
	settle   chan *block // as committed
	flying   chan struct{}
	running  sync.WaitGroup
	stop     chan struct{} // closed at the first failure of a commit
	stopOnce sync.Once
	failure  error // of the first commit that failed; set by tallying
}

// flyingCommits is how many parts of an import are with the committer at once:
// one is written while the next is waiting.
const flyingCommits = 2

// stream reads an NDJSON import, and parses and commits it meanwhile.
func (x *exchange) stream(ctx context.Context, coding coding) {
	c := x.c
	limit := c.limits.Import
	if x.q.Length > limit {
		p, reason := bodyProblem(errTooLarge, limit)
		x.refuse(p, reason)
		return
	}
	if c.imports.Add(1) > int64(c.limits.Imports) {
		c.imports.Add(-1)
		x.refuse(overloaded("too many imports are running"), "overloaded")
		return
	}
	defer c.imports.Add(-1)
	if body, ok := x.q.Body.(Patient); ok {
		body.Patiently()
	}
	im := newImporter(ctx, x)
	err := im.read(coding, limit)
	im.finish()
	x.taken = err == nil && im.failure == nil
	switch {
	case im.failure != nil:
		x.refuse(commitProblem(im.failure))
	case err != nil:
		x.refuse(bodyProblem(err, limit))
	case x.tally.seen == 0 && x.q.Length == 0:
		x.refuse(malformed(nil, 0, "the body is empty"), "malformed_json")
	default:
		x.answer()
	}
}

func newImporter(ctx context.Context, x *exchange) *importer {
	workers := x.c.limits.Workers
	n := workers + flyingCommits + 2
	im := &importer{
		// A commit reads its events until it returns, so none may be given up.
		x: x, ctx: context.WithoutCancel(ctx),
		free: make(chan *block, n), parse: make(chan *block, n), order: make(chan *block, n), settle: make(chan *block, n),
		flying: make(chan struct{}, flyingCommits), stop: make(chan struct{}),
	}
	for range n {
		im.free <- x.c.blocks.Get().(*block)
	}
	for range workers {
		im.running.Go(im.parseBlocks)
	}
	im.running.Go(im.commitBlocks)
	im.running.Go(im.tallyBlocks)
	return im
}

// finish waits until everything that was read is settled.
func (im *importer) finish() {
	close(im.parse)
	close(im.order)
	im.running.Wait()
	for range len(im.free) {
		b := <-im.free
		b.part.reset(nil)
		im.x.c.blocks.Put(b)
	}
}

func (im *importer) fail() { im.stopOnce.Do(func() { close(im.stop) }) }

func (im *importer) stopped() bool {
	select {
	case <-im.stop:
		return true
	default:
		return false
	}
}

// read splits the body into blocks of whole lines.
func (im *importer) read(coding coding, limit int64) error {
	x := im.x
	body := &countedBody{r: x.q.Body, left: x.q.Length}
	source := x.c.buffered(body)
	defer x.c.unbuffer(source)
	if head, _ := source.Peek(len(gzipMagic)); coding == codingNone && bytes.Equal(head, gzipMagic) {
		coding = codingGzip
	}
	r, done, err := x.c.decompress(coding, source)
	if err != nil {
		return err
	}
	defer done()
	s := splitter{r: r, left: limit, line: 1, long: longLine}
	for {
		var b *block
		select {
		case b = <-im.free:
		case <-im.stop:
			return nil
		}
		polite := x.c.courtesy.asked(x.c.now())
		if s.size, s.lines = blockBytes, blockLines; polite {
			s.size, s.lines = politeBytes, politeLines
		}
		more, err := s.next(b)
		switch {
		case len(b.buf) == 0:
			im.free <- b
		case polite:
			im.giveWay(b)
		default:
			im.hand(b)
		}
		if err != nil || !more {
			return err
		}
	}
}

// hand has a block parsed and committed.
func (im *importer) hand(b *block) {
	im.order <- b
	im.parse <- b
}

// wait waits until all blocks that were handed over are settled.
func (im *importer) wait() {
	all := make([]*block, 0, cap(im.free))
	for range cap(im.free) {
		all = append(all, <-im.free)
	}
	for _, b := range all {
		im.free <- b
	}
}

// countedBody is a body that must have left bytes (-1: not known).
type countedBody struct {
	r    io.Reader
	left int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	if c.r == nil {
		return 0, io.EOF
	}
	n, err := c.r.Read(p)
	if c.left >= 0 {
		c.left -= int64(n)
		if err == io.EOF && c.left > 0 {
			err = errTruncated
		}
	}
	return n, err
}

// splitter cuts a stream into blocks at ends of lines.
type splitter struct {
	r     io.Reader
	left  int64  // bytes the body may still have
	carry []byte // the beginning of a line
	start int64
	line  int
	eof   bool
	size  int // of a block, at most
	lines int // of a block, at most
	long  int // how much is kept of a line that fills a block, less than size
}

// longLine is how much is kept of a line that is too long for an event; the
// rest is passed over.
const longLine = event.MaxEventBytes + 1024

// next fills b. With an error b holds the whole lines before it.
func (s *splitter) next(b *block) (more bool, err error) {
	size := max(s.size, len(s.carry)+1) // a larger block may have left more
	if cap(b.buf) < size {
		b.buf = make([]byte, 0, max(size, blockBytes))
	}
	b.buf = append(b.buf[:0:size], s.carry...)
	b.start, b.line = s.start, s.line
	s.carry = s.carry[:0]
	skipped := 0
	for !s.eof && len(b.buf) < cap(b.buf) {
		var n int
		n, err = s.r.Read(b.buf[len(b.buf):cap(b.buf)])
		if s.left -= int64(n); s.left < 0 {
			err = errTooLarge
		}
		b.buf = b.buf[:len(b.buf)+n]
		if err == io.EOF {
			s.eof, err = true, nil
		}
		if err != nil {
			break
		}
		if len(b.buf) == cap(b.buf) && bytes.IndexByte(b.buf, '\n') < 0 {
			skipped += len(b.buf) - s.long
			b.buf = b.buf[:s.long]
		}
	}
	end := len(b.buf)
	if !s.eof {
		end = bytes.LastIndexByte(b.buf, '\n') + 1
	}
	end, n := wholeLines(b.buf[:end], s.lines)
	s.carry = append(s.carry, b.buf[end:]...)
	b.buf = b.buf[:end]
	s.start += int64(end + skipped)
	s.line += n
	return !s.eof || len(s.carry) > 0, err
}

// blockLines bounds the lines of a block, and so what its events take.
const blockLines = 4096

// wholeLines returns where the first most lines of b end, and how many line ends
// that are.
func wholeLines(b []byte, most int) (end, n int) {
	for end < len(b) && n < most {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			return len(b), n
		}
		end += i + 1
		n++
	}
	return end, n
}

// parseBlocks is a worker.
func (im *importer) parseBlocks() {
	for b := range im.parse {
		b.part.reset(&im.x.request)
		l := lines{src: b.buf, line: b.line, start: b.start}
		for l.more() {
			b.part.line(&l)
		}
		b.parsed <- struct{}{}
	}
}

// commitBlocks hands blocks to the committer in order. The first is alone: it
// may set the clock of the site.
func (im *importer) commitBlocks() {
	defer close(im.settle)
	first := true
	for b := range im.order {
		<-b.parsed
		im.flying <- struct{}{}
		if first {
			first = false
			im.commit(b)
		} else {
			im.running.Go(func() { im.commit(b) })
		}
		im.settle <- b
	}
}

// commit stores a block. When the committer is busy it waits: an import has
// time.
func (im *importer) commit(b *block) {
	if im.stopped() {
		b.part.err, b.part.sub.Done = errStopped, 0
	} else if err := im.patiently(&b.part); err != nil {
		im.fail()
	}
	<-im.flying
	b.committed <- struct{}{}
}

var errStopped = errors.New("a part before was not stored")

func (im *importer) patiently(p *part) error {
	c := im.x.c
	const pause = 50 * time.Millisecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for waited := time.Duration(0); ; waited += pause {
		err := c.commitPart(im.ctx, p)
		if !errors.Is(err, eventlog.ErrOverloaded) || waited >= c.limits.Patience {
			return err
		}
		timer.Reset(pause)
		<-timer.C
	}
}

// tallyBlocks adds the blocks up in order.
func (im *importer) tallyBlocks() {
	x := im.x
	for b := range im.settle {
		<-b.committed
		p := &b.part
		x.tally.add(p, true)
		x.out.Position = max(x.out.Position, p.sub.Position)
		if p.err != nil && !errors.Is(p.err, errStopped) && im.failure == nil {
			im.failure = fmt.Errorf("commit a part of an import: %w", p.err)
		}
		p.sub.Position = 0
		im.free <- b
	}
}
