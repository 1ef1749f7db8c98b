package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// quota is a Decider that burns up to so many distinct items of a meter, and
// writes down what it has met. blind ones look at burns only.
type quota struct {
	limit int
	blind bool
	rows  *engine.Rows
}

const quotaTTL = 26 * 3600_000

func (q quota) Commit(c *engine.Commit) engine.Outcome {
	meter, _, _ := c.Property("decision.meter")
	item := c.Text(event.ColItem)
	set, carried := map[string]bool{}, 0
	for _, b := range c.Reader.Burns(nil, meter, 0) {
		if set[b.Item] = true; b.Device != "" {
			carried++
		}
	}
	rows := 0
	if !q.blind {
		c.Reader.Rows(0, c.Time, q.rows)
		rows = q.rows.Len()
	}
	var out engine.Outcome
	note := func(name string, value any) {
		out.Properties = append(out.Properties, event.Property{Name: name, Value: fmt.Sprint(value)})
	}
	result := "refused"
	switch {
	case set[c.Reader.Items.Canonical(item)]:
		result = "again"
	case len(set) < q.limit:
		result = "burned"
		out.Burn = &engine.Burn{Meter: meter, Item: item, Time: c.Time, Limit: int64(q.limit), Rule: 1 << 63, Start: c.Time - 5, Until: c.Time + quotaTTL}
	}
	note("result", result)
	note("met", fmt.Sprint(len(set), carried, rows))
	return out
}

func decideWith(limit int, blind bool) func(int) engine.Decider {
	return func(int) engine.Decider { return quota{limit, blind, new(engine.Rows)} }
}

// logPlace is a place in the log.
type logPlace struct{ message, row int }

func (p logPlace) compare(o logPlace) int {
	return cmp.Or(cmp.Compare(p.message, o.message), cmp.Compare(p.row, o.row))
}

type modelBurn struct {
	engine.Burn
	at logPlace
}

type modelDecision struct {
	Time        int64
	Item, Title string
	Result, Met string
}

// decideModel is what a plain program makes of a log with commits.
type decideModel struct {
	*peopleModel
	limit     int
	blind     bool
	now       int64
	burns     map[string][]modelBurn
	decisions map[string][]modelDecision
	found     map[string]bool
	marks     map[[2]string]logPlace
	claims    map[string]string // item → the address it claims
}

func newDecideModel(limit int, blind bool) *decideModel {
	return &decideModel{peopleModel: newPeopleModel(peopleWindow), limit: limit, blind: blind, burns: map[string][]modelBurn{},
		decisions: map[string][]modelDecision{}, found: map[string]bool{}, marks: map[[2]string]logPlace{}, claims: map[string]string{}}
}

func (m *decideModel) canonical(item string) string {
	best := ""
	for id, address := range m.claims {
		if address == item && (best == "" || id < best) {
			best = id
		}
	}
	return cmp.Or(best, item)
}

// kept returns what is burned of a reader, as it is answered.
func (m *decideModel) kept(reader string) (out []engine.Burn) {
	list := slices.Clone(m.burns[reader])
	slices.SortFunc(list, func(a, b modelBurn) int { return cmp.Or(cmp.Compare(a.Time, b.Time), a.at.compare(b.at)) })
	for _, b := range list {
		if b.Until > m.now {
			b.Item = m.canonical(b.Item)
			out = append(out, b.Burn)
		}
	}
	return out
}

func (m *decideModel) carry(device, account string, at logPlace) {
	pair := [2]string{device, account}
	mark, known := m.marks[pair]
	to := "account:" + account
	for _, b := range m.burns["device:"+device] {
		if b.Until <= m.now || known && b.at.compare(mark) < 0 {
			continue
		}
		if slices.ContainsFunc(m.burns[to], func(o modelBurn) bool { return o.at == b.at }) {
			continue
		}
		b.Device, b.Joined = device, m.now
		m.burns[to] = append(m.burns[to], b)
		m.found[to] = true
	}
	m.marks[pair] = at
}

