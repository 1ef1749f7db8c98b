package segment

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/rubrictest"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// world is a site in an engine whose segments are kept, and who follows their
// changes.
type world struct {
	t       *rapid.T
	cfg     engine.Config
	e       *engine.Engine
	service *Service

	enc      event.Encoder
	seq      uint64
	now      int64 // log time
	clock    int64 // of the site
	site     event.Site
	programs event.Active
	prepared int
	views    uint64
	counts   map[string]int

	changes *Changes
	follow  map[string]map[string]bool // by reader: segments, as the changes tell
	known   bool                       // follow is valid

	wrong   atomic.Value // a string: what was decided wrongly
	decided atomic.Int64 // commits on rows that are kept
}

func (w *world) pick(n int) int { return rapid.IntRange(0, n-1).Draw(w.t, "pick") }

func oneOf[T any](w *world, of ...T) T { return of[w.pick(len(of))] }

func newWorld(t *rapid.T, dir string) *world {
	w := &world{t: t, now: time.Date(2026, 3, 27, 9, 0, 0, 0, time.UTC).UnixMilli(), counts: map[string]int{}}
	w.cfg = engine.Config{Shards: 1 + w.pick(3), Dir: dir, Decide: func(int) engine.Decider { return decider{w} }}
	w.site = event.Site{ID: "news", Timezone: oneOf(w, "UTC", "America/Sao_Paulo", "Europe/Berlin"), Window: oneOf(w, "2d", "7d"), Clock: oneOf(w, event.ClockWall, event.ClockWall, event.ClockEvent)}
	w.clock = w.now
	w.open()
	w.fact(event.FactSite, "news", w.site.WithDefaults())
	w.send()
	return w
}

