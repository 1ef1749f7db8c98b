package incremental

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// counts say what occurred in a run.
type counts struct {
	steps, changed, segments int
	of                       map[string]int
}

func newCounts() *counts { return &counts{of: map[string]int{}} }

func (c *counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d steps, %d of them changed a membership (%.1f %%), %d segments compared\n", c.steps, c.changed,
		100*float64(c.changed)/float64(max(c.steps, 1)), c.segments)
	names := make([]string, 0, len(c.of))
	for name := range c.of {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "  %9d %s\n", c.of[name], name)
	}
	return b.String()
}

// compared counts what a program has that was compared.
func (c *counts) compared(p *plan.Program) {
	c.segments += len(p.Segments)
	for _, f := range p.Folds {
		if len(f.Segments) == 0 {
			continue
		}
		c.of["end "+f.End.String()]++
		for _, st := range p.Streams[f.Stream].Stages {
			name := "stage " + st.Kind.String()
			if st.Kind == plan.Filter {
				switch w := st.Window; {
				case w.Last > 0:
					name = "stage last"
				case w.HasSince:
					name = "stage since"
				case w.Periods != 0:
					name = "stage per"
				default:
					name = "stage where"
				}
			}
			c.of[name]++
		}
	}
	for _, s := range p.Segments {
		s.Expr.Each(func(x *plan.Expr) { c.of["expression "+x.Op.String()]++ })
	}
}

// step does one thing and returns what is wrong afterwards, "" if nothing.
func (w *world) step() string {
	w.counts.steps++
	var changes []Change
	s := w.subjects[w.pick(len(w.subjects))]
	// What is due comes first, as the engine does it.
	due := func(s *subject) { changes = w.e.Advance(s, w.now, &s.state, changes) }
	what := ""
	switch w.pick(16) {
	case 0, 1, 2, 3, 4, 5:
		what = "event"
		changes = w.event(w.now-w.delay(), changes)
	case 6, 7, 8, 9:
		what = "time"
		w.pass(s)
		if s.state.Until() > w.now { // it must hold without being asked
			return w.check(what, s, w.now)
		}
		due(s)
	case 10:
		what = "item"
		due(s)
		changes = w.changeItem(changes)
	case 11:
		what = "profile"
		due(s)
		changes = w.changeProfile(s, changes)
	case 12:
		what = "attention"
		if len(s.chain) == 0 {
			return ""
		}
		r := s.chain[w.pick(len(s.chain))]
		engaged := value.OfMicro(int64(w.pick(4)) * 10 * value.Micro)
		changes = w.changeRows(changes, func() { r.columns[plan.ColEngagedSeconds] = engaged }, func(s *subject, changes []Change) []Change {
			if !slices.Contains(s.chain, r) {
				return changes
			}
			return w.e.Attention(s, r.entry(), w.now, &s.state, changes)
		})
	case 13:
		what = "visits"
		if len(s.chain) == 0 {
			return ""
		}
		r, visit, starts := s.chain[w.pick(len(s.chain))], int64(w.pick(4)), w.pick(3) == 0
		changes = w.changeRows(changes, func() {
			r.columns[plan.ColVisit], r.columns[plan.ColStartsVisit] = value.OfInt(visit), value.OfBool(starts)
		}, func(s *subject, changes []Change) []Change { return w.e.VisitsMoved(s, w.now, &s.state, changes) })
	case 14:
		what = "login"
		d := w.pick(numDevices)
		w.logins[d] = w.pick(numAccounts+1) - 1
		changes = w.event(w.now, changes)
	default:
		if w.pick(6) == 0 {
			w.table.renumber(1 + w.pick(3))
			w.e.Renumbered()
			w.counts.of["step renumbered"]++
		}
		if w.pick(6) > 0 {
			what = "past"
			past := w.now - w.delay()
			return w.checkAt(s, past)
		}
		what = "program"
		w.activate()
	}
	w.counts.of["step "+what]++
	if len(changes) > 0 {
		w.counts.changed++
	}
	for _, c := range changes {
		w.counts.of["because "+c.Because.String()]++
	}
	for _, s := range w.subjects {
		if s.state.Until() <= w.now {
			continue
		}
		if wrong := w.check(what, s, w.now); wrong != "" {
			return wrong
		}
	}
	return ""
}

// changeRows changes rows, of which a device and an account may both have some,
// and tells of all readers.
func (w *world) changeRows(changes []Change, change func(), tell func(*subject, []Change) []Change) []Change {
	for _, s := range w.subjects {
		changes = w.e.Advance(s, w.now, &s.state, changes)
	}
	change()
	for _, s := range w.subjects {
		changes = tell(s, changes)
	}
	return changes
}

// tryStep is step where a mistake is planted: it may also make the evaluator
// find itself out.
func (w *world) tryStep() (wrong string) {
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprint(p)
		}
	}()
	return w.step()
}

