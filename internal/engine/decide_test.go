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
	for _, b := range c.Reader.Burns(meter) {
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
	v := f.readers(rt)
	for _, reader := range peopleReaders {
		r, _ := v.Reader(reader)
		if diff := gocmp.Diff(want(reader), toldBy(&r)); diff != "" {
			rt.Fatalf("%s: %s of a view (-want +got):\n%s", what, reader, diff)
		}
		err := f.e.InTurn(context.Background(), "news", reader, func(r *engine.Reader) {
			if diff := gocmp.Diff(want(reader), toldBy(r)); diff != "" {
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

// snapshotOf returns the daily snapshot of an engine.
func snapshotOf(rt *rapid.T, e *engine.Engine) (facts []event.Fact) {
	keep := func(f event.Fact) error { facts = append(facts, f); return nil }
	ctx, size := context.Background(), rapid.SampledFrom([]int{1, 100, 1 << 20}).Draw(rt, "size")
	for _, err := range []error{e.EachFact(keep), e.EachSeen(ctx, "news", size, keep), e.EachBurns(ctx, "news", size, keep), e.EachPair(ctx, "news", size, keep)} {
		if err != nil {
			rt.Fatal(err)
		}
	}
	return facts
}

// TestBurnsSurviveTheLog: a log that was cut at its front begins with a snapshot,
// and goes on as the whole one does, to which the snapshot says nothing new.
func TestBurnsSurviveTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := drawCommits(rt)
		limit := rapid.IntRange(1, 3).Draw(rt, "limit")
		cut := rapid.IntRange(0, len(log)).Draw(rt, "cut")
		site := event.Site{ID: "news", Window: "2d"}
		f := newFeed(t, engine.Config{Shards: rapid.IntRange(1, 3).Draw(rt, "shards"), Decide: decideWith(limit, true)}, site)
		defer func() { _ = f.e.Close() }()
		model := newDecideModel(limit, true)
		var id uint64
		stamp := t0
		for i, acts := range log[:cut] {
			f.sendActs(acts, &id)
			model.apply(i, acts)
			stamp = acts[0].stamp
		}
		f.view("news")
		snapshot := snapshotOf(rt, f.e)
		g := newFeed(t, engine.Config{Shards: rapid.IntRange(1, 3).Draw(rt, "other shards"), Decide: decideWith(limit, true)}, site)
		defer func() { _ = g.e.Close() }()
		g.seq = f.seq
		times := rapid.IntRange(1, 2).Draw(rt, "times")
		model.now = stamp
		for _, one := range []*feed{f, g} {
			for range times {
				one.facts(stamp, snapshot...)
			}
			one.view("news")
		}
		before := map[string]int{} // decisions that the cut log does not have
		for _, reader := range peopleReaders {
			before[reader] = len(model.decisions[reader])
		}
		burnsOnly := func(reader string) told { return told{Burns: model.kept(reader)} }
		compareReaders(rt, "the whole log after its snapshot", f, model.told)
		compareReaders(rt, "the snapshot", g, burnsOnly)
		ids := id
		for i, acts := range log[cut:] {
			f.sendActs(acts, &ids)
			g.sendActs(acts, &id)
			model.apply(cut+i, acts)
			for j := range acts { // the rest of what was decided before
				if a := &acts[j]; a.fact.Kind == event.FactErase {
					before[a.fact.Key] = 0
				}
			}
			compareReaders(rt, fmt.Sprint("the whole log after message ", cut+i), f, model.told)
			compareReaders(rt, fmt.Sprint("the cut log after message ", cut+i), g, func(reader string) told {
				own := decideModel{peopleModel: model.peopleModel, decisions: map[string][]modelDecision{reader: model.decisions[reader][before[reader]:]}}
				return told{model.kept(reader), own.shown(reader)}
			})
		}
	})
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
