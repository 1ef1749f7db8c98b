package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

// world is a log with its committer, and what they should hold.
type world struct {
	dir  string
	now  time.Time
	log  *Log
	c    *Committer
	sink *memorySink
	lose struct{ message, answer bool }

	stored map[string]int64  // site/id → hour
	clocks map[string]int64  // sites with clock "event"
	counts map[string]uint64 // site/verdict/reason
}

func (w *world) open(t *rapid.T) {
	var err error
	w.log, err = Open(Config{Dir: filepath.Join(w.dir, "log"), PartBytes: 20_000, Logger: quiet,
		lose: func() (bool, bool) {
			l := w.lose
			w.lose.message, w.lose.answer = false, false
			return l.message, l.answer
		}})
	if err != nil {
		t.Fatal(err)
	}
	// A sink that starts empty gets the whole log, as an engine without a
	// checkpoint does.
	w.sink = &memorySink{}
	w.c, err = NewCommitter(CommitterConfig{Dir: w.dir, Now: func() time.Time { return w.now }, CommitBytes: 4000, BulkBytes: 1000, Logger: quiet}, w.log, w.sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Read(context.Background(), 0, w.sink.Apply); err != nil {
		t.Fatal(err)
	}
	if err := w.c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) close(t *rapid.T) {
	if err := w.c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) known(site, id string) bool {
	hour, ok := w.stored[site+"/"+id]
	return ok && w.now.UnixMilli()/hourMillis-hour <= keepHours
}

// expect is what the committer should answer to s, and notes it.
func (w *world) expect(s *Submission) []Verdict {
	var out []Verdict
	now := w.now.UnixMilli()
	window := s.Site.WindowDuration().Milliseconds()
	for _, e := range s.Events {
		v := Verdict{Outcome: Stored}
		clock, has := w.clocks[s.Site.ID]
		switch {
		case w.known(s.Site.ID, e.ID):
			v.Outcome = Duplicate
		case s.Site.Clock == event.ClockWall && e.Time < now-window:
			v = Verdict{Outcome: Rejected, Code: CodeOutsideWindow}
		case s.Site.Clock == event.ClockEvent && has && e.Time < clock-window:
			v = Verdict{Outcome: Rejected, Code: CodeOutsideWindow}
		case s.Site.Clock == event.ClockEvent && has && !s.Advance && e.Time > clock+jumpMillis:
			v = Verdict{Outcome: Rejected, Code: CodeTimeJump}
		}
		if v.Outcome == Stored {
			w.stored[s.Site.ID+"/"+e.ID] = now / hourMillis
			if s.Site.Clock == event.ClockEvent {
				if !has || e.Time > clock {
					w.clocks[s.Site.ID] = e.Time
				}
			}
		}
		w.counts[s.Site.ID+"/"+v.Outcome.String()+"/"+v.Code]++
		out = append(out, v)
	}
	for _, c := range s.Refused {
		w.counts[c.Site+"/"+c.Verdict+"/"+c.Reason] += c.N
	}
	return out
}

var stateSites = []*event.Site{
	{ID: "wall", Clock: event.ClockWall, Window: "30d"},
	{ID: "replay", Clock: event.ClockEvent, Window: "2d"},
	{ID: "other", Clock: event.ClockEvent, Window: "30d"},
}

func drawSubmission(t *rapid.T, now time.Time) *Submission {
	s := &Submission{
		Site:    rapid.SampledFrom(stateSites).Draw(t, "site"),
		Import:  rapid.Bool().Draw(t, "import"),
		Advance: rapid.SampledFrom([]bool{false, false, true}).Draw(t, "advance"),
	}
	for range rapid.SampledFrom([]int{0, 1, 1, 5, 60}).Draw(t, "events") {
		hours := rapid.SampledFrom([]int64{0, 0, 0, -1, -60, 24, 24 * 8, -24 * 40}).Draw(t, "hours")
		s.Events = append(s.Events, pageView(fmt.Sprint("id-", rapid.IntRange(0, 150).Draw(t, "id")), now.UnixMilli()+hours*hourMillis))
	}
	if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
		s.Refused = []event.Count{{Site: s.Site.ID, Verdict: "rejected", Reason: "bad_time", N: 2}}
	}
	return s
}

