package segment

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/incremental"
)

// watcher keeps the segments of one site's readers in one shard: by the program
// that is active, and beside it by the one that is prepared. It belongs to
// whoever has the shard's turn.
//
//	(none) ─ plan compiled ─► filling ─► complete ─ FactActive ─► running
type watcher struct {
	service *Service
	stream  *stream
	site    string
	shard   int

	settings         string
	active, prepared int         // versions, as of the message told last; prepared 0: none
	running, next    *population // nil: not begun
	reported         *population // the next of which the service knows what came

	position event.Position // of the message told last
	told     bool           // since its changes were published
	out      batch          // changes that were not published yet
	shown    bool           // the stream knows that running is complete
	asked    bool           // somebody waits until all is settled
}

var _ engine.Watcher = (*watcher)(nil)

// Follows implements engine.Watcher.
func (w *watcher) Follows() bool {
	return w.stream.on.Load() || w.running != nil && w.running.e != nil || w.next != nil && w.next.e != nil
}

// Applied implements engine.Watcher.
func (w *watcher) Applied(l *engine.Live, c *engine.Changes) {
	w.position, w.told = c.Position, true
	w.facts(l, c.Facts)
	for _, p := range []*population{w.running, w.next} {
		w.bring(p, l, c)
	}
	for i := range c.Touched {
		if c.Touched[i].Kind == engine.TouchErased {
			w.out.erased = true
		}
	}
}

// bring brings a population up to date with a message.
func (w *watcher) bring(p *population, l *engine.Live, c *engine.Changes) {
	if p != nil && p.e != nil {
		defer w.contain(p)
		p.applied(l, c)
	}
}

// contain lets go of a population that has panicked. The rows and facts it follows
// from are applied, so it is none of a message's faults: the plain evaluator
// answers in its place, and a program that breaks while it is prepared is not
// activated.
func (w *watcher) contain(p *population) {
	if cause := recover(); cause != nil {
		err := fmt.Errorf("the segments of version %d of the program of site %s broke after %s: panic: %v", p.version, w.site, w.position, cause)
		w.service.cfg.Logger.Error("segments are not kept any more: whoever asks waits until rows are read", "error", err, "stack", string(debug.Stack()))
		w.lose(p, err)
	}
}

// lose leaves nothing of a population but why.
func (w *watcher) lose(p *population, err error) {
	*p = population{version: p.version, plan: p.plan, broken: err}
	w.service.broke(w.site, p.version, err)
}

// facts takes over what a message says of the site's program.
func (w *watcher) facts(l *engine.Live, facts []event.Fact) {
	if settings := program.Settings(l.Site); settings != w.settings { // another meaning
		w.settings, w.running, w.next = settings, nil, nil
	}
	for i := range facts {
		switch f := &facts[i]; f.Kind {
		case event.FactActive:
			var a event.Active
			if json.Unmarshal(f.Value, &a) == nil {
				w.active = a.Version
			}
		case event.FactPrepare:
			var p event.Prepare
			if len(f.Value) == 0 || json.Unmarshal(f.Value, &p) != nil {
				p.Version = 0
			}
			if p.Version != w.prepared {
				w.prepared = p.Version
				w.service.ready(w.site, w.shard, 0, nil) // what came of it before does not count
			}
		}
	}
	if w.running == nil || w.running.version != w.active {
		w.activate(l)
	}
	if w.next != nil && w.next.version != w.prepared {
		w.next = nil
	}
}

// activate puts the active program in place of the one that runs.
func (w *watcher) activate(l *engine.Live) {
	before := w.running
	w.running, w.shown = nil, false
	if w.next == nil || w.next.version != w.active {
		return
	}
	w.running, w.next, w.prepared = w.next, nil, 0
	if before.ready(l) && w.running.ready(l) {
		w.out.before = before.sizes()
	}
	w.listen()
}

// listen has the running population tell what changes.
func (w *watcher) listen() {
	p := w.running
	p.tell = nil
	if p.e == nil || !w.stream.on.Load() {
		return
	}
	p.tell = func(_ *engine.Live, _ uint32, changes []incremental.Change) {
		name := p.subject.Name
		for i := range changes {
			c := &changes[i]
			w.out.add(Change{Reader: name, Segment: p.plan.Segments[c.Segment].Name, Entered: c.Entered, At: c.At, Because: c.Because.String()})
		}
	}
}