// joinedTo is what Reader.JoinedTo should say.
func (m *decideModel) joinedTo(device, account string) bool {
	if !m.found["device:"+device] {
		return true
	}
	pair := [2]string{device, account}
	mark, known := m.marks[pair]
	if !known {
		return false
	}
	for _, b := range m.burns["device:"+device] {
		if b.Until > m.now && b.at.compare(mark) >= 0 {
			return false
		}
	}
	for _, e := range m.devices[device] {
		if e.seq > m.peopleModel.marks[pair] && !e.proven && e.account != account && e.time >= m.from {
			return false
		}
	}
	return true
}

func (m *decideModel) forget(reader string) {
	m.erase(reader)
	delete(m.burns, reader)
	delete(m.decisions, reader)
	delete(m.found, reader)
	for pair := range m.marks {
		if "device:"+pair[0] == reader || "account:"+pair[1] == reader {
			delete(m.marks, pair)
		}
	}
	if device, ok := strings.CutPrefix(reader, "device:"); ok {
		for r := range m.burns {
			m.burns[r] = slices.DeleteFunc(m.burns[r], func(b modelBurn) bool { return b.Device == device })
		}
	}
}

func (m *decideModel) apply(message int, acts []act) {
	m.now = acts[0].stamp
	for i := range acts {
		switch f := &acts[i].fact; f.Kind {
		case event.FactJoin:
			if m.found["device:"+f.Key] {
				var login event.Login
				_ = json.Unmarshal(f.Value, &login)
				m.prove(f.Key, login.Account)
				m.carry(f.Key, login.Account, logPlace{message, 0})
			}
		case event.FactErase:
			m.forget(f.Key)
		case event.FactEmpty:
			reader, meter, _ := strings.Cut(f.Key, "\x00")
			m.burns[reader] = slices.DeleteFunc(m.burns[reader], func(b modelBurn) bool { return b.Meter == meter })
		case event.FactItem:
			if delete(m.claims, f.Key); len(f.Value) > 0 {
				var item event.Item
				_ = json.Unmarshal(f.Value, &item)
				m.claims[f.Key] = item.URL
			}
		}
	}
	m.from = max(m.from, acts[0].stamp-m.window)
	row := 0
	for i := range acts {
		a := &acts[i]
		if a.fact.Kind != "" {
			continue
		}
		at := logPlace{message, row}
		row++
		switch account := a.ev.Columns[event.ColAccount]; {
		case a.ev.Flags&event.FlagCommit != 0:
			m.commit(a, at)
		default:
			m.row(a)
			if a.ev.Type() == event.TypeEngagement {
				break
			}
			m.found[engine.ReaderName(a.ev.Device)] = true
			if account != "" {
				m.found["account:"+account] = true
			}
			if a.ev.Flags&event.FlagProven != 0 && !strings.HasPrefix(a.ev.Device, "account:") && !m.dayGone(a.ev.Time) {
				m.carry(a.ev.Device, account, at)
			}
		}
	}
}

func (m *decideModel) commit(a *act, at logPlace) {
	reader := engine.ReaderName(a.ev.Device)
	m.found[reader] = true
	meter, item := a.ev.Properties[0].Value, a.ev.Columns[event.ColItem]
	set, carried := map[string]bool{}, 0
	for _, b := range m.kept(reader) {
		if b.Meter == meter {
			if set[b.Item] = true; b.Device != "" {
				carried++
			}
		}
	}
	rows := 0
	if !m.blind {
		rows = len(m.stream(reader, a.ev.Time))
	}
	d := modelDecision{Time: a.ev.Time, Item: item, Title: a.ev.Columns[event.ColTitle], Result: "refused", Met: fmt.Sprint(len(set), carried, rows)}
	switch {
	case set[m.canonical(item)]:
		d.Result = "again"
	case len(set) < m.limit:
		d.Result = "burned"
		m.burns[reader] = append(m.burns[reader], modelBurn{engine.Burn{Meter: meter, Item: item, Time: a.ev.Time, Limit: int64(m.limit), Rule: 1 << 63,
			Start: a.ev.Time - 5, Until: a.ev.Time + quotaTTL}, at})
	}
	if !m.dayGone(a.ev.Time) {
		m.decisions[reader] = append(m.decisions[reader], d)
	}
}

