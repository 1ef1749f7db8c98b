package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/program"
)

// desk is a service with an engine and a log in memory.
type desk struct {
	t        testing.TB
	site     *event.Site
	engine   *engine.Engine
	programs *program.Programs
	decider  *Decider
	service  *Service
	now      int64

	mu      sync.Mutex // as a Committer
	ids     map[string]bool
	holding bool
	held    []func()
	clock   int64 // the greatest event time of a site with clock "event"
	log     [][]byte
}

// engineFacts are the facts of a desk's engine, which is opened after them.
type engineFacts struct{ d *desk }

func (f engineFacts) Fact(kind, site, key string) ([]byte, bool) {
	return f.d.engine.Fact(kind, site, key)
}

func newDesk(t testing.TB, text string) *desk {
	t.Helper()
	return newDeskOf(t, event.Site{ID: "news", Timezone: "Europe/Berlin"}.WithDefaults(), text)
}

// newDeskOf makes a desk of a site.
func newDeskOf(t testing.TB, site event.Site, text string) *desk {
	t.Helper()
	d := &desk{t: t, ids: map[string]bool{}, now: time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC).UnixMilli()}
	d.site = &site
	d.engine, d.programs, d.decider = d.open()
	d.service = New(Config{Engine: d.engine, Committer: d, Programs: d.programs, Decider: d.decider,
		IDs: identity.NewDecisions(bytes.Repeat([]byte("s"), 32)), Now: func() time.Time { return time.UnixMilli(d.now) }, Random: rand.Reader})
	value, err := json.Marshal(d.site)
	if err != nil {
		t.Fatal(err)
	}
	d.facts(event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: value})
	d.store(text)
	return d
}

// open opens an empty engine that decides.
func (d *desk) open() (*engine.Engine, *program.Programs, *Decider) {
	d.t.Helper()
	own := &desk{}
	programs := program.New(engineFacts{own})
	decider := NewDecider(programs)
	e, err := engine.Open(engine.Config{Shards: 2, Decide: func(int) engine.Decider { return decider }, Prepare: decider})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = e.Close() })
	own.engine = e
	return e, programs, decider
}

// store stores a version of the program, active from then on.
func (d *desk) store(text string) {
	d.t.Helper()
	state, err := d.programs.State("news")
	if err != nil {
		d.t.Fatal(err)
	}
	_, facts, err := program.Stored("news", state, event.Program{Files: map[string]string{event.MainFile: text}}, true)
	if err != nil {
		d.t.Fatal(err)
	}
	d.facts(facts...)
}