// begin makes the populations whose programs are compiled.
func (w *watcher) begin(l *engine.Live) {
	if w.running == nil {
		if w.running = w.populate(l, w.active); w.running != nil {
			w.listen()
		}
	}
	if w.next == nil && w.prepared != 0 {
		w.next = w.populate(l, w.prepared)
	}
}

func (w *watcher) populate(l *engine.Live, version int) *population {
	c, err := w.service.plan(l.Site, w.settings, version)
	switch {
	case err != nil:
		p := &population{version: version}
		w.lose(p, err)
		return p
	case c == nil:
		return nil
	case len(c.Plan.Segments) == 0:
		return &population{version: version, plan: c.Plan, fresh: true}
	}
	return newPopulation(l, version, c.Plan, w.service.cfg.HeavyRows)
}

// Work implements engine.Watcher.
func (w *watcher) Work(l *engine.Live) (left engine.Left) {
	if w.running == nil || w.next == nil && w.prepared != 0 {
		w.begin(l)
	}
	for _, p := range []*population{w.running, w.next} {
		left = max(left, w.workOn(p, l))
	}
	if w.next != nil && w.reported != w.next && (w.next.broken != nil || w.next.ready(l)) {
		w.reported, w.next.fresh = w.next, false
		w.service.ready(w.site, w.shard, w.next.version, w.next.broken)
	}
	w.publish(l)
	if w.asked && left == engine.LeftNothing {
		w.asked = false
		w.stream.rest()
	}
	return left
}

// workOn does a little of what is left to do of a population.
func (w *watcher) workOn(p *population, l *engine.Live) engine.Left {
	if p == nil || p.e == nil {
		return engine.LeftNothing
	}
	defer w.contain(p)
	return p.work(l)
}

// publish hands what changed to the stream of the site. What changed after a
// message belongs to the next one, so that each message's changes are told at
// once.
func (w *watcher) publish(l *engine.Live) {
	if !w.stream.on.Load() {
		w.out, w.told, w.shown = batch{}, false, false
		if w.running.ready(l) {
			w.running.fresh = false
		}
		return
	}
	if w.running != nil && w.running.e != nil && w.running.tell == nil {
		w.listen()
	}
	if !w.told {
		return
	}
	w.told = false
	w.out.position, w.out.at = w.position, l.Now
	if w.running != nil {
		w.out.version, w.out.complete = w.running.version, w.running.ready(l) && !w.running.fresh
		w.running.fresh = false
	}
	if w.out.before != nil {
		w.out.after = w.running.sizes()
	}
	w.shown = w.out.complete
	w.stream.publish(w.shard, w.out)
	w.out = batch{}
}

// Due implements engine.Watcher.
func (w *watcher) Due() int64 {
	due := int64(math.MaxInt64)
	if w.stream.on.Load() && (w.out.some() || !w.shown && w.running != nil && w.running.broken == nil && (w.running.e == nil || !w.running.jobs.filling)) {
		due = 0 // a message is needed for the changes to belong to
	}
	for _, p := range []*population{w.running, w.next} {
		if p != nil && p.e != nil {
			due = min(due, p.states.next())
		}
	}
	return due
}

// Bytes implements engine.Watcher.
func (w *watcher) Bytes() (n int64) {
	for _, p := range []*population{w.running, w.next} {
		if p != nil && p.e != nil {
			n += p.bytes()
		}
	}
	n += w.stream.bytes.Load() / int64(len(w.stream.shards)) // each shard has its part of it
	return n
}

// ready tells whether every reader has a state.
func (p *population) ready(l *engine.Live) bool {
	return p != nil && p.broken == nil && (p.e == nil || p.complete(l))
}

// sizes returns how many members each segment has.
func (p *population) sizes() map[string]int64 {
	out := map[string]int64{}
	for i, s := range p.plan.Segments {
		out[s.Name] = p.states.counts[i]
	}
	return out
}