func (w *world) open() {
	e, err := engine.Open(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.e = e
	w.service = New(Config{Engine: e, Programs: program.New(e), HeavyRows: oneOf(w, 0, 0, 2, 5)})
	if err := w.service.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.changes, w.known = w.service.Changes("news", 0, false), false
}

func (w *world) close() {
	if err := w.e.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.service.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) position() event.Position { return event.MakePosition(20000, 0, w.seq) }

// fact adds a fact to the next message; nil removes it.
func (w *world) fact(kind, key string, value any) {
	f := event.Fact{Kind: kind, Site: "news", Key: key}
	w.t.Logf("  fact %s %s %v", kind, key, value)
	if value != nil {
		text, err := json.Marshal(value)
		if err != nil {
			w.t.Fatal(err)
		}
		f.Value = text
	}
	w.enc.AddFact(f)
}

// send sends the message, with what it has.
func (w *world) send() {
	w.seq++
	w.enc.SetStamp(w.now)
	if w.site.Clock == event.ClockEvent && w.counts["rows"] > 0 {
		w.enc.SetClock("news", w.clock)
	}
	if err := w.e.Apply(w.position(), w.enc.AppendTo(nil)); err != nil {
		w.t.Fatal(err)
	}
	w.enc.Reset(w.now)
}

// siteNow is the time of the site as of the last message.
func (w *world) siteNow() int64 {
	if w.site.Clock == event.ClockEvent && w.counts["rows"] > 0 {
		return w.clock
	}
	return w.now
}

// event adds a row to the next message.
func (w *world) event() {
	at := w.siteNow()
	switch w.pick(6) {
	case 0:
		at -= oneOf(w, minute, 29*minute, hour, 6*hour, day, 2*day, 1)
	case 1:
		at += oneOf[int64](w, 1, 1000, 5*minute)
	}
	ev := event.Event{Time: at, Device: fmt.Sprint("d", w.pick(4))}
	w.views++
	view := uint64(0)
	if w.pick(6) == 0 {
		ev.Flags, ev.Columns[event.ColType] = event.FlagCommit, event.TypeDecision
		w.enc.Add("news", &ev, w.seq<<20|w.views, 0)
		return
	}
	switch w.pick(8) {
	case 0, 1, 2:
		ev.Columns[event.ColType], view = event.TypePageView, w.views
	case 3:
		ev.Columns[event.ColType] = event.TypeEngagement
		ev.EngagedMillis, ev.Scroll = uint32(w.pick(3))*10_000, uint8(w.pick(3)*30)
		if view = w.views - uint64(w.pick(6)); view == 0 {
			view = 1
		}
		ev.Flags |= event.FlagNoDevice // its view decides
		ev.Device = ""
	case 4:
		ev.Columns[event.ColType] = "wall_shown"
		ev.Value, ev.Flags = int64(w.pick(3))*1_000_000, event.FlagHasValue
	default:
		ev.Columns[event.ColType] = oneOf(w, "plans_opened", "page_view")
		if ev.Type() == event.TypePageView {
			view = w.views
		}
	}
	if ev.Type() != event.TypeEngagement {
		w.columns(&ev)
	}
	if w.site.Clock == event.ClockEvent {
		w.clock = max(w.clock, at)
	}
	w.counts["rows"]++
	w.t.Logf("  event %s at %d by %q for %q, flags %d, item %q", ev.Type(), at, ev.Device, ev.Columns[event.ColAccount], ev.Flags, ev.Columns[event.ColItem])
	w.enc.Add("news", &ev, w.seq<<20|w.views, view)
}

func (w *world) columns(ev *event.Event) {
	if w.pick(4) > 0 {
		ev.Columns[event.ColItem] = oneOf(w, "a0", "a1", "a2", "https://news.example/0", "https://news.example/1")
	}
	if w.pick(3) > 0 {
		ev.Columns[event.ColCountry] = oneOf(w, "de", "br", "us")
	}
	if w.pick(3) == 0 {
		ev.Columns[event.ColPath] = oneOf(w, "/", "/de/a", "/br")
	}
	if w.pick(3) == 0 {
		ev.Properties = append(ev.Properties, event.Property{Name: "plan", Value: oneOf(w, "de", "br")})
	}
	if w.pick(3) == 0 {
		ev.Properties = append(ev.Properties, event.Property{Name: "price", Value: oneOf(w, "0.5", "-3", "12"), Kind: event.KindNumber})
	}
	switch w.pick(8) {
	case 0:
		ev.Columns[event.ColAccount] = fmt.Sprint("k", w.pick(2)) // a claim
	case 1, 2:
		ev.Columns[event.ColAccount] = fmt.Sprint("k", w.pick(2))
		ev.Flags |= event.FlagProven
		if w.pick(3) == 0 { // the account's own
			ev.Device = engine.AccountSubject(ev.Columns[event.ColAccount])
		}
	}
}

// step puts something into the next message or lets time pass.
func (w *world) step() {
	what := w.pick(20)
	w.t.Logf("step %d, now %d, site %d", what, w.now, w.siteNow())
	switch what {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		for range 1 + w.pick(4) {
			w.event()
		}
	case 8, 9, 10, 11:
		passed := oneOf(w, 0, 1, 1000, minute, hour, 6*hour, day)
		if passed == day && w.pick(2) == 0 {
			passed = 2*day + 1
		}
		if due := w.e.Due(); due < 1<<60 && due > w.now && w.pick(2) == 0 {
			passed = due - w.now - int64(w.pick(2))
		}
		w.now += passed
		w.event()
	case 12, 13:
		w.item()
	case 14:
		w.account()
	case 15:
		w.fact(event.FactJoin, fmt.Sprint("d", w.pick(4)), event.Login{Account: fmt.Sprint("k", w.pick(2))})
	case 16:
		if w.pick(3) == 0 {
			w.counts["erased"]++
			w.fact(event.FactErase, oneOf(w, "device:d0", "device:d1", "account:k0", "account:k1"), event.Login{})
		} else {
			w.event()
		}
	case 17, 18:
		w.program()
	case 19:
		switch w.pick(4) {
		case 0:
			w.site.Timezone = oneOf(w, "UTC", "America/Sao_Paulo", "Europe/Berlin")
			w.fact(event.FactSite, "news", w.site.WithDefaults())
		case 1:
			if w.cfg.Dir != "" {
				w.counts["restarted"]++
				w.close()
				w.open()
			}
		default:
			w.now += oneOf(w, minute, day)
		}
	}
	w.send()
}

func (w *world) item() {
	for range 1 + w.pick(2) {
		id := fmt.Sprint("a", w.pick(3))
		if w.pick(5) == 0 {
			w.fact(event.FactItem, id, nil)
			continue
		}
		item := event.Item{ID: id}
		if w.pick(4) > 0 {
			item.Section = oneOf(w, "sport", "news")
		}
		if w.pick(3) > 0 {
			item.Tags = []string{oneOf(w, "de", "br")}
		}
		if w.pick(3) == 0 {
			item.URL = fmt.Sprint("https://news.example/", w.pick(2))
		}
		w.fact(event.FactItem, id, item)
	}
}

func (w *world) account() {
	a := event.Account{}
	if w.pick(2) == 0 {
		a.Traits = map[string]any{"city": oneOf(w, "de", "br")}
	}
	for range w.pick(3) {
		e := event.Entitlement{Name: "premium", State: oneOf(w, event.StateActive, event.StatePastDue, event.StateEnded)}
		from := time.UnixMilli(w.siteNow() + oneOf(w, 0, -day, hour)).UTC()
		until := from.Add(time.Duration(oneOf(w, hour, day, 2*day)) * time.Millisecond)
		e.From, e.Until = &from, &until
		if e.State == event.StatePastDue {
			e.PastDueSince = &from
		}
		a.Entitlements = append(a.Entitlements, e)
	}
	w.fact(event.FactAccount, fmt.Sprint("k", w.pick(2)), a)
}

// program stores, prepares, activates or abandons a version.
func (w *world) program() {
	switch {
	case w.prepared != 0 && w.pick(3) > 0:
		w.counts["switched"]++
		w.programs.Version = w.prepared
		w.prepared = 0
		w.fact(event.FactActive, "", w.programs)
		w.fact(event.FactPrepare, "", nil)
	case w.prepared != 0:
		w.prepared = 0
		w.fact(event.FactPrepare, "", nil)
	default:
		w.programs.Stored++
		text := rubrictest.Segments(w.pick) + program.Initial
		w.fact(event.FactProgram, fmt.Sprint(w.programs.Stored), event.Program{Files: map[string]string{event.MainFile: text}})
		if w.programs.Version == 0 || w.pick(3) == 0 {
			w.programs.Version = w.programs.Stored
		} else {
			w.prepared = w.programs.Stored
			w.fact(event.FactPrepare, "", event.Prepare{Version: w.prepared})
		}
		w.fact(event.FactActive, "", w.programs)
	}
}

// checkTurn compares what decisions are made on, in the turn of a reader.
func (w *world) checkTurn(ctx context.Context, p *plan.Program, name string, at int64, want []string) {
	var got []string
	if err := w.e.InTurn(ctx, "news", name, func(r *engine.Reader) {
		v := View(p, r, at)
		if v.Folded != nil {
			w.counts["kept rows decided on"]++
		}
		got = v.Segments()
	}); err != nil {
		w.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("%s in its turn at %d: %q, want %q\n%s", name, at, got, want, p.Print())
	}
}

// decider compares what commits are decided on, in the middle of a message.
type decider struct{ w *world }

func (d decider) Commit(c *engine.Commit) (none engine.Outcome) {
	active, err := d.w.service.cfg.Programs.Active(c.Reader.Site)
	if err != nil {
		return none
	}
	for _, at := range []int64{c.Time, c.Reader.Now} {
		if at < c.Reader.From {
			continue
		}
		v, plain := View(active.Plan, c.Reader, at), View(active.Plan, c.Reader, at)
		if v.Folded != nil {
			d.w.decided.Add(1)
		}
		plain.Folded = nil
		if got, want := v.Segments(), plain.Segments(); !slices.Equal(got, want) {
			d.w.wrong.Store(fmt.Sprintf("a commit of %s at %d (now %d) is decided on %q, want %q\n%s", c.Reader.Name, at, c.Reader.Now, got, want, active.Plan.Print()))
		}
	}
	return none
}

// byFold works out who is in which segment.
func (w *world) byFold(view *engine.View, at int64) map[string][]string {
	active, err := w.service.cfg.Programs.Active(view.Site)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string][]string{}
	_ = view.EachReader(func(name string) error {
		out[name], _ = Of(active.Plan, view, name, at)
		return nil
	})
	return out
}