// shown returns a reader's decisions as they should be.
func (m *decideModel) shown(reader string) (out []modelDecision) {
	for _, d := range slices.Backward(m.decisions[reader]) {
		if d.Time >= m.from && len(out) < 5 {
			out = append(out, d)
		}
	}
	return out
}

// told is what an engine says of a reader.
type told struct {
	Burns     []engine.Burn
	Decisions []modelDecision
}

func (m *decideModel) told(reader string) told { return told{m.kept(reader), m.shown(reader)} }

func toldBy(r *engine.Reader) (out told) {
	r.EachBurn(func(b engine.Burn) { out.Burns = append(out.Burns, b) })
	var rows engine.Rows
	r.Decisions(5, &rows)
	for i := range rows.Len() {
		d := modelDecision{Time: rows.Time(i)}
		rows.Each(i, func(_ int, name, text string, _ event.Kind) {
			switch name {
			case "item":
				d.Item = text
			case "title":
				d.Title = text
			case "result":
				d.Result = text
			case "met":
				d.Met = text
			case "type":
			default:
				d.Result += " and " + name
			}
		})
		out.Decisions = append(out.Decisions, d)
	}
	return out
}

// drawCommits makes a log as drawActs does, with commits, meters that are
// emptied and addresses that items claim.
func drawCommits(t *rapid.T) [][]act {
	log := drawActs(t, rapid.Bool().Draw(t, "erasures"))
	n := 0
	for i, acts := range log {
		var out []act
		for _, a := range acts {
			out = append(out, a)
			for range rapid.IntRange(0, 2).Draw(t, "commits") {
				c := act{message: i, stamp: a.stamp}
				reader := rapid.SampledFrom(peopleReaders).Draw(t, "committer")
				meter := rapid.SampledFrom([]string{"m", "m", "m", "n"}).Draw(t, "meter")
				switch rapid.IntRange(0, 11).Draw(t, "what") {
				case 0:
					c.fact = event.Fact{Kind: event.FactEmpty, Site: "news", Key: event.MeterKey(reader, meter), Value: []byte("{}")}
				case 1:
					c.fact = factOf(event.FactItem, fmt.Sprint("c", rapid.IntRange(0, 1).Draw(t, "claims")), event.Item{URL: fmt.Sprint("a", rapid.IntRange(0, 3).Draw(t, "claimed"))})
				default:
					n++
					c.ev = event.Event{Time: a.stamp - int64(rapid.SampledFrom([]int{0, 0, 1, 9 * 60_000}).Draw(t, "commit late")), Flags: event.FlagCommit,
						Device: strings.TrimPrefix(reader, "device:"), Properties: []event.Property{{Name: "decision.meter", Value: meter}}}
					c.ev.Columns[event.ColType] = event.TypeDecision
					c.ev.Columns[event.ColItem] = fmt.Sprint("a", rapid.IntRange(0, 3).Draw(t, "item"))
					c.ev.Columns[event.ColTitle] = fmt.Sprint(n)
				}
				out = append(out, c)
			}
		}
		log[i] = out
	}
	return log
}

// compareReaders compares what an engine says of all readers, of a view and in
// turn.
func compareReaders(rt *rapid.T, what string, f *feed, want func(reader string) told) {
	rt.Helper()
	compareReadersBy(rt, what, f, func(reader string, got told) (told, told) { return want(reader), got })
}

