package access

import (
	"encoding/base64"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
)

// Programs finds the programs of sites. *program.Programs is one.
type Programs interface {
	Active(site *event.Site) (*program.Compiled, error)
	At(site *event.Site, version int) (*program.Compiled, error)
	Begin(site *event.Site, version int) (*program.Compiled, *program.Compiling)
}

// Decider decides commits where the engine applies them: it is the
// engine.Decider of every shard, and their engine.Preparer. What it decides is a function of the log; it
// also tells whoever waits for a commit in this process.
type Decider struct {
	programs Programs
	waiting  waiting
	spare    sync.Pool // of *prepared
}

// NewDecider makes a decider.
func NewDecider(programs Programs) *Decider {
	d := &Decider{programs: programs, waiting: waiting{calls: map[string]*call{}}}
	d.waiting.spare.New = func() any { return &call{of: &d.waiting} }
	return d
}

// recordRoom is how many bytes a row keeps of what was looked up, about, and
// recordCut of a text among it.
const (
	recordRoom = 640
	recordCut  = 128
)

// prepared is what a commit is decided by.
type prepared struct {
	ticket    ticket // whose reader is not known yet
	program   *program.Compiled
	compiling *program.Compiling // nil: program is it
	block     *plan.Access
	err       error
}

// Prepare implements engine.Preparer: it finds the program as it stands at the
// commit's place in the log. What nobody has compiled yet is compiled meanwhile: only
// who decides by it waits for that.
func (d *Decider) Prepare(c *engine.Commit) any {
	asked, _, _ := c.Property(propAsked)
	p, _ := d.spare.Get().(*prepared)
	if p == nil {
		p = new(prepared)
	}
	if p.err = p.ticket.readAsked(asked, "", c.Text(event.ColItem), c.Time); p.err == nil {
		p.program, p.compiling = d.programs.Begin(c.Site, p.ticket.Version)
	}
	return p
}

// settle finds the access block, once the program is compiled.
func (p *prepared) settle() {
	if p.err == nil && p.compiling != nil {
		p.program, p.err = p.compiling.Wait()
	}
	if p.err == nil {
		if p.block = p.program.Plan.Access(p.ticket.Access); p.block == nil {
			p.err = errNoBlock
		}
	}
}

// Commit implements engine.Decider.
func (d *Decider) Commit(c *engine.Commit) engine.Outcome {
	code, _, _ := c.Property(propCode)
	call := d.waiting.call(code)
	// After a panic nobody comes back to who waits.
	defer func() { call.end(answer{err: engine.ErrPanic}) }()
	by, ok := c.Prepared.(*prepared)
	if !ok {
		by = d.Prepare(c).(*prepared)
	}
	defer func() { // what is decided by it is over by then
		*by = prepared{}
		d.spare.Put(by)
	}()
	if by.settle(); by.err != nil {
		call.end(answer{err: by.err})
		call = nil
		return engine.Outcome{}
	}
	asked, _, _ := c.Property(propAsked)
	t, program, block := &by.ticket, by.program, by.block
	t.Reader = c.Reader.Name
	eachColumn(block, func(column event.Column) { t.Given.setColumn(column, c.Text(column)) })
	if t.Given.Session != nil {
		burns, _, _ := c.Property(propSession)
		if raw, err := base64.RawURLEncoding.DecodeString(burns); err == nil {
			t.Given.Session.Burns = ReadBurns(raw)
		}
	}
	space := workspaces.Get().(*workspace)
	defer space.done()
	space.question = question{plan: program.Plan, access: block, reader: c.Reader, item: t.Item, at: t.At, given: &t.Given, seen: t.seen(program, block), commit: true}
	made := space.decide()
	now := made // what is decided; what was shown stays
	if t.Shown.stopped() && t.Clause < len(block.Clauses) {
		if now = t.shownBy(program.Plan, block, made); now == nil {
			now = made
		}
		now.commit = commitDenied
	} else {
		now.commit = made.outcome(t.Shown)
	}
	out := engine.Outcome{Properties: now.properties(c.Room, program.Version, asked, code)}
	var burned *engine.Burn // for a session to keep
	switch {
	case now.commit != commitBurned:
	case t.Given.Session != nil:
		burned = now.burn()
	default:
		out.Burn = now.burn()
	}
	if call != nil {
		v := now.verdict(&space.wording, program.Version, call.id, call.reader)
		v.Burned = burned
		if call.segments {
			v.Segments = segmentsOf(made)
		}
		call.end(answer{verdict: v})
		call = nil
	}
	return out
}

// find returns the program that a commit names, or the active one where that is
// not kept any more, and the access block.
func (d *Decider) find(site *event.Site, t *ticket) (*program.Compiled, *plan.Access, error) {
	p, err := d.programs.At(site, t.Version)
	if err != nil {
		if p, err = d.programs.Active(site); err != nil {
			return nil, nil, err
		}
	}
	a := p.Plan.Access(t.Access)
	if a == nil {
		return nil, nil, errNoBlock
	}
	return p, a, nil
}