// delay is how late a row comes; negative if its clock is ahead.
func (w *world) delay() int64 {
	switch w.pick(8) {
	case 0:
		return oneOf(w, spans...)
	case 1:
		return oneOf(w, spans...) - 1
	case 2:
		return int64(w.pick(5)) * hour
	case 3:
		return -oneOf(w, minute, hour, 1)
	case 4:
		return 1
	default:
		return 0
	}
}

// pass lets time pass, often just to where something may change.
func (w *world) pass(s *subject) {
	switch until := s.state.Until(); {
	case until < Never && until > w.now && w.pick(2) == 0:
		w.now = until - int64(w.pick(2))
	default:
		w.now += oneOf(w, 0, 1, 1000, minute, hour, 6*hour, day)
	}
}

// event is a row of a device, for its account if it is logged in; the first one
// after rows without account carries those over.
func (w *world) event(at int64, changes []Change) []Change {
	d := w.pick(numDevices)
	s := w.subjects[d]
	var joined []*row
	if a := w.logins[d]; a >= 0 {
		account := w.subjects[numDevices+a]
		mark := w.joined[[2]int{d, a}]
		for _, r := range s.chain {
			if r.seq > mark {
				joined = append(joined, r)
			}
		}
		w.joined[[2]int{d, a}] = w.seq + 1
		s = account
	}
	changes = w.e.Advance(s, w.now, &s.state, changes)
	s.chain = slices.DeleteFunc(s.chain, func(r *row) bool { return r.time < w.now-w.window-8*day })
	rows := append(joined, w.newRow(at))
	if len(joined) > 0 {
		w.counts.of["merge"]++
	}
	var entries []Entry
	for _, r := range rows {
		s.add(r)
		entries = append(entries, r.entry())
	}
	if first := value.OfTime(rows[0].time); s.firstSeen.IsMissing() {
		s.firstSeen = first
		changes = w.e.FactsChanged(s, plan.Facts(0).With(plan.FirstSeen), w.now, &s.state, changes)
	}
	return w.e.Arrived(s, entries, w.now, &s.state, changes)
}

func (w *world) changeItem(changes []Change) []Change {
	n := 1 + w.pick(numItems)
	w.items[n] = w.newItem()
	set := w.e.NewSet()
	w.e.ItemChanged(uint32(n), set)
	for _, s := range w.subjects {
		if slices.ContainsFunc(s.chain, func(r *row) bool { return w.items.number(r.text(1)) == n }) {
			changes = w.e.Update(s, set, w.now, ByItem, &s.state, changes)
		}
	}
	return changes
}

func (w *world) changeProfile(s *subject, changes []Change) []Change {
	facts := plan.Facts(0)
	switch w.pick(3) {
	case 0:
		facts = facts.With(plan.Traits)
		s.traits = map[string]value.Value{"city": oneOf(w, value.OfText("de"), value.OfText("br"), value.OfBool(true), value.Value{})}
	default:
		facts = facts.With(plan.Entitlements)
		s.entitlements = nil
		for range w.pick(3) {
			from := w.now + oneOf(w, 0, -day, hour, day)
			s.entitlements = append(s.entitlements, entitlement{"premium", oneOf(w, "account", "grace"), from, from + oneOf(w, spans...)})
		}
	}
	return w.e.FactsChanged(s, facts, w.now, &s.state, changes)
}

// check compares a state with the plain evaluator.
func (w *world) check(what string, s *subject, now int64) string {
	v := w.view(s, now)
	for id, seg := range w.program.Segments {
		if want, got := v.Segment(id), s.state.Members.Has(id); got != want {
			return fmt.Sprintf("after %s at %d: %s in %s: %v, want %v\n%s", what, now, s.name, seg.Name, got, want, w.program.Print())
		}
	}
	w.counts.compared(w.program)
	if s.state.Heavy() {
		w.counts.of["reader heavy"]++
	}
	return ""
}

// checkAt compares what is read at an instant.
func (w *world) checkAt(s *subject, now int64) string {
	asked := w.pick(numItems + 1)
	state := oneOf(w, nil, &s.state, &w.laid)
	if state == &w.laid {
		w.e.Keep(s, now-oneOf(w, 0, hour), state)
		w.counts.of["reader laid out"]++
	}
	v, view := w.view(s, now), w.e.At(s, now, uint32(asked), state)
	if asked > 0 {
		v.Item = itemName(asked)
	}
	for _, f := range w.program.Folds {
		if f.PerRequest && asked == 0 || !w.asks(f.ID) {
			continue
		}
		if want, got := v.Fold(f.ID), view.Fold(f.ID); got != want {
			return fmt.Sprintf("at %d: %s fold %d: %s, want %s\n%s", now, s.name, f.ID, got, want, w.program.Print())
		}
	}
	for id, seg := range w.program.Segments {
		if want, got := v.Segment(id), view.Segment(id); got != want {
			return fmt.Sprintf("at %d: %s in %s: %v, want %v\n%s", now, s.name, seg.Name, got, want, w.program.Print())
		}
	}
	w.counts.compared(w.program)
	w.counts.of["step past"]++
	return ""
}