// compareReadersBy is compareReaders of a part of what is said: by returns what it
// should be and what it is.
func compareReadersBy(rt *rapid.T, what string, f *feed, by func(reader string, got told) (want, same told)) {
	rt.Helper()
	v := f.readers(rt)
	diffOf := func(reader string, r *engine.Reader) string {
		want, got := by(reader, toldBy(r))
		return gocmp.Diff(want, got)
	}
	for _, reader := range peopleReaders {
		r, _ := v.Reader(reader)
		if diff := diffOf(reader, &r); diff != "" {
			rt.Fatalf("%s: %s of a view (-want +got):\n%s", what, reader, diff)
		}
		err := f.e.InTurn(context.Background(), "news", reader, func(r *engine.Reader) {
			if diff := diffOf(reader, r); diff != "" {
				rt.Errorf("%s: %s in turn (-want +got):\n%s", what, reader, diff)
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
	}
	if rt.Failed() {
		rt.FailNow()
	}
}

// TestCommits: what is burned and what decisions said is what a plain program
// makes of the log, for any interleaving of commits, joins, erasures, emptied
// meters and late rows, for any number of shards, with a restart anywhere, and
// from a replay.
func TestCommits(t *testing.T) {
	compared, carried := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		log := drawCommits(rt)
		limit := rapid.IntRange(1, 3).Draw(rt, "limit")
		cfg := engine.Config{Shards: rapid.IntRange(1, 3).Draw(rt, "shards"), Decide: decideWith(limit, false)}
		restart := rapid.IntRange(-1, len(log)-1).Draw(rt, "restart after")
		if restart >= 0 {
			cfg.Dir = t.TempDir()
		}
		site := event.Site{ID: "news", Window: "2d"}
		f := newFeed(t, cfg, site)
		defer func() { _ = f.e.Close() }()
		model := newDecideModel(limit, false)
		var id uint64
		for i, acts := range log {
			if i < restart && rapid.Bool().Draw(rt, "checkpoint") {
				if err := f.e.Checkpoint(context.Background()); err != nil {
					rt.Fatal(err)
				}
			}
			f.sendActs(acts, &id)
			model.apply(i, acts)
			if i == restart {
				if rapid.Bool().Draw(rt, "purge") {
					if err := f.e.Purge(context.Background()); err != nil {
						rt.Fatal(err)
					}
				}
				if err := f.e.Close(); err != nil {
					rt.Fatal(err)
				}
				var err error
				if f.e, err = engine.Open(cfg); err != nil {
					rt.Fatal(err)
				}
				if f.e.Position() == 0 {
					rt.Fatal("the checkpoint was not used")
				}
			}
			compareReaders(rt, fmt.Sprint("after message ", i), f, model.told)
			for _, device := range []string{"d0", "d1", "d2", "d3"} {
				for _, account := range []string{"k0", "k1", "k2"} {
					_ = f.e.InTurn(context.Background(), "news", "device:"+device, func(r *engine.Reader) {
						if got, want := r.JoinedTo(account), model.joinedTo(device, account); got != want {
							rt.Errorf("after message %d %s is joined to %s: %v, want %v", i, device, account, got, want)
						}
					})
				}
			}
			if rt.Failed() {
				rt.FailNow()
			}
		}
		for _, reader := range peopleReaders {
			for _, b := range model.kept(reader) {
				if compared++; b.Device != "" {
					carried++
				}
			}
		}
		countedApart(rt, f, model)
		g := newFeed(t, engine.Config{Shards: 1 + cfg.Shards%3, Decide: cfg.Decide}, site)
		defer func() { _ = g.e.Close() }()
		id = 0
		for _, acts := range log {
			g.sendActs(acts, &id)
		}
		compareReaders(rt, "from a replay with another number of shards", g, model.told)
	})
	t.Logf("%d of %d burns at the ends came by a join", carried, compared)
}

// countedApart: rows that commits leave are no events, visits or sightings.
func countedApart(rt *rapid.T, f *feed, model *decideModel) {
	events, want := 0, 0
	v := f.view("news")
	for _, s := range v.Shards {
		for _, b := range s.Blocks {
			for _, n := range b.Events {
				if b.Kind != block.Copies {
					events += int(n)
				}
			}
		}
	}
	for _, list := range model.devices {
		for _, e := range list {
			if !model.dayGone(e.time) {
				want++
			}
		}
	}
	if events != want {
		rt.Fatalf("%d events are counted, want %d", events, want)
	}
	for _, reader := range peopleReaders {
		r, _ := f.readers(rt).Reader(reader)
		if seen, ok := model.seen[reader]; ok != r.Known || ok && seen != r.FirstSeen {
			rt.Fatalf("%s first seen %d %v, want %d %v", reader, r.FirstSeen, r.Known, seen, ok)
		}
	}
}

// snapshot writes the daily snapshot into the log of f, as of the stamp of its
// last message. between is called where other messages may come; readers says that
// it is among facts about readers, where nobody is erased.
func (f *feed) snapshot(t rapidT, stamp func() int64, size int, between func(readers bool)) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("snapshot: %v", err)
		}
	}
	begin, err := f.e.BeginSnapshot(ctx)
	must(err)
	f.facts(stamp(), begin)
	between(false)
	f.readers(t) // is up to date
	var standing []event.Fact
	must(f.e.EachFact(func(fact event.Fact) error { standing = append(standing, fact); return nil }))
	f.facts(stamp(), standing...)
	between(false)
	write := func(fact event.Fact) error {
		between(true)
		f.facts(stamp(), fact)
		return nil
	}
	must(f.e.EachSeen(ctx, "news", size, write))
	must(f.e.EachPair(ctx, "news", size, write))
	must(f.e.EachBurns(ctx, "news", size, func(read func() (event.Fact, bool, error)) error {
		between(true)
		fact, ok, err := read()
		if err == nil && ok {
			f.facts(stamp(), fact)
		}
		return err
	}))
}

