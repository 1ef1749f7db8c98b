package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// The model: what a plain program makes of the same events.

type modelRow struct {
	Time     int64
	Device   string
	Columns  string // "name=kind:value" in order of the event
	Engaged  uint32
	Scroll   uint8
	Value    int64
	HasValue bool
	Copy     bool
	class    string
}

type modelVisit struct {
	Start, End            int64
	Views                 int
	Interactive, Engaged  bool
	FirstDevice, FirstRow string
}

type dump struct {
	Rows   []modelRow
	Visits []modelVisit
	Seen   map[string]int64
}

// generated is one event of a test with the ids that the committer would give.
type generated struct {
	event.Event
	id, view uint64
}

func drawEvents(t *rapid.T) [][]generated {
	batches := rapid.IntRange(1, 8).Draw(t, "batches")
	out := make([][]generated, batches)
	next := uint64(1)
	for b := range out {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		for range n {
			g := generated{id: next}
			next++
			g.Time = t0 + int64(rapid.IntRange(-3*24*60, 10).Draw(t, "minute"))*60_000 + int64(rapid.IntRange(0, 3).Draw(t, "ms"))
			g.Device = fmt.Sprint("d", rapid.IntRange(0, 5).Draw(t, "device"))
			switch rapid.IntRange(0, 9).Draw(t, "type") {
			case 0, 1, 2, 3, 4:
				g.Columns[event.ColType] = event.TypePageView
				if rapid.Bool().Draw(t, "named") {
					g.view = uint64(1000 + rapid.IntRange(0, 40).Draw(t, "view"))
				}
			case 5, 6, 7:
				g.Columns[event.ColType] = event.TypeEngagement
				g.view = uint64(1000 + rapid.IntRange(0, 40).Draw(t, "view"))
				g.EngagedMillis = uint32(rapid.SampledFrom([]int{0, 500, 1000, 9000, 15000, 70_000_000}).Draw(t, "engaged"))
				g.Scroll = uint8(rapid.IntRange(0, 100).Draw(t, "scroll"))
			case 8:
				g.Columns[event.ColType] = "click"
			case 9:
				g.Columns[event.ColType] = event.TypeConversion
				g.Value, g.Flags = rapid.Int64Range(-5, 1<<40).Draw(t, "value"), event.FlagHasValue
			}
			if rapid.Bool().Draw(t, "item") {
				g.Columns[event.ColItem] = fmt.Sprint("a", rapid.IntRange(0, 300).Draw(t, "a"))
			}
			if rapid.IntRange(0, 4).Draw(t, "account") == 0 {
				g.Columns[event.ColAccount] = fmt.Sprint("k", rapid.IntRange(0, 2).Draw(t, "k"))
			}
			for p := range rapid.IntRange(0, 3).Draw(t, "props") {
				g.Properties = append(g.Properties, event.Property{Name: fmt.Sprint("p", p), Value: fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "v")), Kind: event.Kind(rapid.IntRange(0, 1).Draw(t, "kind"))})
			}
			out[b] = append(out[b], g)
		}
	}
	return out
}

func describe(e *event.Event) string {
	out := ""
	for c, v := range e.Columns {
		if v != "" {
			out += fmt.Sprintf("%s=0:%s;", event.Column(c), v)
		}
	}
	for _, p := range e.Properties {
		out += fmt.Sprintf("%s=%d:%s;", p.Name, p.Kind, p.Value)
	}
	return out
}

// naive folds the events in order of arrival, slowly.
func naive(batches [][]generated) dump {
	d := dump{Seen: map[string]int64{}}
	byView := map[uint64]int{}
	waiting := map[uint64][]generated{}
	points := map[string][]modelRow{} // device → events with times
	apply := func(row int, g generated) {
		r := &d.Rows[row]
		r.Engaged += g.EngagedMillis
		r.Scroll = max(r.Scroll, g.Scroll)
		if row+1 < len(d.Rows) && d.Rows[row+1].Copy {
			d.Rows[row+1].Engaged, d.Rows[row+1].Scroll = r.Engaged, r.Scroll
		}
		points[r.Device] = append(points[r.Device], modelRow{Time: g.Time, class: "engagement"})
	}
	for _, b := range batches {
		for _, g := range b {
			if g.Type() == event.TypeEngagement {
				if row, ok := byView[g.view]; ok {
					apply(row, g)
				} else {
					waiting[g.view] = append(waiting[g.view], g)
				}
				continue
			}
			r := modelRow{Time: g.Time, Device: g.Device, Columns: describe(&g.Event), Value: g.Value, HasValue: g.Flags&event.FlagHasValue != 0, class: g.Type()}
			d.Rows = append(d.Rows, r)
			at := len(d.Rows) - 1
			if seen, ok := d.Seen[g.Device]; !ok || g.Time < seen {
				d.Seen[g.Device] = g.Time
			}
			points[g.Device] = append(points[g.Device], r)
			if account := g.Columns[event.ColAccount]; account != "" {
				copied := r
				copied.Copy, copied.Device = true, engine.AccountSubject(account)
				d.Rows = append(d.Rows, copied)
				if seen, ok := d.Seen[copied.Device]; !ok || g.Time < seen {
					d.Seen[copied.Device] = g.Time
				}
			}
			if g.Type() == event.TypePageView {
				if _, ok := byView[g.view]; g.view != 0 && !ok {
					byView[g.view] = at
					for _, w := range waiting[g.view] {
						apply(at, w)
					}
					delete(waiting, g.view)
				}
			}
		}
	}
	for device, list := range points {
		d.Visits = append(d.Visits, cut(device, list)...)
	}
	for i := range d.Rows {
		d.Rows[i].class = ""
	}
	return d
}

