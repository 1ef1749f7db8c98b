package access

import (
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

// byAsker says whether it runs in the goroutine of whoever asks, in the turn that it
// has taken.
func byAsker() bool { return strings.Contains(string(debug.Stack()), "atOnce") }

// TestWhoAsksDecidesWhatIsAMomentsWork: who asks for a decision makes it, unless it may
// take longer, whatever the reader has.
func TestWhoAsksDecidesWhatIsAMomentsWork(t *testing.T) {
	clauses := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  deny c%d if (events |> where item != \"x%d\" |> count) > 100000 offers wall\n", i, i)
		}
		return b.String()
	}
	d := newDesk(t, metered+`
segment wordy = (events |> where matches(url ?? "", "(.{1,60}z){2}") |> count) > 9
access plain { allow all }
access few {
`+clauses(1)+`  allow all
}
access many {
`+clauses(30)+`  allow all
}
access expression {
  deny c if (events |> where matches(url ?? "", "(.{1,60}z){2}") |> count) > 100000 offers wall
  allow all
}
access address {
  deny c if matches(request.url ?? "", "(.{1,60}z){2}") offers wall
  allow all
}`)
	view := func(device string, n int) {
		d.mu.Lock()
		p, err := d.write(func(e *event.Encoder) {
			for i := range n {
				ev := event.Event{Time: d.now - int64(i)*60_000, Device: device}
				ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, fmt.Sprint("a", i)
				e.Add("news", &ev, uint64(i+1)<<20, 0)
			}
		})
		d.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.engine.Wait(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	view("reads", 250)
	view("reads much", 300)
	for _, c := range []struct {
		access, reader string
		segments, once bool
	}{
		{access: "plain", reader: "new", once: true},
		{access: "plain", reader: "reads much", once: true}, // they are not looked at
		{access: "plain", reader: "new", segments: true, once: true},
		{access: "plain", reader: "reads", segments: true},
		{access: "plain", reader: "reads", once: true},
		{access: "story", reader: "new", once: true},
		{access: "few", reader: "reads", once: true},
		{access: "few", reader: "reads much"},
		{access: "many", reader: "reads"},
		{access: "many", reader: "new", once: true},
		{access: "expression", reader: "new", once: true},
		{access: "expression", reader: "reads"},
		{access: "address", reader: "new"},
	} {
		t.Run(fmt.Sprint(c.access, " of ", c.reader, ", segments ", c.segments), func(t *testing.T) {
			ask := func() (once bool) {
				ended := make(chan bool, 1)
				started, ok := d.service.Start(&Ask{Site: d.site, Access: c.access, Reader: "device:" + c.reader, Item: "a1", Segments: c.segments}, func() { ended <- byAsker() })
				if !ok {
					t.Fatal("not started")
				}
				once = <-ended
				if v, err := started.Result(); err != nil || v.Fallback {
					t.Fatalf("%+v, %v", v, err)
				}
				return once
			}
			once := 0
			for range 200 { // the engine rests nearly always
				if ask() {
					once++
				}
			}
			if c.once != (once > 0) {
				t.Errorf("who asks has decided %d of 200 times", once)
			}
		})
	}
}

// TestWhoBurnedMuchIsDecidedAboutInTurn: burns are looked at as rows are, and outlive
// them.
func TestWhoBurnedMuchIsDecidedAboutInTurn(t *testing.T) {
	d := newDesk(t, `
meter m (limit: 500) = burns |> last 60d |> distinct item
access story {
  allow again   if item in m
  allow metered if m.left > 0 burns m
  deny  stop    offers wall
}`)
	asks := make([]Ask, 300)
	for i := range asks {
		asks[i] = Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: fmt.Sprint("item-", i), Commit: true}
	}
	if err := d.service.DecideAll(t.Context(), asks, func(int, *Verdict) {}); err != nil {
		t.Fatal(err)
	}
	for reader, want := range map[string]bool{"device:d1": false, "device:d2": true} {
		once := 0
		for range 200 {
			ended := make(chan bool, 1)
			if _, ok := d.service.Start(&Ask{Site: d.site, Access: "story", Reader: reader, Item: "a1"}, func() { ended <- byAsker() }); !ok {
				t.Fatal("not started")
			}
			if <-ended {
				once++
			}
		}
		if want != (once > 0) {
			t.Errorf("who asks has decided about %s %d of 200 times", reader, once)
		}
	}
}

// TestWhatTookTooLongIsThePolicys: the deadline holds for what whoever asks decides,
// though nothing interrupts it.
func TestWhatTookTooLongIsThePolicys(t *testing.T) {
	d := newDesk(t, `access story (deadline: 50ms, fails: closed) { allow all }`)
	var now atomic.Int64
	now.Store(d.now)
	d.service.Now = func() time.Time { return time.UnixMilli(now.Add(60)) }
	a, err := d.service.begin(t.Context(), &Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: "a1"}, math.MinInt64)
	if err != nil {
		t.Fatal(err)
	}
	a.policy = true
	v, err := a.await(t.Context())
	if err != nil || !v.Fallback || v.Decision != Deny {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestAnswersOfOtherProcessesAreMadeInTurn: Answer does not decide, since one goroutine
// takes the questions of all edges.
func TestAnswersOfOtherProcessesAreMadeInTurn(t *testing.T) {
	d := newDesk(t, metered)
	for i := range 50 {
		ask := Ask{Site: d.site, Access: "story", Reader: fmt.Sprint("device:", i), Item: "a1"}
		a, err := d.service.begin(t.Context(), &ask, math.MinInt64)
		if err != nil {
			t.Fatal(err)
		}
		replied := make(chan bool, 1)
		d.service.Answer(a.appendQuestion(nil, time.Second), func([]byte) { replied <- byAsker() })
		if <-replied {
			t.Fatal("decided in Answer")
		}
	}
}
