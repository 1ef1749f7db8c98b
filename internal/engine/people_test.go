package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// The model of joins: what a plain program makes of the same log.

// act is one thing in the log.
type act struct {
	message int
	stamp   int64
	ev      event.Event // of a row
	view    uint64
	fact    event.Fact // if Kind is set
}

// streamRow is a row as a reader's stream shows it.
type streamRow struct {
	Time           int64
	Device         string
	Item, Account  string
	Proven, Joined bool
	Engaged        uint32
	Scroll         uint8
	Value          int64
	Visit          int // number of the visit among the reader's, in order of appearance
	Starts         bool
}

type modelEvent struct {
	seq     int
	time    int64
	device  string
	account string
	proven  bool
	view    uint64
	item    string
	kind    string
	engaged uint32
	scroll  uint8
	value   int64
	hour    int64 // of log time, when it came
}

type modelCopy struct {
	*modelEvent
	joined bool
}

// peopleModel is devices and accounts with their streams.
type peopleModel struct {
	window  int64
	seq     int
	from    int64
	devices map[string][]*modelEvent // in order of arrival
	streams map[string][]modelCopy   // of accounts
	marks   map[[2]string]int        // device, account → newest row that is joined
	views   map[uint64]*modelEvent
	waiting map[uint64][]*act
	points  map[[2]string][]int64 // account ("" for a device's own), device → times of events
	seen    map[string]int64
	erased  bool
}

func newPeopleModel(window int64) *peopleModel {
	return &peopleModel{window: window, devices: map[string][]*modelEvent{}, streams: map[string][]modelCopy{}, marks: map[[2]string]int{},
		views: map[uint64]*modelEvent{}, waiting: map[uint64][]*act{}, points: map[[2]string][]int64{}, seen: map[string]int64{}}
}

func (m *peopleModel) dayGone(t int64) bool {
	return int64(block.DayOf(t)+1)*block.DayMillis <= m.from
}

func (m *peopleModel) see(reader string, t int64) {
	if was, ok := m.seen[reader]; !ok || t < was {
		m.seen[reader] = t
	}
}

// prove joins what a device has that is newer than the last proof.
func (m *peopleModel) prove(device, account string) {
	pair := [2]string{device, account}
	mark, known := m.marks[pair]
	if !known {
		mark = -1
	}
	for _, e := range m.devices[device] {
		if e.seq <= mark || e.proven || e.account == account || e.time < m.from {
			continue
		}
		m.streams[account] = append(m.streams[account], modelCopy{e, true})
		m.points[[2]string{account, device}] = append(m.points[[2]string{account, device}], e.time)
		m.see("account:"+account, e.time)
	}
	m.marks[pair] = m.seq
}

func (m *peopleModel) attend(e *modelEvent, a *act) {
	e.engaged += a.ev.EngagedMillis
	e.scroll = max(e.scroll, a.ev.Scroll)
	m.points[[2]string{"", e.device}] = append(m.points[[2]string{"", e.device}], a.ev.Time)
	for account, stream := range m.streams {
		for _, c := range stream {
			if c.modelEvent == e {
				m.points[[2]string{account, e.device}] = append(m.points[[2]string{account, e.device}], a.ev.Time)
			}
		}
	}
}

func (m *peopleModel) erase(reader string) {
	m.erased = true
	keep := func(e *modelEvent) bool { return true }
	if account, ok := strings.CutPrefix(reader, "account:"); ok {
		keep = func(e *modelEvent) bool { return e.account != account && e.device != reader }
		delete(m.streams, account)
		for pair := range m.marks {
			if pair[1] == account {
				delete(m.marks, pair)
			}
		}
	} else {
		device := strings.TrimPrefix(reader, "device:")
		keep = func(e *modelEvent) bool { return e.device != device }
		for pair := range m.marks {
			if pair[0] == device {
				delete(m.marks, pair)
			}
		}
	}
	for d, list := range m.devices {
		m.devices[d] = slices.DeleteFunc(list, func(e *modelEvent) bool { return !keep(e) })
	}
	for a, stream := range m.streams {
		m.streams[a] = slices.DeleteFunc(stream, func(c modelCopy) bool { return !keep(c.modelEvent) })
	}
	for v, e := range m.views {
		if e != nil && !keep(e) {
			m.views[v] = nil
		}
	}
	delete(m.seen, reader)
}