// check compares everything that is kept with the plain evaluator.
func (w *world) check(what string) {
	defer func() {
		if wrong := w.wrong.Load(); wrong != nil {
			w.t.Fatal(wrong)
		}
		w.counts["kept rows committed on"] += int(w.decided.Swap(0))
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	view, err := w.e.Readers(ctx, "news", w.position())
	if err != nil {
		w.t.Fatalf("%v %+v", err, w.e.Failure())
	}
	active, err := w.service.cfg.Programs.Active(view.Site)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, at := range []int64{view.Now, view.Now + oneOf(w, 1, 900, hour), max(view.Now-oneOf(w, 1, hour, day), view.From)} {
		for name, want := range w.byFold(view, at) {
			w.checkTurn(ctx, active.Plan, name, at, want)
			got, err := w.service.Of(ctx, view.Site, name, at)
			if err != nil {
				w.t.Fatal(err)
			}
			if !slices.Equal(got.Segments, want) || got.Version != active.Version {
				w.t.Fatalf("%s: %s at now%+d: %q of version %d, want %q of version %d\n%s", what, name, at-view.Now, got.Segments, got.Version, want, active.Version, active.Plan.Print())
			}
			if known, ok := w.service.OfAtOnce(view.Site, name, at); ok {
				if !slices.Equal(known.Segments, want) || known.Version != active.Version || known.At != at {
					w.t.Fatalf("%s: %s at now%+d: %q of version %d at once, want %q of version %d\n%s", what, name, at-view.Now, known.Segments, known.Version, want, active.Version, active.Plan.Print())
				}
				w.counts["at once"]++
			}
		}
	}
	if unknown, err := w.service.Of(ctx, view.Site, "device:nobody", view.Now); err != nil {
		w.t.Fatal(err)
	} else if want, _ := Of(active.Plan, view, "device:nobody", view.Now); !slices.Equal(unknown.Segments, want) {
		w.t.Fatalf("%s: nobody is in %q, want %q", what, unknown.Segments, want)
	}
	for _, at := range []int64{view.Now, view.Now + oneOf[int64](w, 1, 900)} {
		for _, s := range active.Plan.Segments {
			w.checkSegment(ctx, what, view, s.Name, at)
		}
		w.checkStanding(ctx, what, view, active.Plan, at)
	}
	w.checkChanges(ctx, what)
}

func (w *world) checkSegment(ctx context.Context, what string, view *engine.View, segment string, at int64) {
	want, err := w.service.SizeAt(ctx, view, segment, at)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.service.Size(ctx, view.Site, segment, at)
	if err != nil {
		w.t.Fatalf("%s: size: %v (%+v)", what, err, w.e.Failure())
	}
	if got.Size != want.Size || got.Readers != want.Readers || got.Version != want.Version {
		w.t.Fatalf("%s: %s at now%+d has %+v, want %+v", what, segment, at-view.Now, got, want)
	}
	list := func(of func(emit func(string) error) error) (names []string) {
		if err := of(func(name string) error { names = append(names, name); return nil }); err != nil {
			w.t.Fatal(err)
		}
		slices.Sort(names)
		return names
	}
	members := list(func(emit func(string) error) error { return w.service.Members(ctx, view.Site, segment, at, emit) })
	plain := list(func(emit func(string) error) error { return w.service.MembersAt(ctx, view, segment, at, emit) })
	if !slices.Equal(members, plain) {
		w.t.Fatalf("%s: members of %s: %q, want %q", what, segment, members, plain)
	}
}

// checkStanding compares the segments of all readers of a view with the members of
// each.
func (w *world) checkStanding(ctx context.Context, what string, view *engine.View, p *plan.Program, at int64) {
	want, only := map[string][]string{}, []string(nil)
	if len(p.Segments) > 1 && w.pick(2) == 0 {
		only = []string{p.Segments[w.pick(len(p.Segments))].Name, "no such segment"}
	}
	for _, s := range p.Segments {
		if only != nil && s.Name != only[0] {
			continue
		}
		if err := w.service.MembersAt(ctx, view, s.Name, at, func(name string) error { want[name] = append(want[name], s.Name); return nil }); err != nil {
			w.t.Fatal(err)
		}
	}
	standing := w.service.Standing
	if w.pick(4) == 0 {
		standing = w.service.standingByFold
	}
	seen, got, err := standing(ctx, view.Site, at, only)
	if err != nil {
		w.t.Fatal(err)
	}
	have := map[string][]string{}
	names := func(set uint32) (names []string) {
		for _, n := range got.Sets[set] {
			names = append(names, got.Names[n-1])
		}
		return names
	}
	for shard, codes := range got.Subjects {
		for n, set := range codes {
			name := engine.ReaderName(seen.Shards[shard].Subjects.Name(uint32(n)))
			if set != 0 {
				have[name] = names(set)
			}
			if account, ok := strings.CutPrefix(name, "account:"); ok && got.Accounts[account] != set {
				w.t.Fatalf("%s: account %s is in two sets", what, account)
			}
		}
	}
	if seen.Position != view.Position || len(got.Names) != len(p.Segments) || !maps.EqualFunc(want, have, slices.Equal) {
		w.t.Fatalf("%s: readers are in %v, want %v", what, have, want)
	}
	w.counts["standings"]++
}

// checkChanges compares what the changes add up to.
func (w *world) checkChanges(ctx context.Context, what string) {
	w.send() // what came of slices belongs to the next message
	if _, err := w.e.EachWatcher(ctx, "news", func(int, engine.Watcher, *engine.Live) {}); err != nil {
		w.t.Fatal(err)
	}
	view, err := w.e.Readers(ctx, "news", w.position())
	if err != nil {
		w.t.Fatal(err)
	}
	now := w.byFold(view, view.Now)
	for {
		b, ok, _ := w.changes.take()
		if !ok {
			break
		}
		w.counts["batches"]++
		w.take(b, now)
	}
	w.changes.stream.mu.Lock()
	w.known = w.known && w.changes.stream.live // else all is told anew when it is
	w.changes.stream.mu.Unlock()
	if !w.known {
		return
	}
	w.counts["followed"]++
	for name, want := range now {
		got := slices.Sorted(maps.Keys(w.follow[name]))
		if slices.Sort(want); !slices.Equal(got, want) {
			w.t.Fatalf("%s: by the changes %s is in %q, want %q", what, name, got, want)
		}
	}
}

func (w *world) take(b Batch, now map[string][]string) {
	anew := func() {
		w.known, w.follow = true, map[string]map[string]bool{}
		for name, segments := range now {
			w.follow[name] = map[string]bool{}
			for _, s := range segments {
				w.follow[name][s] = true
			}
		}
	}
	if b.Reset {
		anew()
		return
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Sizes != nil {
			w.counts["activated"]++
			anew()
			continue
		}
		w.counts[c.Because]++
		if w.follow[c.Reader] == nil {
			w.follow[c.Reader] = map[string]bool{}
		}
		if c.Entered {
			w.follow[c.Reader][c.Segment] = true
		} else {
			delete(w.follow[c.Reader], c.Segment)
		}
	}
}

// TestEqualsFold: whatever happens, the segments, sizes, members and changes that
// are kept are those of the plain evaluator.
func TestEqualsFold(t *testing.T) {
	total := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		dir := ""
		if rapid.IntRange(0, 3).Draw(rt, "restarts") == 0 {
			dir = t.TempDir()
		}
		w := newWorld(rt, dir)
		defer w.close()
		w.program()
		w.send()
		for i := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			w.step()
			w.check(fmt.Sprint("step ", i))
		}
		for k, n := range w.counts {
			total[k] += n
		}
	})
	t.Log(total)
	if total["at once"] == 0 {
		t.Error("no reader was answered about at once")
	}
}
