package eventlog

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
)

// jumpMillis is how far one event may move an event clock.
const jumpMillis = 7 * dayMillis

// sweepStep is how many segments of the id set are looked at between commits.
const sweepStep = 2

// After a commit of paceFrom submissions and more the next one begins later at the
// earliest, after many later still: pace says when. Each then holds more of them, and
// what a commit costs whatever it holds, a sync and a dozen wakes of goroutines, is
// shared by more. Who sends alone never waits.
const (
	paceFrom = 16
	paceMany = 48
)

// pace returns how long after a commit of n submissions the next one begins.
func pace(n int) time.Duration {
	switch {
	case n < paceFrom:
		return 0
	case n < paceMany:
		return time.Millisecond
	default:
		return 2 * time.Millisecond
	}
}

// share is the part of a waiter's events or facts that one commit holds.
type share struct {
	w    *waiter
	upTo int  // first event or fact that is not in it
	last bool // the waiter's wait ends with this commit
}

// commit is one log message on its way. The gatherer owns it, and the writer
// between the two channels.
type commit struct {
	message  []byte
	stamp    int64
	shares   []share
	ids      []uint64
	clocks   []siteClock
	counts   []event.Count // taken from the ledger: they go back if it fails
	rows     int
	size     int
	position event.Position
	err      error
}

func (b *commit) reset() {
	clear(b.shares)
	*b = commit{shares: b.shares[:0], ids: b.ids[:0], clocks: b.clocks[:0], counts: b.counts[:0]}
}

// gatherer is the goroutine that fills the open commit while the writer writes
// the one before. Everything the log taught the committer is its own.
type gatherer struct {
	c   *Committer
	enc event.Encoder

	open    *commit // being filled
	flying  *commit // with the writer; nil: the writer is idle
	spare   *commit
	write   chan *commit
	written chan *commit

	lanes    [2][]*waiter // taken from the queue, not yet in a commit as a whole
	now      int64        // stamp the open commit would get
	estimate int          // of the encoded size of the open commit, from above
	items    int          // events and facts that were taken into the open commit
	bulk     int          // encoded bytes of imports in the open commit
	first    bool         // the open commit holds something of the first lane
	tally    []event.Count
	touched  []*clock
	force    bool // counts have waited long enough
	paced    bool // the next commit waits for pace
	pace     *time.Timer
	stopping bool
	dead     error // why nothing is committed any more

	warmed        uint64 // keeps the reads of warm alive
	scratchIDs    []uint64
	scratchClocks []siteClock
	failing       []*waiter
}

func newGatherer(c *Committer) *gatherer {
	g := &gatherer{
		c: c, open: new(commit), spare: new(commit),
		write: make(chan *commit), written: make(chan *commit, 1),
	}
	g.enc.Reset(0)
	return g
}

// run is the gatherer's goroutine.
func (g *gatherer) run() {
	g.c.running.Go(g.runWriter)
	defer close(g.write)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	g.pace = time.NewTimer(pace(paceFrom))
	defer g.pace.Stop()
	stop := g.c.stop
	for {
		// Before it is looked at the queue: who comes later wakes.
		g.c.queue.lazy.Store(false)
		g.fill()
		if g.flying == nil && g.worthWriting() {
			g.seal()
			g.write <- g.flying
			continue
		}
		if g.stopping && g.flying == nil {
			return
		}
		g.c.queue.lazy.Store(g.flying != nil || g.paced)
		select {
		case <-g.c.queue.wake:
		case b := <-g.written:
			g.settle(b)
		case <-g.pace.C:
			g.paced = false
		case <-tick.C:
			g.tick()
		case <-stop:
			stop, g.stopping = nil, true
		}
	}
}

// worthWriting says whether the open commit should be written now.
func (g *gatherer) worthWriting() bool {
	waits := g.paced && g.bulk == 0 && len(g.lanes[laneFirst]) == 0 && !g.stopping
	if g.dead != nil || waits {
		return false
	}
	return len(g.open.shares) > 0 || ((g.force || g.stopping) && g.c.ledger.waiting())
}

// tick does what must be done about once a second.
func (g *gatherer) tick() {
	g.force = true
	g.c.ids.sweep(sweepStep)
	g.c.journal.flush()
	g.publishStats()
}