// apply takes the acts of one message: facts come first, then the clock moves,
// then rows.
func (m *peopleModel) apply(acts []act) {
	for i := range acts {
		switch f := &acts[i].fact; f.Kind {
		case event.FactJoin:
			if len(m.devices[f.Key]) > 0 || m.known(f.Key) {
				m.prove(f.Key, string(f.Value[len(`{"account":"`):len(f.Value)-2]))
			}
		case event.FactErase:
			m.erase(f.Key)
		}
	}
	m.from = max(m.from, acts[0].stamp-m.window)
	for i := range acts {
		if a := &acts[i]; a.fact.Kind == "" {
			m.row(a)
		}
	}
}

func (m *peopleModel) known(device string) bool { _, ok := m.seen["device:"+device]; return ok }

func (m *peopleModel) row(a *act) {
	account, proven := a.ev.Columns[event.ColAccount], a.ev.Flags&event.FlagProven != 0
	if a.ev.Type() == event.TypeEngagement {
		// Attention finds its page view for 48 hours of log time, while the page
		// view's day is there.
		if e, ok := m.views[a.view]; !ok || e != nil && (a.stamp/3600_000-e.hour > 48 || m.dayGone(e.time)) {
			m.waiting[a.view] = append(m.waiting[a.view], a)
		} else if e != nil {
			m.attend(e, a)
		}
		return
	}
	e := &modelEvent{time: a.ev.Time, device: a.ev.Device, account: account, proven: proven, view: a.view,
		item: a.ev.Columns[event.ColItem], kind: a.ev.Type(), value: a.ev.Value, hour: a.stamp / 3600_000}
	own := strings.HasPrefix(e.device, "account:")
	reader := e.device
	if !own {
		reader = "device:" + e.device
	}
	m.see(reader, e.time)
	if account != "" {
		m.see("account:"+account, e.time)
	}
	if m.dayGone(e.time) {
		return
	}
	if proven && !own {
		m.prove(e.device, account)
	}
	m.seq++
	e.seq = m.seq
	m.devices[e.device] = append(m.devices[e.device], e)
	m.points[[2]string{"", e.device}] = append(m.points[[2]string{"", e.device}], e.time)
	if own {
		account = strings.TrimPrefix(e.device, "account:")
	}
	if account != "" {
		m.streams[account] = append(m.streams[account], modelCopy{e, false})
		if proven && !own {
			m.marks[[2]string{e.device, account}] = e.seq
		}
		if !own {
			m.points[[2]string{account, e.device}] = append(m.points[[2]string{account, e.device}], e.time)
		}
	}
	if e.kind == event.TypePageView && e.view != 0 {
		if _, known := m.views[e.view]; !known {
			m.views[e.view] = e
			for _, w := range m.waiting[e.view] {
				if a.stamp-w.stamp <= 48*3600_000 { // as long as it waits
					m.attend(e, w)
				}
			}
			delete(m.waiting, e.view)
		}
	}
}

