package incremental

import (
	"math/rand/v2"
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/value"
)

// TestAppears has rows come before their time to a reader who is in no segment:
// nothing else asks for rows when it has come.
func TestAppears(t *testing.T) {
	w := newWorld(randomSource{rand.New(rand.NewPCG(1, 1))}, newCounts(), noFault)
	w.calendar, w.window = value.Calendar{Zone: zones[0]}, 30*day
	g := newGenerator(w)
	g.counting(1, hour, false, g.reads())
	g.counting(2, day, true, g.reads())
	w.program = g.b.Program()
	w.e = New(w.program, nil)
	w.e.Bind(newTable(w, w.e.Inputs()))
	s := w.subjects[0]
	w.e.Reset(s, w.now, &s.state)
	for i := range 3 {
		r := w.newRow(w.now + 1)
		r.set(event.ColType, "page_view")
		r.set(event.ColItem, itemName(1+i))
		s.chain = append(s.chain, r)
		if changes := w.e.Arrived(s, []Entry{r.entry()}, w.now, &s.state, nil); len(changes) > 0 {
			t.Fatalf("before its time a row changes %v", changes)
		}
		w.now++
		w.e.Advance(s, w.now, &s.state, nil)
		if wrong := w.check("time", s, w.now); wrong != "" {
			t.Fatal(wrong)
		}
		w.now += oneOf(w, hour, day)
		w.e.Advance(s, w.now, &s.state, nil)
	}
}