// TestBurnsSurviveTheLog: a log that was cut at its front has a snapshot at its
// begin, among whatever else came then. From its end on it goes on as the whole
// one does, to which the snapshot says nothing new.
func TestBurnsSurviveTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := drawCommits(rt)
		limit := rapid.IntRange(1, 3).Draw(rt, "limit")
		cut := rapid.IntRange(0, len(log)).Draw(rt, "cut")
		var tape []taped
		f := newFeed(t, engine.Config{Shards: rapid.IntRange(1, 3).Draw(rt, "shards"), Decide: decideWith(limit, true)}, event.Site{ID: "news", Window: "2d"})
		defer func() { _ = f.e.Close() }()
		model := newDecideModel(limit, true)
		var id uint64
		next, now := 0, int64(t0)
		send := func() {
			f.sendActs(log[next], &id)
			model.apply(next, log[next])
			now = log[next][0].stamp
			next++
		}
		for next < cut {
			send()
		}
		f.tape = &tape
		more := rapid.SampledFrom([]int{0, 1, 1, 2, 3})
		f.snapshot(rt, func() int64 { return now }, rapid.SampledFrom([]int{1, 100, 1 << 20}).Draw(rt, "size"), func(readers bool) {
			for range more.Draw(rt, "meanwhile") {
				if next == len(log) || readers && slices.ContainsFunc(log[next], func(a act) bool { return a.fact.Kind == event.FactErase || a.fact.Kind == event.FactEmpty }) {
					return
				}
				send()
			}
		})
		compareReaders(rt, "the whole log after its snapshot", f, model.told)

		e, err := engine.Open(engine.Config{Shards: rapid.IntRange(1, 3).Draw(rt, "other shards"), Decide: decideWith(limit, true)})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = e.Close() }()
		g := &feed{t: t, e: e}
		g.play(tape)
		before := map[string]int{} // decisions of the time of the snapshot
		for _, reader := range peopleReaders {
			before[reader] = len(model.decisions[reader])
		}
		compare := func(what string) {
			compareReadersBy(rt, what, g, func(reader string, got told) (want told, same told) {
				own := decideModel{peopleModel: model.peopleModel, decisions: map[string][]modelDecision{reader: model.decisions[reader][before[reader]:]}}
				want = told{model.kept(reader), own.shown(reader)}
				if got.Decisions = got.Decisions[:min(len(got.Decisions), len(want.Decisions))]; len(want.Decisions) == 0 {
					got.Decisions = nil
				}
				return want, got
			})
		}
		compare("the snapshot")
		for next < len(log) {
			for _, a := range log[next] { // the rest of what was decided before
				if a.fact.Kind == event.FactErase {
					before[a.fact.Key] = 0
				}
			}
			tape = tape[:0]
			send()
			g.play(tape)
			compareReaders(rt, fmt.Sprint("the whole log after message ", next-1), f, model.told)
			compare(fmt.Sprint("the cut log after message ", next-1))
		}
	})
}

// fans is a Decider that burns unless the reader has been there before.
type fans struct{}