// fill takes what is queued and puts it into the open commit, as far as there
// is room: everything else before imports.
func (g *gatherer) fill() {
	for lane := range g.lanes {
		g.lanes[lane] = g.c.queue.take(lane, g.lanes[lane])
	}
	if g.dead != nil {
		g.failQueued(g.dead)
		return
	}
	if len(g.lanes[laneFirst])+len(g.lanes[laneBulk]) == 0 {
		return
	}
	g.now = max(g.c.cfg.Now().UnixMilli(), g.c.stamp)
	g.c.ids.advance(g.now / hourMillis)
	held := len(g.open.shares)
	g.addLane(laneFirst, g.c.cfg.CommitBytes)
	g.first = g.first || len(g.open.shares) > held
	if len(g.lanes[laneBulk]) == 0 || g.reading() {
		return
	}
	before := g.size()
	limit := g.c.cfg.CommitBytes - g.c.cfg.BulkBytes // the rest is for who comes while this waits
	if g.first || len(g.lanes[laneFirst]) > 0 {
		limit = min(before+g.c.cfg.BulkBytes-g.bulk, g.c.cfg.CommitBytes)
	}
	if before >= limit {
		return
	}
	g.addLane(laneBulk, limit)
	g.bulk += g.size() - before
}

// reading says whether the next waiter of the first lane waits until nothing is on
// its way.
func (g *gatherer) reading() bool {
	first := g.lanes[laneFirst]
	return len(first) > 0 && first[0].read != nil && first[0].next == 0
}

// addLane adds the waiters of a lane in order until the open commit has reached
// limit bytes.
func (g *gatherer) addLane(lane, limit int) {
	waiting := g.lanes[lane]
	n := 0
	for n < len(waiting) {
		if n%warmRows == 0 {
			for _, w := range waiting[n:min(n+warmRows, len(waiting))] {
				g.warmed += g.c.ids.warm(w.hashes[:min(2, len(w.hashes))], 2)
			}
		}
		if !g.add(waiting[n], limit) {
			break
		}
		n++
	}
	g.lanes[lane] = slices.Delete(waiting, 0, n)
}

// size measures the open commit.
func (g *gatherer) size() int {
	g.estimate = g.enc.Size() + 64*len(g.tally)
	return g.estimate
}

// room says whether n more bytes keep the open commit within limit. Anything
// goes into an empty one.
func (g *gatherer) room(n, limit int) bool {
	if g.items == 0 {
		return true
	}
	if g.enc.Rows() >= event.MaxCommitRows-1 {
		return false
	}
	return g.estimate+n <= limit || g.size()+n <= limit
}

// took notes that n bytes were added.
func (g *gatherer) took(n int) {
	g.estimate += n
	g.items++
}

// nextSize is the size of the next event or fact of w. Before w is taken, only
// w itself may be read: what it points to belongs to its caller again once it
// is withdrawn.
func (w *waiter) nextSize() int {
	switch {
	case w.next == 0:
		return w.head
	case w.sub != nil:
		return eventSize(&w.sub.Events[w.next])
	}
	return factSize(&w.facts[w.next])
}

// add adds what has room of w; true if w needs no further commit.
func (g *gatherer) add(w *waiter, limit int) bool {
	if w.read != nil && (g.flying != nil || g.items > 0) || !g.room(w.nextSize(), limit) {
		return false
	}
	if w.next == 0 {
		if !w.state.CompareAndSwap(waiterQueued, waiterTaken) { // withdrawn
			g.c.queue.left(w)
			g.c.put(w)
			return true
		}
		if w.sub != nil {
			for _, c := range w.sub.Refused {
				g.count(c)
			}
		}
		if w.read != nil && !w.look() {
			g.c.queue.left(w)
			g.c.finish(w, w.err)
			return true
		}
	}
	if w.sub != nil {
		g.addEvents(w, limit)
	} else {
		g.addFacts(w, limit)
	}
	last := w.next == w.len()
	g.open.shares = append(g.open.shares, share{w: w, upTo: w.next, last: last})
	if last {
		g.c.queue.left(w)
		g.c.stats.taken.Add(1)
	}
	return last
}

// look reads the fact of a waiter; false if there is none to store. What panics
// fails alone: the committer is everybody's.
func (w *waiter) look() (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			w.err, ok = fmt.Errorf("read what to store: panic: %v\n%s", p, debug.Stack()), false
		}
	}()
	f, ok, err := w.read()
	if err == nil && ok && factSize(&f) > maxItem {
		err = fmt.Errorf("%w: fact %s %q has %d bytes", ErrTooLarge, f.Kind, f.Key, factSize(&f))
	}
	w.err, w.facts = err, []event.Fact{f}
	return err == nil && ok
}

func (g *gatherer) addFacts(w *waiter, limit int) {
	for ; w.next < len(w.facts); w.next++ {
		f := &w.facts[w.next]
		size := factSize(f)
		if !g.room(size, limit) {
			return
		}
		g.took(size)
		g.enc.AddFact(*f)
		if f.Kind == event.FactSite && len(f.Value) == 0 {
			// A site that is made again begins without a clock.
			k := g.c.clockOf(f.Key)
			k.known = false
			g.touch(k)
		}
	}
}