// TestCommitterStates compares the committer with a plain model under
// duplicates, clocks, passing hours, lost messages and answers, restarts, and
// restarts that find the journal cut or gone.
func TestCommitterStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "committer")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := &world{dir: dir, now: time.Date(2026, 11, 20, 22, 30, 0, 0, time.UTC),
			stored: map[string]int64{}, clocks: map[string]int64{}, counts: map[string]uint64{}}
		w.open(t)
		defer func() {
			_ = w.c.Close()
			_ = w.log.Close()
		}()
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				s := drawSubmission(t, w.now)
				if err := w.c.Commit(context.Background(), s); err != nil {
					t.Fatal(err)
				}
				want := w.expect(s)
				if s.Done != len(s.Events) {
					t.Fatalf("done is %d of %d", s.Done, len(s.Events))
				}
				for i, v := range s.Verdicts {
					if v.Outcome != want[i].Outcome || v.Code != want[i].Code {
						t.Fatalf("event %d (%s): %s %s, want %s %s", i, s.Events[i].ID, v.Outcome, v.Code, want[i].Outcome, want[i].Code)
					}
				}
			},
			"commit with trouble": func(t *rapid.T) {
				s := drawSubmission(t, w.now)
				if len(s.Events)+len(s.Refused) == 0 {
					t.Skip("nothing to commit")
				}
				if len(s.Events) > 10 {
					s.Events = s.Events[:10] // one commit: it is stored whole or not at all
				}
				message := rapid.Bool().Draw(t, "message lost")
				w.lose.message, w.lose.answer = message, !message
				if err := w.c.Commit(context.Background(), s); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("error is %v", err)
				}
				if s.Done != 0 {
					t.Fatalf("done is %d after an error", s.Done)
				}
				if !message {
					w.expect(s) // stored after all
				}
				for w.c.Ready() != nil {
					time.Sleep(time.Millisecond) // the log is being reopened
				}
			},
			"facts": func(t *rapid.T) {
				n := rapid.IntRange(1, 20).Draw(t, "n")
				facts := make([]event.Fact, n)
				for i := range facts {
					facts[i] = event.Fact{Kind: event.FactItem, Site: "wall", Key: fmt.Sprint(i), Value: make([]byte, 900)}
				}
				had := len(w.sink.facts)
				pos, err := w.c.CommitFacts(context.Background(), facts...)
				if err != nil || pos != w.c.Acked() || len(w.sink.facts) != had+n {
					t.Fatal(err, pos, len(w.sink.facts))
				}
			},
			"remove a site": func(t *rapid.T) {
				site := rapid.SampledFrom(stateSites).Draw(t, "site").ID
				if _, err := w.c.CommitFacts(context.Background(), event.Fact{Kind: event.FactSite, Site: site, Key: site}); err != nil {
					t.Fatal(err)
				}
				delete(w.clocks, site)
			},
			"pass time": func(t *rapid.T) {
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 20 * time.Hour, 49 * time.Hour, 400 * time.Hour}).Draw(t, "time"))
			},
			"restart": func(t *rapid.T) {
				w.close(t)
				w.open(t)
			},
			"restart without the end of the journal": func(t *rapid.T) {
				w.close(t)
				defer func() { w.open(t) }()
				files, _ := filepath.Glob(filepath.Join(dir, "ids", "*.journal"))
				if len(files) == 0 {
					return
				}
				path := rapid.SampledFrom(files).Draw(t, "file")
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				switch at := rapid.IntRange(0, len(data)).Draw(t, "at"); {
				case rapid.Bool().Draw(t, "cut"):
					err = os.Truncate(path, int64(at))
				case at == len(data):
					err = os.Remove(path)
				default:
					data[at] ^= 0x20
					err = os.WriteFile(path, data, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				if err := w.c.Ready(); err != nil {
					t.Fatal(err)
				}
				for c, n := range w.sink.counts {
					if w.counts[c.Site+"/"+c.Verdict+"/"+c.Reason] != n {
						t.Fatalf("ledger: %v is %d, want %d", c, n, w.counts[c.Site+"/"+c.Verdict+"/"+c.Reason])
					}
				}
				var sum uint64
				for _, n := range w.sink.counts {
					sum += n
				}
				for _, n := range w.counts {
					sum -= n
				}
				if sum != 0 {
					t.Fatalf("the ledger lacks %d", -sum)
				}
				for site, now := range w.clocks {
					if w.sink.clocks[site] != now {
						t.Fatalf("the clock of %s is %d, want %d", site, w.sink.clocks[site], now)
					}
				}
			},
		})
	})
}