// stream returns a reader's rows as they should be.
func (m *peopleModel) stream(reader string, now int64) []streamRow {
	var list []modelCopy
	if account, ok := strings.CutPrefix(reader, "account:"); ok {
		list = m.streams[account]
	} else {
		for _, e := range m.devices[strings.TrimPrefix(reader, "device:")] {
			if !e.proven {
				list = append(list, modelCopy{e, false})
			}
		}
	}
	account := strings.TrimPrefix(reader, "account:")
	out := []streamRow{}
	list = slices.Clone(list)
	own := func(c modelCopy) int { // what no device did comes last
		if c.device == reader {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b modelCopy) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(own(a), own(b))) })
	visits := map[string]int{}
	for _, c := range list {
		if c.time < m.from || c.time > now {
			continue
		}
		r := streamRow{Time: c.time, Device: c.device, Item: c.item, Account: c.account, Proven: c.proven, Joined: c.joined,
			Engaged: c.engaged, Scroll: c.scroll, Value: c.value}
		key := [2]string{account, c.device}
		if c.device == reader || !strings.HasPrefix(reader, "account:") {
			key[0] = ""
		}
		start, first := m.visitOf(key, c.time)
		name := fmt.Sprint(key, start)
		if _, ok := visits[name]; !ok {
			visits[name] = len(visits)
		}
		r.Visit, r.Starts = visits[name], first == c.modelEvent
		out = append(out, r)
	}
	return out
}

// visitOf cuts events into visits and returns the start of the one that holds t,
// and its earliest row, the one that came first of several.
func (m *peopleModel) visitOf(key [2]string, t int64) (start int64, first *modelEvent) {
	points := slices.Clone(m.points[key])
	slices.Sort(points)
	start = -1
	for i, p := range points {
		if i == 0 || p-points[i-1] > visit.Gap {
			if p > t {
				break
			}
			start = p
		}
	}
	var rows []*modelEvent
	if key[0] == "" {
		rows = m.devices[key[1]]
	} else {
		for _, c := range m.streams[key[0]] {
			if c.device == key[1] {
				rows = append(rows, c.modelEvent)
			}
		}
	}
	for _, e := range rows {
		if e.time >= start {
			if first == nil || e.time < first.time {
				first = e
			}
		}
	}
	return start, first
}

// streamOf reads the same back from an engine.
func streamOf(t rapidT, v *engine.View, reader string, rows *engine.Rows) []streamRow {
	r, ok := v.Reader(reader)
	if !ok {
		t.Fatalf("%q is no reader", reader)
	}
	r.Rows(-1<<62, v.Now, rows)
	return streamRows(rows)
}

// liveStreamOf reads it in the turn of the reader's shard.
func liveStreamOf(t rapidT, e *engine.Engine, reader string, rows *engine.Rows) (out []streamRow) {
	err := e.InTurn(context.Background(), "news", reader, func(r *engine.Reader) {
		r.Rows(-1<<62, r.Now, rows)
		out = streamRows(rows)
	})
	if err != nil {
		t.Fatalf("%s: %v", reader, err)
	}
	return out
}

func streamRows(rows *engine.Rows) []streamRow {
	out := []streamRow{}
	visits := map[string]int{}
	for i := range rows.Len() {
		text := func(c event.Column) string { s, _, _ := rows.Text(i, int(c)); return s }
		value, _ := rows.Value(i)
		id, starts := rows.Visit(i)
		name := fmt.Sprint(rows.DeviceKey(i), id)
		if id == 0 {
			name = "none"
		}
		if _, ok := visits[name]; !ok {
			visits[name] = len(visits)
		}
		out = append(out, streamRow{Time: rows.Time(i), Device: rows.Device(i), Item: text(event.ColItem), Account: text(event.ColAccount),
			Proven: rows.Proven(i), Joined: rows.Joined(i), Engaged: rows.EngagedMillis(i), Scroll: rows.ScrollPercent(i), Value: value,
			Visit: visits[name], Starts: starts})
	}
	return out
}

type rapidT interface {
	Helper()
	Fatalf(format string, args ...any)
}

var peopleReaders = []string{"device:d0", "device:d1", "device:d2", "device:d3", "account:k0", "account:k1", "account:k2"}