func (d *desk) facts(facts ...event.Fact) {
	d.t.Helper()
	position, err := d.CommitFacts(d.t.Context(), facts...)
	if err == nil {
		err = d.engine.Wait(d.t.Context(), position)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// write appends a message and applies it. The caller holds mu.
func (d *desk) write(fill func(*event.Encoder)) (event.Position, error) {
	var e event.Encoder
	e.Reset(d.now)
	fill(&e)
	message := e.AppendTo(nil)
	d.log = append(d.log, bytes.Clone(message))
	position := event.MakePosition(int(d.now/86400_000), 0, uint64(len(d.log)))
	return position, d.engine.Apply(position, message)
}

func (d *desk) CommitFacts(_ context.Context, facts ...event.Fact) (event.Position, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write(func(e *event.Encoder) {
		for _, f := range facts {
			e.AddFact(f)
		}
	})
}

// Submit implements Committer, dropping what it knows by its id.
func (d *desk) Submit(s *eventlog.Submission, done func(error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	commit := func() {
		s.Verdicts = make([]eventlog.Verdict, len(s.Events))
		_, err := d.write(func(e *event.Encoder) {
			for i := range s.Events {
				if id := s.Events[i].ID; d.ids[id] {
					s.Verdicts[i].Outcome = eventlog.Duplicate
					continue
				}
				d.ids[s.Events[i].ID] = true
				s.Verdicts[i].Outcome = eventlog.Stored
				e.Add(s.Site.ID, &s.Events[i], uint64(len(d.ids)), 0)
				if s.Site.Clock == event.ClockEvent {
					d.clock = max(d.clock, s.Events[i].Time)
					e.SetClock(s.Site.ID, d.clock)
				}
			}
		})
		done(err)
	}
	if d.holding {
		d.held = append(d.held, commit)
	} else {
		commit()
	}
	return nil
}

// release commits what was held back and returns how many submissions that was.
func (d *desk) release() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = len(d.held)
	for _, commit := range d.held {
		commit()
	}
	d.held, d.holding = nil, false
	return n
}

// decide asks about an item for a device.
func (d *desk) decide(device, item string, commit bool) *Verdict {
	d.t.Helper()
	v, err := d.service.Decide(d.t.Context(), &Ask{Site: d.site, Access: "story", Reader: "device:" + device, Item: item, Commit: commit})
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func (d *desk) commit(id string) *Verdict {
	d.t.Helper()
	v, err := d.service.Commit(d.t.Context(), d.site, id, Own{Any: true}, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// said is the body of a verdict but for what it took.
func said(t *testing.T, v *Verdict) string {
	t.Helper()
	own := *v
	own.TookMicros = 0
	text, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnknownBlockRefusesAll: of questions of which one asks about an access block
// that is not there none is committed.
func TestUnknownBlockRefusesAll(t *testing.T) {
	d := newDesk(t, metered)
	ask := func(access, item string) Ask {
		return Ask{Site: d.site, Access: access, Reader: "device:d1", Item: item, Commit: true}
	}
	for _, asks := range [][]Ask{
		{ask("story", "a1"), ask("stroy", "a2")},
		{ask("story", "a1"), ask("story", "a2"), ask("stroy", "a3")},
	} {
		var unknown *UnknownAccess
		err := d.service.DecideAll(t.Context(), asks, func(i int, v *Verdict) { t.Errorf("question %d is answered: %+v", i, v) })
		if !errors.As(err, &unknown) || unknown.Nearest != "story" {
			t.Errorf("DecideAll: %v", err)
		}
	}
	if v := d.decide("d1", "a4", false); v.Meter.Used != 0 {
		t.Errorf("%d are used", v.Meter.Used)
	}
}

const metered = `
meter monthly (limit: 3) = burns |> per month |> distinct item
access story (deadline: 10s) {
  allow again   if item in monthly
  allow metered if monthly.left > 0 burns monthly
  deny  stop    offers wall
}`

// TestOneDecisionCommittedAtOnce: requests that commit one decision at the same time
// are one commit, and get one answer; whoever gives up does not end it for the others.
func TestOneDecisionCommittedAtOnce(t *testing.T) {
	d := newDesk(t, metered)
	id := d.decide("d1", "a1", false).DecisionID
	d.holding = true
	type answer struct {
		v   *Verdict
		err error
	}
	const n = 20
	answers := make(chan answer, n)
	for range n {
		go func() {
			v, err := d.service.Commit(t.Context(), d.site, id, Own{Any: true}, 0)
			answers <- answer{v, err}
		}()
	}
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := d.service.Commit(impatient, d.site, id, Own{Device: "d1"}, 0)
		gone <- err
	}()
	for waits, sent := 0, 0; waits < n+1 || sent == 0; runtime.Gosched() { // all have come
		d.decider.waiting.mu.Lock()
		if c := d.decider.waiting.calls[codeOf(id)]; c != nil {
			waits = len(c.waiters)
		}
		d.decider.waiting.mu.Unlock()
		d.mu.Lock()
		sent = len(d.held)
		d.mu.Unlock()
	}
	cancel()
	if err := <-gone; err == nil {
		t.Error("who gave up got an answer")
	}
	if sent := d.release(); sent != 1 {
		t.Errorf("%d commits went to the log", sent)
	}
	want := ""
	for range n {
		a := <-answers
		if a.err != nil {
			t.Fatal(a.err)
		}
		if *a.v.Commit != commitBurned || a.v.Meter.Used != 1 {
			t.Errorf("%s of %d", *a.v.Commit, a.v.Meter.Used)
		}
		if got := said(t, a.v); want == "" {
			want = got
		} else if got != want {
			t.Error(cmp.Diff(want, got))
		}
	}
	if got := d.commit(id); *got.Commit != commitBurned || got.Meter.Used != 1 {
		t.Errorf("later it is %s of %d", *got.Commit, got.Meter.Used)
	}
	if left := fmt.Sprint(d.decider.waiting.calls); left != "map[]" {
		t.Errorf("calls are left: %s", left)
	}
}

// TestDecisionLooksAtTheWindow: what a meter has burned before its window costs a
// decision nothing.
func TestDecisionLooksAtTheWindow(t *testing.T) {
	d := newDesk(t, strings.Replace(metered, "per month", "last 1h", 1))
	const minute = 60_000
	for range 300 { // 3 an hour at most
		d.now += 20 * minute
		if v := d.decide("old", fmt.Sprint("a", d.now), true); *v.Commit != commitBurned {
			t.Fatal(*v.Commit)
		}
	}
	d.decide("new", "a1", true)
	costs := map[string]float64{}
	for _, device := range []string{"old", "new"} {
		p, err := d.programs.Active(d.site)
		if err != nil {
			t.Fatal(err)
		}
		q := question{plan: p.Plan, access: p.Plan.Access("story"), item: "a9", at: d.now + 50*minute, given: &Given{}, commit: true}
		err = d.engine.InTurn(t.Context(), "news", "device:"+device, func(r *engine.Reader) {
			q.reader = r
			costs[device] = testing.AllocsPerRun(10, func() { decide(&q) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if costs["old"] > costs["new"] {
		t.Errorf("a decision allocates %g times after 300 burns, %g times after 1", costs["old"], costs["new"])
	}
}

// TestRepeatedAmongMany: a commit is found again, whatever its reader has done
// since; its shard looks at few rows for that.
func TestRepeatedAmongMany(t *testing.T) {
	d := newDesk(t, metered)
	id := d.decide("d1", "a1", false).DecisionID
	want := said(t, d.commit(id))
	repeated := func(whole bool) {
		t.Helper()
		err := d.engine.InTurn(t.Context(), "news", "device:d1", func(r *engine.Reader) {
			var rows engine.Rows
			if got := r.DecisionsAt(d.now, lookedAt, &rows); got != whole || (rows.Len() > 0) != whole {
				t.Errorf("the newest rows have %d decisions of then and are all: %v", rows.Len(), got)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err := d.service.Commit(t.Context(), d.site, id, Own{Device: "d1"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Replace(want, `"segments":[],`, "", 1), said(t, v)); diff != "" {
			t.Error(diff)
		}
		if x, err := d.service.Explain(t.Context(), d.site, id); err != nil || *x.Commit != commitBurned {
			t.Errorf("%+v, %v", x, err)
		}
	}
	repeated(true)
	d.mu.Lock()
	_, err := d.write(func(e *event.Encoder) {
		for n := range uint64(2 * lookedAt) {
			ev := event.Event{Time: d.now + 1, Device: "d1"}
			ev.Columns[event.ColType] = event.TypePageView
			e.Add("news", &ev, 1000+n, 0)
		}
	})
	d.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	repeated(false)
	if list, err := d.service.Of(t.Context(), d.site, "device:d1"); err != nil || len(list) != 1 || list[0].DecisionID != id {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := d.service.Of(t.Context(), d.site, "nobody"); !errors.Is(err, engine.ErrUnknownReader) {
		t.Errorf("of nobody: %v", err)
	}
}

// TestSessionKeepsWhatWasBurned: a session whose reader hung up before the answer is
// told again what it has to keep.
func TestSessionKeepsWhatWasBurned(t *testing.T) {
	for _, window := range []string{"per month", "last 3d", "from_first 3d"} {
		d := newDesk(t, strings.Replace(metered, "per month", window, 1))
		session := &Session{User: "device:hash"}
		for i := range 3 {
			d.now += 3_600_000
			ask := Ask{Site: d.site, Access: "story", Reader: session.User, Item: fmt.Sprint("a", i), Given: Given{Session: session}}
			bare, err := d.service.Decide(t.Context(), &ask)
			if err != nil {
				t.Fatal(err)
			}
			commit := func(own Own) *Verdict {
				t.Helper()
				v, err := d.service.Commit(t.Context(), d.site, bare.DecisionID, own, 0)
				if err != nil || *v.Commit != commitBurned || v.Burned == nil {
					t.Fatalf("%s: %+v, %v", window, v, err)
				}
				return v
			}
			d.now += 60_000
			own := Own{Users: []string{session.User}, Burns: session.Burns}
			first, again := commit(own), commit(own)
			if diff := cmp.Diff(first.Burned, again.Burned); diff != "" {
				t.Errorf("%s: %s", window, diff)
			}
			if diff := cmp.Diff(said(t, first), said(t, again)); diff != "" {
				t.Error(diff)
			}
			session.Burns = append(session.Burns, *again.Burned)
			if v := commit(Own{Users: []string{session.User}, Burns: session.Burns}); *v.Burned != *first.Burned {
				t.Errorf("%s: with its burn: %+v", window, v.Burned)
			}
		}
	}
}

// TestProgramOfItsPlace: a commit is decided by the program as it stands at its place
// in the log, though facts have moved on when its shard comes to it.
func TestProgramOfItsPlace(t *testing.T) {
	d := newDesk(t, metered)
	id := d.decide("d1", "a1", false).DecisionID
	begun, leave := make(chan struct{}), make(chan struct{})
	turn := make(chan error, 1)
	go func() {
		turn <- d.engine.InTurn(t.Context(), "news", "device:d1", func(*engine.Reader) { close(begun); <-leave })
	}()
	<-begun
	done := make(chan *Verdict, 1)
	go func() { done <- d.commit(id) }()
	for sent := 0; sent == 0; runtime.Gosched() {
		d.mu.Lock()
		sent = len(d.ids)
		d.mu.Unlock()
	}
	state, err := d.programs.State("news")
	if err != nil {
		t.Fatal(err)
	}
	_, facts, err := program.Stored("news", state, event.Program{Files: map[string]string{event.MainFile: "access story { deny all offers wall }"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	facts = append(facts, event.Fact{Kind: event.FactProgram, Site: "news", Key: "1"}) // it is not kept any more
	if _, err := d.CommitFacts(t.Context(), facts...); err != nil {
		t.Fatal(err)
	}
	for known := true; known; runtime.Gosched() {
		_, known = d.engine.Fact(event.FactProgram, "news", "1")
	}
	close(leave)
	if err := <-turn; err != nil {
		t.Fatal(err)
	}
	if v := <-done; v.ProgramVersion != 1 || *v.Commit != commitBurned {
		t.Errorf("version %d: %s", v.ProgramVersion, *v.Commit)
	}
}

// lateEngine keeps the turns that are asked for, and has no room for those that do
// not wait.
type lateEngine struct {
	*engine.Engine
	turns []func(*engine.Reader, error)
}

func (e *lateEngine) Turn(_ context.Context, _, _ string, wait bool, _ engine.Few, fn func(*engine.Reader, error)) error {
	if !wait {
		return engine.ErrBusy
	}
	e.turns = append(e.turns, fn)
	return nil
}

// TestWhatIsOverIsNotDecided: a turn that comes after its question has ended decides
// nothing; a question that was started for nothing first is counted once.
func TestWhatIsOverIsNotDecided(t *testing.T) {
	d := newDesk(t, metered)
	late := &lateEngine{Engine: d.engine}
	d.service.Engine = late
	ask := &Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: "a1"}
	if _, ok := d.service.Start(ask, func() { t.Error("a question that was not started has ended") }); ok {
		t.Fatal("started without room")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.service.Decide(ctx, ask); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := d.service.Asked(); n != 1 {
		t.Errorf("%d questions are counted, want 1", n)
	}
	for _, turn := range late.turns {
		turn(nil, nil) // panics if the reader is looked at
	}
	if len(late.turns) != 1 {
		t.Errorf("%d turns, want 1", len(late.turns))
	}
}

// TestPanicTellsWhoWaits: who waits for a commit whose decision panics is told at
// once.
func TestPanicTellsWhoWaits(t *testing.T) {
	d := NewDecider(nil)
	told := 0
	a := &attempt{Service: &Service{Config: Config{Decider: d}}, ask: &Ask{}, ticket: &ticket{}, done: func() { told++ }}
	if c, first := d.waiting.join("", a); c == nil || !first {
		t.Fatal("nobody waits")
	}
	panicked := func() (p any) {
		defer func() { p = recover() }()
		d.Commit(&engine.Commit{Prepared: &prepared{ticket: ticket{}}}) // has no reader
		return nil
	}()
	if panicked == nil || told != 1 || !errors.Is(a.ended.err, engine.ErrPanic) {
		t.Errorf("panic %v, told %d times, %v", panicked, told, a.ended.err)
	}
}

// TestCallsAreUsedAgain: a call that has ended is another decision's next, and who
// leaves it late takes nothing from that.
func TestCallsAreUsedAgain(t *testing.T) {
	w := &NewDecider(nil).waiting
	c := &call{of: w}
	w.spare.New = func() any { return c } // also where the pool has lost it
	waiter := func(told *int) *attempt {
		service := &Service{Config: Config{Decider: NewDecider(nil)}}
		return &attempt{Service: service, ask: &Ask{}, ticket: &ticket{}, done: func() { *told++ }}
	}
	told, next := 0, 0
	late := waiter(&told)
	w.join("first", late)
	w.call("first").end(answer{verdict: &Verdict{}})
	if told != 1 || c.holds.Load() != 1 {
		t.Fatalf("told %d times, %d have hold of it", told, c.holds.Load())
	}
	c.letGo() // the log
	again, first := w.join("second", waiter(&next))
	if again != c || !first || len(c.waiters) != 1 || c.holds.Load() != 2 {
		t.Fatalf("%d wait, %d have hold of it", len(again.waiters), again.holds.Load())
	}
	w.leave(c, late)
	if w.calls["second"] != c || len(c.waiters) != 1 || c.holds.Load() != 2 {
		t.Error("who left late has taken the next one's call")
	}
	w.end(c, errRepeated)
	if next != 1 || len(w.calls) != 0 {
		t.Errorf("told %d times, %d calls are left", next, len(w.calls))
	}
}