// addEvents judges events of w and adds those that are new.
func (g *gatherer) addEvents(w *waiter, limit int) {
	s := w.sub
	site := s.Site.ID
	j := judge{now: g.now, window: s.Site.WindowDuration().Milliseconds(), advance: s.Advance}
	if s.Site.Clock == event.ClockEvent {
		j.clock = g.c.clockOf(site)
	}
	var stored, robots, duplicates uint64
	for ; w.next < len(s.Events); w.next++ {
		i := w.next
		ev := &s.Events[i]
		size := eventSize(ev)
		if !g.room(size, limit) {
			break
		}
		g.took(size)
		if i%warmRows == 0 && len(s.Events) > 1 {
			g.warmed += g.c.ids.warm(w.hashes[2*i:min(2*(i+warmRows), len(w.hashes))], 2)
		}
		id, view := w.hashes[2*i], w.hashes[2*i+1]
		v := &s.Verdicts[i]
		if id != 0 && g.c.ids.has(id) {
			v.Outcome = Duplicate
			duplicates++
			continue
		}
		if code, message := j.time(ev.Time); code != "" {
			*v = Verdict{Rejected, code, message}
			g.count(event.Count{Site: site, Verdict: Rejected.String(), Reason: code, N: 1})
			continue
		}
		if id != 0 {
			g.c.ids.add(id)
			g.open.ids = append(g.open.ids, id)
		}
		g.enc.Add(site, ev, id, view)
		v.Outcome = Stored
		if ev.Flags&event.FlagRobot != 0 {
			g.count(event.Count{Site: site, Verdict: VerdictBot, Reason: ev.Columns[event.ColBotClass], N: 1})
			robots++
			continue
		}
		stored++
	}
	if stored > 0 {
		g.count(event.Count{Site: site, Verdict: Stored.String(), N: stored})
	}
	if stored+robots > 0 && j.clock != nil {
		g.touch(j.clock)
	}
	if duplicates > 0 {
		g.count(event.Count{Site: site, Verdict: Duplicate.String(), N: duplicates})
	}
}

// touch notes that the open commit changes a clock.
func (g *gatherer) touch(k *clock) {
	if !k.touched {
		k.touched = true
		g.touched = append(g.touched, k)
	}
}

// count adds a ledger line to the open commit.
func (g *gatherer) count(c event.Count) {
	if c.N == 0 {
		return
	}
	for i := range g.tally {
		if t := &g.tally[i]; t.Verdict == c.Verdict && t.Reason == c.Reason && t.Site == c.Site {
			t.N += c.N
			return
		}
	}
	c.Reason = strings.Clone(c.Reason) // a robot's class is its event's
	g.tally = append(g.tally, c)
}

// seal stamps and encodes the open commit and begins a new one. The caller
// hands g.flying to the writer.
func (g *gatherer) seal() {
	b := g.open
	after := pace(len(b.shares))
	if g.paced = after > 0; g.paced {
		g.pace.Reset(after)
	}
	b.stamp = max(g.c.cfg.Now().UnixMilli(), g.c.stamp)
	g.c.stamp = b.stamp
	if hour := b.stamp / hourMillis; hour > g.c.ids.hour {
		g.c.ids.advance(hour)
		for _, id := range b.ids {
			g.c.ids.touch(id)
		}
	}
	g.enc.SetStamp(b.stamp)
	for _, k := range g.touched {
		k.touched = false
		now := int64(clockForgotten)
		if k.known {
			now = k.now
			g.enc.SetClock(k.site, now)
		}
		b.clocks = append(b.clocks, siteClock{k.site, now})
	}
	for _, c := range g.tally {
		g.enc.AddCount(c)
	}
	b.counts = g.c.ledger.take(b.counts)
	for _, c := range b.counts {
		g.enc.AddCount(c)
	}
	b.rows = g.enc.Rows()
	b.message = g.enc.AppendTo(make([]byte, 0, g.enc.Size()))
	b.size = len(b.message)
	g.clearOpen()
	g.flying, g.open, g.spare = b, g.spare, nil
	g.force = false
}

// clearOpen empties what the open commit gathered beside its struct. The
// encoder gives up the strings of events here, before their owners go on.
func (g *gatherer) clearOpen() {
	g.enc.Reset(0)
	clear(g.tally)
	g.tally = g.tally[:0]
	clear(g.touched)
	g.touched = g.touched[:0]
	g.estimate, g.items, g.bulk, g.first = 0, 0, 0, false
}
