package eventlog

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

// gate is a sink that holds the writer until it is let go.
type gate struct {
	memorySink
	entered chan struct{}
	leave   chan error
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 100), leave: make(chan error, 100)} }

func (g *gate) Apply(pos event.Position, message []byte) error {
	g.entered <- struct{}{}
	if err := <-g.leave; err != nil {
		return err
	}
	return g.memorySink.Apply(pos, message)
}

func submit(c *Committer, s *Submission) chan error {
	done := make(chan error, 1)
	go func() { done <- c.Commit(context.Background(), s) }()
	return done
}

// waitFor waits until ok.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); runtime.Gosched() {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("waited in vain for " + what)
		}
	}
}

func single(id string) *Submission {
	return &Submission{Site: wallSite, Events: []event.Event{pageView(id, time.Now().UnixMilli())}}
}

func bulk(prefix string, n int) *Submission {
	s := &Submission{Site: wallSite, Import: true}
	for i := range n {
		e := pageView(fmt.Sprintf("%s%d", prefix, i), time.Now().UnixMilli())
		e.Columns[event.ColTitle] = strings.Repeat("x", 500) + e.ID
		s.Events = append(s.Events, e)
	}
	return s
}

// TestSinglesPassImports looks at the order of the log while an import of many
// commits runs.
func TestSinglesPassImports(t *testing.T) {
	g := newGate()
	c := startCommitter(t, CommitterConfig{CommitBytes: 40_000, BulkBytes: 10_000}, openLog(t, Config{}), g)
	imported := submit(c, bulk("bulk-", 1000)) // 600 KB
	<-g.entered
	for i := range 6 {
		done := submit(c, single(fmt.Sprint("single-", i)))
		waitFor(t, "the single event to be taken", func() bool { return c.Stats().Taken == uint64(i+1) })
		g.leave <- nil // the commit that was under way
		<-g.entered
		g.leave <- nil // the one with the event
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("more than one commit lay between two single events")
		}
		<-g.entered
	}
	close(g.leave)
	if err := <-imported; err != nil {
		t.Fatal(err)
	}
	sizes := 0
	if err := c.log.Read(context.Background(), 0, func(_ event.Position, message []byte) error {
		sizes = max(sizes, len(message))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if sizes > 40_000 {
		t.Errorf("a commit has %d bytes", sizes)
	}
}

func TestOverload(t *testing.T) {
	g := newGate()
	c := startCommitter(t, CommitterConfig{CommitBytes: 1000, QueueCount: 10, QueueBytes: 100_000, BulkBytes: 500}, openLog(t, Config{}), g)
	first := submit(c, single("first"))
	<-g.entered
	var waiting []chan error
	for refused := false; !refused; {
		if len(waiting) > 100 {
			t.Fatal("the queue takes more than its bound")
		}
		before := c.Stats()
		done := submit(c, single(fmt.Sprint("waiting-", len(waiting))))
		waitFor(t, "a submission to be queued or refused", func() bool {
			now := c.Stats()
			return now.Refused > before.Refused || int64(now.Taken)+now.Waiting > int64(len(waiting))+1
		})
		if refused = c.Stats().Refused > before.Refused; refused {
			if err := <-done; !errors.Is(err, ErrOverloaded) {
				t.Errorf("the queue is full: %v", err)
			}
			continue
		}
		waiting = append(waiting, done)
	}
	close(g.leave)
	for _, done := range append(waiting, first) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := c.Commit(context.Background(), single("after")); err != nil {
		t.Errorf("the queue is empty again: %v", err)
	}
	if c.queue.lanes[laneFirst].bytes.Load() != 0 || c.Stats().Waiting != 0 {
		t.Errorf("the queue counts %+v", c.Stats())
	}
}

func TestWithdraw(t *testing.T) {
	g := newGate()
	c := startCommitter(t, CommitterConfig{CommitBytes: 600, BulkBytes: 500}, openLog(t, Config{}), g)
	first := submit(c, single("first"))
	<-g.entered
	open := submit(c, single("open"))
	waitFor(t, "the open commit", func() bool { return c.Stats().Taken == 2 })
	large := single("withdrawn")
	large.Events[0].Columns[event.ColTitle] = strings.Repeat("x", 700)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Commit(ctx, large) }()
	waitFor(t, "it to be queued", func() bool { return c.Stats().Waiting == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	large.Events = slices.Clone(large.Events) // it is the caller's again: the race detector looks
	close(g.leave)
	for _, done := range []chan error{first, open} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Commit(context.Background(), large); err != nil || large.Verdicts[0].Outcome != Stored {
		t.Errorf("what was withdrawn is taken later: %v, %v", err, large.Verdicts)
	}
}

// TestDuplicateOfUnwritten sends an id again while its first commit is being
// written, and that commit fails.
func TestDuplicateOfUnwritten(t *testing.T) {
	var lose atomic.Bool
	sending := make(chan struct{})
	var once sync.Once
	l := openLog(t, Config{lose: func() (bool, bool) {
		if lose.Swap(false) {
			once.Do(func() { sending <- struct{}{}; <-sending })
			return true, false
		}
		return false, false
	}})
	c := startCommitter(t, CommitterConfig{}, l, nullSink{})
	if err := c.Commit(context.Background(), single("before")); err != nil {
		t.Fatal(err)
	}
	lose.Store(true)
	first := submit(c, single("same"))
	<-sending
	second := submit(c, single("same"))
	waitFor(t, "the second to be judged", func() bool { return c.Stats().Taken == 3 })
	sending <- struct{}{}
	for _, done := range []chan error{first, second} {
		if err := <-done; !errors.Is(err, ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
	}
	waitFor(t, "the log to be reopened", func() bool { return c.Ready() == nil })
	s := single("same")
	if err := c.Commit(context.Background(), s); err != nil || s.Verdicts[0].Outcome != Stored {
		t.Errorf("sent again: %v %v", err, s.Verdicts)
	}
}

func TestSinkFails(t *testing.T) {
	g := newGate()
	c := startCommitter(t, CommitterConfig{}, openLog(t, Config{}), g)
	g.leave <- errors.New("the engine is broken")
	if err := c.Commit(context.Background(), single("a")); err != nil {
		t.Errorf("it is durable: %v", err)
	}
	waitFor(t, "the committer to stop", func() bool { return c.Ready() != nil })
	if err := c.Commit(context.Background(), single("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("after a failed hand-over: %v", err)
	}
}

func TestCountsTravelAlone(t *testing.T) {
	sink := &memorySink{}
	c := startCommitter(t, CommitterConfig{}, openLog(t, Config{}), sink)
	c.Count("news", "refused", "bot", 3)
	c.Count("news", "refused", "bot", 4)
	line := event.Count{Site: "news", Verdict: "refused", Reason: "bot"}
	waitFor(t, "the tick", func() bool {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return sink.counts[line] == 7
	})
	c.Count("news", "refused", "bot", 5)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if sink.counts[line] != 12 {
		t.Errorf("closing lost counts: %d", sink.counts[line])
	}
}

func TestClosed(t *testing.T) {
	l := openLog(t, Config{})
	c, err := NewCommitter(CommitterConfig{Dir: t.TempDir(), Logger: quiet}, l, nullSink{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(context.Background(), single("a")); err == nil {
		t.Error("a committer took an event before it was started")
	}
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(context.Background()); err == nil {
		t.Error("it was started twice")
	}
	var done []chan error
	for i := range 100 {
		done = append(done, submit(c, single(fmt.Sprint(i))))
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range done {
		if err := <-d; err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	if err := c.Commit(context.Background(), single("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Append(context.Background(), 1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append after Close: %v", err)
	}
}

// TestKeyBelongsToLog refuses a log whose key is gone: its ids could not be
// recognised.
func TestKeyBelongsToLog(t *testing.T) {
	l := openLog(t, Config{})
	c := startCommitter(t, CommitterConfig{}, l, nullSink{})
	if err := c.Commit(context.Background(), single("a")); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewCommitter(CommitterConfig{Dir: t.TempDir(), Logger: quiet}, l, nullSink{}); err == nil {
		t.Error("a new key was made for an old log")
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	run := func() {
		l, err := Open(Config{Dir: t.TempDir(), Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewCommitter(CommitterConfig{Dir: t.TempDir(), Logger: quiet}, l, nullSink{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(context.Background(), single("a")); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		_ = l.Close()
	}
	run() // what the libraries start once
	before := runtime.NumGoroutine()
	for range 5 {
		run()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}

// TestSubmit does not wait: what is done and what is refused is told later, or
// at once.
func TestSubmit(t *testing.T) {
	g := newGate()
	c := startCommitter(t, CommitterConfig{QueueCount: 2}, openLog(t, Config{}), g)
	ended := make(chan error, 4)
	begin := func(s *Submission) {
		t.Helper()
		if err := c.Submit(s, func(err error) { ended <- err }); err != nil {
			t.Fatal(err)
		}
	}
	first, again := single("first"), single("first")
	begin(first)
	<-g.entered
	begin(again)
	waitFor(t, "the open commit", func() bool { return c.Stats().Taken == 2 })
	g.leave <- nil
	g.leave <- nil
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if first.Verdicts[0].Outcome != Stored || again.Verdicts[0].Outcome != Duplicate || first.Done != 1 || first.Position == 0 {
		t.Errorf("%+v %d, %+v", first.Verdicts, first.Done, again.Verdicts)
	}
	begin(&Submission{Site: wallSite}) // brings nothing
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(g.leave)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Submit(single("late"), func(error) { t.Error("done is called after an error") }); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestSubmitFails tells of a commit that could not be written.
func TestSubmitFails(t *testing.T) {
	g := newGate()
	c := startCommitter(t, CommitterConfig{}, openLog(t, Config{}), g)
	ended := make(chan error, 1)
	s := single("lost")
	if err := c.Submit(s, func(err error) { ended <- err }); err != nil {
		t.Fatal(err)
	}
	<-g.entered
	g.leave <- errors.New("the engine is broken") // it is durable all the same
	if err := <-ended; err != nil || s.Done != 1 {
		t.Errorf("%v, %d are durable", err, s.Done)
	}
	waitFor(t, "commits to be refused", func() bool { return c.Ready() != nil })
	if err := c.Submit(single("next"), func(error) { t.Error("done is called after an error") }); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	close(g.leave)
}

// TestPaced has the next commit wait after a large one, unless an import, a
// full commit or the end does not let it.
func TestPaced(t *testing.T) {
	c := startCommitter(t, CommitterConfig{}, openLog(t, Config{}), nullSink{})
	sealed := func(shares int) *gatherer {
		g := newGatherer(c)
		g.pace = time.NewTimer(time.Hour)
		t.Cleanup(func() { g.pace.Stop() })
		for range shares {
			g.open.shares = append(g.open.shares, share{w: &waiter{}})
		}
		g.seal()
		g.flying = nil
		g.open.shares = append(g.open.shares, share{w: &waiter{}})
		return g
	}
	if g := sealed(paceFrom - 1); !g.worthWriting() {
		t.Error("a commit waits though few came together")
	}
	g := sealed(paceFrom)
	if g.worthWriting() {
		t.Error("a commit does not wait after a large one")
	}
	for name, change := range map[string]func(*gatherer){
		"the pace is over": func(g *gatherer) { g.paced = false },
		"an import":        func(g *gatherer) { g.bulk = 1 },
		"it is full":       func(g *gatherer) { g.lanes[laneFirst] = []*waiter{{}} },
		"the end":          func(g *gatherer) { g.stopping = true },
	} {
		g := sealed(paceFrom)
		if change(g); !g.worthWriting() {
			t.Errorf("a commit waits: %s", name)
		}
	}
}

// TestReadStandsWhereItLooked: what a fact says was read right before its place in
// the log, whatever others commit meanwhile, imports among it.
func TestReadStandsWhereItLooked(t *testing.T) {
	sink := &memorySink{}
	c := startCommitter(t, CommitterConfig{CommitBytes: 20_000, BulkBytes: 5_000}, openLog(t, Config{}), sink)
	var others sync.WaitGroup
	stop := make(chan struct{})
	for n := range 3 {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				s := single(fmt.Sprint("single-", n, "-", i))
				if n == 0 {
					s = bulk(fmt.Sprint("bulk-", i, "-"), 100)
				}
				if err := c.Commit(context.Background(), s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	want := map[event.Position]event.Position{} // of facts, what was read
	for range 30 {
		var read event.Position
		position, err := c.CommitRead(t.Context(), func() (event.Fact, bool, error) {
			sink.mu.Lock()
			defer sink.mu.Unlock()
			read = sink.position
			return event.Fact{Kind: "read"}, true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want[position] = read
	}
	close(stop)
	others.Wait()
	before := c.Acked()
	if _, err := c.CommitRead(t.Context(), func() (event.Fact, bool, error) { return event.Fact{}, false, nil }); err != nil || c.Acked() != before {
		t.Errorf("nothing to say is stored: %v", err)
	}
	broken := errors.New("cannot be read")
	if _, err := c.CommitRead(t.Context(), func() (event.Fact, bool, error) { return event.Fact{}, true, broken }); !errors.Is(err, broken) {
		t.Errorf("read fails: %v", err)
	}
	if _, err := c.CommitRead(t.Context(), func() (event.Fact, bool, error) { panic("a bug") }); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("a read that panics: %v", err)
	}
	last := event.Position(0)
	err := c.log.Read(t.Context(), 0, func(position event.Position, _ []byte) error {
		if read, ok := want[position]; ok && read != last {
			t.Errorf("%s says what was at %s, after %s", position, read, last)
		}
		last = position
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
