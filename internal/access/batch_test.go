package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// TestFaultsRefuseAll: of questions of which some are faulty none is committed, and
// all their faults are told.
func TestFaultsRefuseAll(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	d := newDesk(t, metered)
	wall := d.site
	events := *d.site
	events.Clock = event.ClockEvent // of which there is none yet
	long := string(make([]byte, maxNames))
	commit := func(item string, at int64) Ask {
		return Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: item, Commit: true, At: at}
	}
	bare := func(at int64) Ask {
		return Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: "a1", At: at}
	}
	for _, c := range []struct {
		name string
		site *event.Site
		asks func() []Ask
		want string
	}{
		{"later than now", wall, func() []Ask { return []Ask{commit("a1", 0), bare(d.now + hour)} }, "1 " + ErrFuture.Error()},
		{"before the window", wall, func() []Ask { return []Ask{commit("a1", 0), commit("a2", 0), bare(d.now - 1000*hour)} }, "2 " + ErrOutside.Error()},
		{"too long", wall, func() []Ask { return []Ask{commit("a1", 0), commit(long, 0), bare(d.now), commit(long, 0)} },
			"1 " + ErrTooLong.Error() + " 3 " + ErrTooLong.Error()},
		{"backwards", &events, func() []Ask { return []Ask{commit("a1", d.now), commit("a2", d.now-1)} }, "1 " + ErrPast.Error()},
		{"a jump", &events, func() []Ask { return []Ask{commit("a1", d.now), commit("a2", d.now+8*24*hour), bare(d.now + 1)} },
			"1 time would move the site's clock by more than 7 days at once 2 " + ErrFuture.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.site = c.site
			defer func() { d.site = wall }()
			err := d.service.DecideAll(t.Context(), c.asks(), func(i int, v *Verdict) { t.Errorf("question %d is answered: %+v", i, v) })
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("DecideAll: %v", err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, fmt.Sprint(f.Question, " ", f.Err))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
	if v := d.decide("d1", "a4", false); v.Meter.Used != 0 {
		t.Errorf("%d are used", v.Meter.Used)
	}
	d.site = &events
	asks := []Ask{commit("a1", d.now), bare(d.now), commit("a2", d.now)}
	if err := d.service.DecideAll(t.Context(), asks, func(int, *Verdict) {}); err != nil {
		t.Error(err)
	}
}

// TestFirstCommitsSetTheClock: an array of commits years ago, in time order, begins a
// site whose clock is that of its events: the wall's is over with the first of them,
// for those that name their time and for those that do not.
func TestFirstCommitsSetTheClock(t *testing.T) {
	d := newDeskOf(t, event.Site{ID: "news", Clock: event.ClockEvent}.WithDefaults(), metered)
	first := time.Date(2016, 10, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	ask := func(item string, at int64, commit bool) Ask {
		return Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: item, Commit: commit, At: at}
	}
	asks := []Ask{
		ask("a1", first, true), ask("a2", first+60_000, true), ask("a3", 0, true),
		ask("a4", first+60_000, false), ask("a1", first+120_000, true), ask("a4", 0, true),
	}
	var got []string
	err := d.service.DecideAll(t.Context(), asks, func(_ int, v *Verdict) { got = append(got, v.Clause) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"metered", "metered", "metered", "stop", "again", "stop"}, got); diff != "" {
		t.Error(diff)
	}
	if now := d.engine.SiteNow("news", d.now); now != first+120_000 {
		t.Errorf("the site's clock stands at %s", time.UnixMilli(now).UTC())
	}
}

// refusing is a committer that rejects what comes after so many commits.
type refusing struct {
	*desk
	left int
}

func (r *refusing) Submit(s *eventlog.Submission, done func(error)) error {
	if r.left--; r.left >= 0 {
		return r.desk.Submit(s, done)
	}
	s.Verdicts = []eventlog.Verdict{{Outcome: eventlog.Rejected, Code: eventlog.CodeTimeJump, Message: "somebody else has moved the clock"}}
	done(nil)
	return nil
}

// TestAllAreAnswered: what nobody could foresee does not end an array of which a part
// is committed: each question is answered, by its policy if not otherwise.
func TestAllAreAnswered(t *testing.T) {
	for _, together := range []bool{true, false} {
		for committed := range 4 {
			d := newDesk(t, metered)
			d.service.Committer = &refusing{d, committed}
			var asks []Ask
			for i := range 4 {
				ask := Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: fmt.Sprint("a", i), Commit: true}
				if asks = append(asks, ask); !together {
					ask.Commit = false
					asks = append(asks, ask)
				}
			}
			var got []*Verdict
			err := d.service.DecideAll(t.Context(), asks, func(_ int, v *Verdict) { got = append(got, v) })
			if !together && committed == 0 {
				var rejected *Rejected
				if !errors.As(err, &rejected) || len(got) != 0 {
					t.Errorf("nothing was committed: %v, %d answers", err, len(got))
				}
				continue
			}
			if err != nil || len(got) != len(asks) {
				t.Fatalf("%d answers of %d, %v", len(got), len(asks), err)
			}
			burned := 0
			for i, v := range got {
				if asks[i].Commit && (v.Commit == nil) != v.Fallback || !asks[i].Commit && v.Fallback {
					t.Errorf("question %d: %s", i, said(t, v))
				}
				if v.Commit != nil && *v.Commit == commitBurned {
					burned++
				}
			}
			if burned != min(committed, 3) {
				t.Errorf("%d burned of %d that went to the log", burned, committed)
			}
		}
	}
}