// asks tells whether a segment or access block has a fold: others are parts of
// expressions that came to less.
func (w *world) asks(fold int) bool {
	return len(w.program.Folds[fold].Segments) > 0 ||
		slices.ContainsFunc(w.program.Accesses, func(a *plan.Access) bool { return slices.Contains(a.Uses.AllFolds, fold) })
}

// rapidSource takes choices from rapid.
type rapidSource struct{ t *rapid.T }

func (s rapidSource) pick(n int) int { return rapid.IntRange(0, n-1).Draw(s.t, "pick") }

// randomSource takes choices from random numbers.
type randomSource struct{ *rand.Rand }

func (s randomSource) pick(n int) int { return s.IntN(n) }

func property(t *rapid.T) {
	w := newWorld(rapidSource{t}, newCounts(), noFault)
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		if wrong := w.step(); wrong != "" {
			t.Fatal(wrong)
		}
	}
}

// TestEqualsFold is the property: whatever happens, both evaluators agree at
// every instant.
func TestEqualsFold(t *testing.T) { rapid.Check(t, property) }

// FuzzIncremental is the same with choices from the fuzzer.
func FuzzIncremental(f *testing.F) { f.Fuzz(rapid.MakeFuzz(property)) }

// run lets worlds live until so many steps were done, and returns what was wrong
// first.
func run(steps int, seed uint64, f fault, c *counts) string {
	for world := uint64(0); c.steps < steps; world++ {
		w := newWorld(randomSource{rand.New(rand.NewPCG(seed, world))}, c, f)
		for range 300 {
			wrong := ""
			if f == noFault {
				wrong = w.step()
			} else {
				wrong = w.tryStep()
			}
			if wrong != "" {
				return fmt.Sprintf("seed %d, world %d, step %d: %s", seed, world, c.steps, wrong)
			}
		}
	}
	return ""
}

// TestEqualsFoldForLong does RUBRIC_STEPS steps, 20,000 if that is not set.
func TestEqualsFoldForLong(t *testing.T) {
	steps, seed := 20_000, uint64(1)
	if s := os.Getenv("RUBRIC_STEPS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("RUBRIC_STEPS: %v", err)
		}
		steps = n
	}
	if s := os.Getenv("RUBRIC_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("RUBRIC_SEED: %v", err)
		}
		seed = n
	}
	c := newCounts()
	if wrong := run(steps, seed, noFault, c); wrong != "" {
		t.Fatal(wrong)
	}
	t.Log(c)
	if c.changed*20 < c.steps {
		t.Errorf("%d of %d steps changed a membership, want 5 %% at least", c.changed, c.steps)
	}
}

// TestFaultsAreFound plants mistakes in the evaluator, one at a time: the
// property must find each.
func TestFaultsAreFound(t *testing.T) {
	for f, what := range map[fault]string{
		faultWindowEdge:       "a row that is as old as the window is still in it",
		faultSiteWindow:       "rows are seen that have left the site's window",
		faultPeriodZone:       "periods begin at midnight in UTC",
		faultFutureRows:       "rows are seen before their time",
		faultFutureTimer:      "nothing is noted for when a row's time comes",
		faultUnsorted:         "late rows stay where they arrived",
		faultThenSameInstant:  "then takes a row of the same instant for one before",
		faultUnlessEdge:       "unless overlooks a row at the end of its wait",
		faultWaitTimer:        "nothing is noted for the end of a wait",
		faultBorderTimer:      "nothing is noted for the end of a period",
		faultKeyless:          "distinct counts rows without a key as one",
		faultThresholdTimer:   "a count is thought to hold for one row longer",
		faultLookup:           "the index knows only the first value of a list",
		faultItemBits:         "a changed item keeps what held for it",
		faultSegmentOfSegment: "segments that name others are not worked out with them",
		faultEntitlementTimer: "nothing is noted for the end of an entitlement",
		faultJoinedRows:       "of rows that arrive together only the first is matched",
		faultAppearance:       "rows are not matched when their time comes",
		faultTime:             "time is thought to bring nobody into a segment",
		faultRows:             "rows are thought to take nobody out of a segment",
		faultRare:             "a limit is thought to be missed by one row too many",
		faultSift:             "of the rows that have met a first condition the last is not asked for the others",
	} {
		t.Run(what, func(t *testing.T) {
			c := newCounts()
			if wrong := run(100_000, 7, f, c); wrong == "" {
				t.Errorf("not found in %d steps", c.steps)
			} else {
				t.Logf("found after %d steps", c.steps)
			}
		})
	}
}