// shownBy returns the wall that was shown, as it was recorded or, where its
// record did not fit, as it is on what made was made on.
func (t *ticket) shownBy(p *plan.Program, a *plan.Access, made *decision) *decision {
	if len(t.Record) > 0 {
		if r, err := readRecord(t.Record, p, a, t.At); err == nil {
			return recorded(p, a, r, made.item, t.At, "")
		}
	}
	d := *made
	d.Decision, d.meter = made.view.DecidedBy(a, t.Clause), nil
	if d.Meter >= 0 {
		d.meter = made.view.Meter(d.Meter)
	}
	d.record.clause = t.Clause
	return &d
}

// properties are what the row of a commit keeps of its decision, in the memory of
// out.
func (d *decision) properties(out []event.Property, version int, asked, code string) []event.Property {
	out = slices.Grow(out, 10)
	add := func(name, value string) {
		if value != "" {
			out = append(out, event.Property{Name: name, Value: value})
		}
	}
	add(propDecision, d.Clause.Outcome.String())
	add(propAccess, d.Access.Name)
	add(propClause, d.Clause.Name)
	add(propOffer, d.Clause.Offers)
	if d.meter != nil {
		add(propMeter, d.meter.Name)
	}
	add(propCommit, d.commit)
	out = append(out, event.Property{Name: propVersion, Value: strconv.Itoa(version), Kind: event.KindNumber})
	add(propAsked, asked)
	add(propCode, code)
	var record [recordRoom]byte
	add(propRecord, text64(d.record.append(record[:0], d.view.Now, recordRoom, recordCut)))
	return out
}

// segmentsOf returns the segments of a decision's reader; it is never nil.
func segmentsOf(d *decision) []string {
	if names := d.view.Segments(); names != nil {
		return names
	}
	return []string{}
}

// call is a commit on its way. Requests that commit one decision at the same time
// share it.
type call struct {
	of         *waiting
	code       string
	reader, id string
	segments   bool // one of them asks for them
	waiters    []*attempt
	sub        eventlog.Submission
	event      [1]event.Event
	verdicts   []eventlog.Verdict // memory for those of sub
	holds      atomic.Int32
}

// end tells those who wait what came of it. Who took the call out of waiting ends
// it, and has hold of it no more.
func (c *call) end(with answer) {
	if c == nil {
		return
	}
	with.shared = with.verdict != nil
	for _, a := range c.waiters {
		a.end(with)
	}
	c.letGo()
}

// letGo ends the hold of one of the two that have hold of a call: the log, until it has
// said what it does with it, and who waits, until that has ended. With both the memory
// is given back, but for the code: who left may still look whether the call is there.
func (c *call) letGo() {
	if c.holds.Add(-1) > 0 {
		return
	}
	clear(c.waiters)
	c.waiters, c.verdicts = c.waiters[:0], c.sub.Verdicts[:0]
	c.reader, c.id, c.segments, c.sub, c.event = "", "", false, eventlog.Submission{}, [1]event.Event{}
	c.of.spare.Put(c)
}

// waiting are the calls for which commits are on their way, by the code of the
// decision. Each is a request that is being answered, so their number is bounded
// by maxWaiting.
type waiting struct {
	mu    sync.Mutex
	calls map[string]*call
	spare sync.Pool // of *call
}

const maxWaiting = 1 << 16

// join adds a waiter to the call of its decision, which begins with the first, who
// sends it to the log. It is nil if there are too many.
func (w *waiting) join(code string, a *attempt) (c *call, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c = w.calls[code]; c == nil {
		if len(w.calls) >= maxWaiting {
			return nil, false
		}
		c, first = w.spare.Get().(*call), true
		c.code, c.reader, c.id = code, a.ticket.Reader, a.id
		c.holds.Store(2)
		w.calls[code] = c
	}
	c.waiters = append(c.waiters, a)
	c.segments = c.segments || a.ask.Segments
	return c, first
}

// leave takes a waiter off, and forgets the call with the last. By then c may be
// another's, where a is not.
func (w *waiting) leave(c *call, a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls[c.code] != c {
		return // it is being ended
	}
	if i := slices.Index(c.waiters, a); i >= 0 {
		c.waiters = slices.Delete(c.waiters, i, i+1)
	}
	if len(c.waiters) == 0 {
		delete(w.calls, c.code)
		c.letGo()
	}
}

// end ends a call without a verdict, if it has not ended.
func (w *waiting) end(c *call, err error) {
	w.mu.Lock()
	open := w.calls[c.code] == c
	if open {
		delete(w.calls, c.code)
	}
	w.mu.Unlock()
	if open {
		c.end(answer{err: err})
	}
}

// call returns a call and forgets it, nil if nobody waits.
func (w *waiting) call(code string) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.calls[code]
	delete(w.calls, code)
	return c
}