// cut cuts a device's events into visits.
func cut(device string, list []modelRow) []modelVisit {
	slices.SortStableFunc(list, func(a, b modelRow) int { return cmp.Compare(a.Time, b.Time) })
	var out []modelVisit
	rows := 0
	for i, p := range list {
		if i == 0 || p.Time-list[i-1].Time > visit.Gap {
			if i > 0 && rows == 0 {
				out = out[:len(out)-1]
			}
			out = append(out, modelVisit{Start: p.Time, FirstDevice: device})
			rows = 0
		}
		v := &out[len(out)-1]
		v.End = p.Time
		if p.class == "engagement" {
			continue
		}
		rows++
		switch p.class {
		case event.TypePageView:
			v.Views++
		default:
			v.Interactive = true
		}
	}
	if len(out) > 0 && rows == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// dumpOf reads everything back from a view.
func dumpOf(v *engine.View) dump {
	d := dump{Seen: map[string]int64{}}
	for _, s := range v.Shards {
		for _, b := range s.Blocks {
			value := map[int]int64{}
			for i, r := range b.ValueRows {
				value[int(r)] = b.Values[i]
			}
			for i := range b.N {
				r := modelRow{Time: b.Unix(i), Device: s.Subjects.Name(b.Subject[i]), Engaged: b.EngagedMillis(i), Scroll: b.ScrollPercent(i), Copy: b.Kind == block.Copies}
				r.Value, r.HasValue = value[i]
				_, r.HasValue = value[i]
				r.Value = value[i]
				for c, col := range b.Columns {
					if col == nil || col.At(i) == 0 {
						continue
					}
					dict := s.Columns[c].Dict
					if col.Local != nil {
						dict = *col.Local
					}
					r.Columns += fmt.Sprintf("%s=%d:%s;", s.Columns[c].Name, dict.Kinds[col.At(i)], dict.Texts[col.At(i)])
				}
				d.Rows = append(d.Rows, r)
			}
		}
		for _, c := range s.Visits {
			for i := range c.Visits {
				m := &c.Visits[i]
				if !m.Counted() {
					continue
				}
				start := int64(c.Day)*24*3600*1000 + int64(m.Start)
				first := s.ByID[m.Row.Block()]
				d.Visits = append(d.Visits, modelVisit{Start: start, End: start + int64(m.Duration), Views: int(m.Views),
					Interactive: m.Flags&visit.Interactive != 0, FirstDevice: s.Subjects.Name(first.Subject[m.Row.Row()])})
			}
		}
		for o := range s.Subjects.Len() {
			subj := s.Subjects.Subjects.At(o)
			d.Seen[s.Subjects.Name(uint32(o))] = subj.FirstSeen()
		}
	}
	return d
}

func sorted(d dump) dump {
	slices.SortFunc(d.Rows, func(a, b modelRow) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	slices.SortFunc(d.Visits, func(a, b modelVisit) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return d
}

func sameDump(t *rapid.T, what string, want, got dump) {
	t.Helper()
	if diff := gocmpDiff(sorted(want), sorted(got)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func gocmpDiff(a, b dump) string {
	return gocmp.Diff(a, b, gocmp.AllowUnexported(modelRow{}), gocmp.FilterPath(func(p gocmp.Path) bool {
		switch p.Last().String() {
		case ".view", ".class", ".interactive", ".engagedEvents":
			return true
		}
		return false
	}, gocmp.Ignore()))
}

// TestStateEqualsFold: rows, visits and first_seen equal a plain fold, for late
// and out-of-order events, engagement before its view, any number of shards,
// and with a checkpoint and a restart anywhere.
func TestStateEqualsFold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		batches := drawEvents(rt)
		// An engagement finds its view among the readers of its own device.
		for _, b := range batches {
			for i := range b {
				if b[i].view != 0 {
					b[i].Device = fmt.Sprint("d", b[i].view%6)
				}
			}
		}
		want := naive(batches)
		shards := rapid.IntRange(1, 3).Draw(rt, "shards")
		restart := rapid.IntRange(-1, len(batches)-1).Draw(rt, "restart after")
		cfg := engine.Config{Shards: shards}
		if restart >= 0 {
			cfg.Dir = t.TempDir()
		}
		f := newFeed(t, cfg, event.Site{ID: "news"})
		for i, b := range batches {
			f.enc.Reset(t0 + int64(i))
			for k := range b {
				f.enc.Add("news", &b[k].Event, b[k].id, b[k].view)
			}
			f.send()
			if i == restart {
				if rapid.Bool().Draw(rt, "broken off") {
					// What it took note of must be written by the next.
					gone, cancel := context.WithCancel(context.Background())
					cancel()
					_ = f.e.Checkpoint(gone)
				}
				if rapid.Bool().Draw(rt, "twice") {
					if err := f.e.Checkpoint(context.Background()); err != nil {
						rt.Fatal(err)
					}
				}
				position := event.MakePosition(20000, 0, f.seq)
				if err := f.e.Close(); err != nil {
					rt.Fatal(err)
				}
				e, err := engine.Open(cfg)
				if err != nil {
					rt.Fatal(err)
				}
				if e.Position() != position {
					rt.Fatalf("restored at %s, want %s", e.Position(), position)
				}
				f.e = e
			}
		}
		sameDump(rt, "state differs from the fold", want, dumpOf(f.view("news")))
		if err := f.e.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}