// drawActs makes a log of devices, accounts, logins, late rows and erasures.
func drawActs(t *rapid.T, erasures bool) [][]act {
	var out [][]act
	now, views := t0, 0
	for i := range rapid.IntRange(1, 12).Draw(t, "messages") {
		now += int64(rapid.SampledFrom([]int{0, 1, 60_000, 3600_000, 20 * 3600_000}).Draw(t, "later"))
		var acts []act
		for range rapid.IntRange(1, 8).Draw(t, "acts") {
			a := act{message: i, stamp: now}
			device := fmt.Sprint("d", rapid.IntRange(0, 3).Draw(t, "device"))
			account := fmt.Sprint("k", rapid.IntRange(0, 2).Draw(t, "account"))
			kind := rapid.IntRange(0, 19).Draw(t, "kind")
			if kind == 19 && !erasures {
				kind = 0
			}
			switch kind {
			case 16, 17:
				a.fact = event.Fact{Kind: event.FactJoin, Site: "news", Key: device, Value: []byte(`{"account":"` + account + `"}`)}
			case 18:
				a.ev.Device = "account:" + account
				a.ev.Columns[event.ColAccount] = account
				a.ev.Flags = event.FlagProven
			case 19:
				a.fact = event.Fact{Kind: event.FactErase, Site: "news", Key: rapid.SampledFrom(peopleReaders).Draw(t, "reader"), Value: []byte("{}")}
			default:
				a.ev.Device = device
				switch rapid.IntRange(0, 4).Draw(t, "proof") {
				case 0:
					a.ev.Columns[event.ColAccount], a.ev.Flags = account, event.FlagProven
				case 1:
					a.ev.Columns[event.ColAccount] = account
				}
			}
			if a.fact.Kind == "" {
				a.ev.Time = now - int64(rapid.SampledFrom([]int{0, 0, 0, 1, 60_000, 29 * 60_000, 31 * 60_000, 26 * 3600_000, 50 * 3600_000}).Draw(t, "late"))
				a.ev.Columns[event.ColType] = rapid.SampledFrom([]string{event.TypePageView, event.TypePageView, "click", event.TypeEngagement}).Draw(t, "type")
				if own := strings.HasPrefix(a.ev.Device, "account:"); own && a.ev.Type() == event.TypeEngagement {
					a.ev.Columns[event.ColType] = "click"
				}
				if a.ev.Type() != "click" {
					// A view belongs to one device, whoever is logged in.
					n := views
					if a.ev.Type() == event.TypePageView {
						views++
					} else {
						n = rapid.IntRange(max(0, views-4), views+1).Draw(t, "view")
					}
					a.view = uint64(1000 + n)
					if a.ev.Type() == event.TypePageView && strings.HasPrefix(a.ev.Device, "account:") {
						a.view = 0
					} else {
						a.ev.Device = fmt.Sprint("d", n%4)
					}
				}
				if a.ev.Type() == event.TypeEngagement {
					a.ev.EngagedMillis = uint32(rapid.SampledFrom([]int{0, 900, 12_000}).Draw(t, "engaged"))
					a.ev.Scroll = uint8(rapid.IntRange(0, 100).Draw(t, "scroll"))
				} else {
					a.ev.Columns[event.ColItem] = fmt.Sprint("a", rapid.IntRange(0, 9).Draw(t, "item"))
					if rapid.IntRange(0, 5).Draw(t, "valued") == 0 {
						a.ev.Value = 7
						a.ev.Flags |= event.FlagHasValue
					}
				}
			}
			acts = append(acts, a)
		}
		out = append(out, acts)
	}
	return out
}

// sendActs writes the acts of one message.
func (f *feed) sendActs(acts []act, id *uint64) {
	f.enc.Reset(acts[0].stamp)
	for i := range acts {
		if a := &acts[i]; a.fact.Kind != "" {
			f.enc.AddFact(a.fact)
		} else {
			*id++
			f.enc.Add("news", &a.ev, *id, a.view)
		}
	}
	f.send()
}

func (f *feed) readers(t rapidT) *engine.View {
	t.Helper()
	v, err := f.e.Readers(context.Background(), "news", event.MakePosition(20000, 0, f.seq))
	if err != nil {
		t.Fatalf("view: %v (%+v)", err, f.e.Failure())
	}
	return v
}