func (fans) Commit(c *engine.Commit) (out engine.Outcome) {
	var rows engine.Rows
	if c.Reader.Rows(c.Reader.From, c.Time, &rows); rows.Len() == 0 {
		out.Burn = &engine.Burn{Meter: "m", Item: c.Text(event.ColItem), Time: c.Time, Until: c.Time + 62*24*3600_000}
	}
	out.Properties = []event.Property{{Name: "result", Value: "decided"}}
	return out
}

// TestBurnsOfACutLog: a replay of a log that was cut decides no commit before burns
// are told, and lacks rows that decisions rested on: what it burns for that is gone
// once the log has a whole window.
func TestBurnsOfACutLog(t *testing.T) {
	const day = 24 * 3600_000
	decide := func(int) engine.Decider { return fans{} }
	f := newFeed(t, engine.Config{Shards: 2, Decide: decide}, event.Site{ID: "news", Window: "2d"})
	defer func() { _ = f.e.Close() }()
	commit := func(at int64, device, item string) event.Event {
		ev := event.Event{Time: at, Device: device, Flags: event.FlagCommit}
		ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypeDecision, item
		return ev
	}
	f.events(t0, pageView(t0, "fan", "a0"), commit(t0, "new", "a1"))
	var tape []taped
	f.tape = &tape
	f.site(t0+1, event.Site{ID: "news", Window: "2d", Name: "News"}) // it was there before
	var first int                                                    // messages up to the end of the first snapshot
	for n := range int64(4) {
		now := t0 + (n+1)*day - 1
		early := n == 0
		f.snapshot(t, func() int64 { return now }, 100, func(readers bool) {
			if early && readers {
				f.events(now, commit(now, "early", "a1"))
				early = false
			}
		})
		first = cmp.Or(first, len(tape))
		f.events(now, commit(now, "fan", fmt.Sprint("b", n)), commit(now, "new", fmt.Sprint("b", n)))
		if n == 1 {
			f.events(now+1, pageView(now+1, "fan", "a0"))
		}
	}
	cfg := engine.Config{Shards: 1, Decide: decide, Dir: t.TempDir()}
	g := &feed{t: t}
	open := func() {
		var err error
		if g.e, err = engine.Open(cfg); err != nil {
			t.Fatal(err)
		}
	}
	open()
	defer func() { _ = g.e.Close() }()
	g.play(tape[:first])
	early, _ := g.readers(t).Reader("device:early")
	if d := toldBy(&early).Decisions; len(d) != 1 || d[0].Result == "decided" {
		t.Errorf("a commit before burns are told: %+v", d)
	}
	if err := g.e.Close(); err != nil {
		t.Fatal(err)
	}
	open() // from its checkpoint
	g.play(tape[first:])
	for name, n := range map[string]int{"device:fan": 0, "device:new": 5, "device:early": 1} {
		var want, got told
		for feed, out := range map[*feed]*told{f: &want, g: &got} {
			r, _ := feed.readers(t).Reader(name)
			r.EachBurn(func(b engine.Burn) { out.Burns = append(out.Burns, b) })
		}
		if diff := gocmp.Diff(want, got); diff != "" || len(want.Burns) != n {
			t.Errorf("%s has %d burns (-whole +cut):\n%s", name, len(want.Burns), diff)
		}
	}
}

// TestProofOfCommitsAlone: an account whose device has left nothing but commits
// that burned nothing keeps the arm of that device.
func TestProofOfCommitsAlone(t *testing.T) {
	f := newFeed(t, engine.Config{Shards: 2}, event.Site{ID: "news", Window: "2d"})
	defer func() { _ = f.e.Close() }()
	const at = 1_772_359_200_000
	ev := event.Event{Time: at, Device: "d1", Flags: event.FlagCommit}
	ev.Columns[event.ColType] = event.TypeDecision
	var id uint64
	f.sendActs([]act{{stamp: at, ev: ev}}, &id)
	f.facts(at, factOf(event.FactJoin, "d1", event.Login{Account: "a1"}))
	r, ok := f.readers(t).Reader("account:a1")
	if !ok {
		t.Fatal("account:a1 is no reader")
	}
	if device, ok := r.FirstDevice(); !ok || device != "device:d1" || r.Known {
		t.Errorf("first proven on %q, %v; has rows: %v", device, ok, r.Known)
	}
}