const peopleWindow = 2 * 24 * 3600_000

// TestJoins: every reader's stream is what a plain program makes of the log, for
// any interleaving of devices, accounts, proofs, late rows and erasures, for any
// number of shards, with a restart anywhere, and from a replay.
func TestJoins(t *testing.T) {
	joined, carried := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		log := drawActs(rt, rapid.Bool().Draw(rt, "erasures"))
		shards := rapid.IntRange(1, 4).Draw(rt, "shards")
		restart := rapid.IntRange(-1, len(log)-1).Draw(rt, "restart after")
		cfg := engine.Config{Shards: shards}
		if restart >= 0 {
			cfg.Dir = t.TempDir()
		}
		site := event.Site{ID: "news", Window: "2d"}
		f := newFeed(t, cfg, site)
		defer func() { _ = f.e.Close() }()
		model := newPeopleModel(peopleWindow)
		var id uint64
		var rows, live engine.Rows
		for i, acts := range log {
			f.sendActs(acts, &id)
			model.apply(acts)
			if i == restart {
				if rapid.Bool().Draw(rt, "purge") {
					if err := f.e.Purge(context.Background()); err != nil {
						rt.Fatal(err)
					}
				}
				if err := f.e.Close(); err != nil {
					rt.Fatal(err)
				}
				e, err := engine.Open(cfg)
				if err != nil {
					rt.Fatal(err)
				}
				if e.Position() == 0 {
					rt.Fatal("the checkpoint was not used")
				}
				f.e = e
			}
			if i%3 == 0 || i == len(log)-1 {
				v := f.readers(rt)
				for _, reader := range peopleReaders {
					want, got := model.stream(reader, acts[0].stamp), streamOf(rt, v, reader, &rows)
					if model.erased {
						withoutVisits(want)
						withoutVisits(got)
					}
					if diff := gocmp.Diff(want, got); diff != "" {
						rt.Fatalf("%s after message %d (-want +got):\n%s", reader, i, diff)
					}
					if diff := gocmp.Diff(streamOf(rt, v, reader, &rows), liveStreamOf(rt, f.e, reader, &live)); diff != "" {
						rt.Fatalf("%s in its shard's turn after message %d (-view +turn):\n%s", reader, i, diff)
					}
					r, _ := v.Reader(reader)
					if seen, ok := model.seen[reader]; ok != r.Known || ok && seen != r.FirstSeen {
						rt.Fatalf("%s first seen %d %v, want %d %v", reader, r.FirstSeen, r.Known, seen, ok)
					}
					for _, r := range want {
						if carried++; r.Joined {
							joined++
						}
					}
				}
			}
		}
		// Analytics is the same with and without accounts' copies.
		rowsSeen := 0
		for _, s := range f.view("news").Shards {
			for _, b := range s.Blocks {
				for i := range b.N {
					if b.Kind == block.Plain && b.Time[i] != block.Gone {
						rowsSeen++
					}
				}
			}
		}
		want := 0
		for _, list := range model.devices {
			for _, e := range list {
				if !model.dayGone(e.time) {
					want++
				}
			}
		}
		if rowsSeen != want {
			rt.Fatalf("%d rows are counted, want %d", rowsSeen, want)
		}
		g := newFeed(t, engine.Config{Shards: 1 + shards%4}, site)
		defer func() { _ = g.e.Close() }()
		id = 0
		for _, acts := range log {
			g.sendActs(acts, &id)
		}
		a, b := f.readers(rt), g.readers(rt)
		for _, reader := range peopleReaders {
			want, got := streamOf(rt, a, reader, &rows), streamOf(rt, b, reader, new(engine.Rows))
			if diff := gocmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s from a replay with another number of shards (-want +got):\n%s", reader, diff)
			}
		}
	})
	t.Logf("%d of %d rows that were compared came by a join", joined, carried)
}

func withoutVisits(rows []streamRow) {
	for i := range rows {
		rows[i].Visit, rows[i].Starts = 0, false
	}
}
