package access

import (
	"cmp"
	"slices"
	"sync"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
	"github.com/readership/readership/internal/segment"
)

// question is one decision to make, on a reader as it is in a turn of its shard.
type question struct {
	plan   *plan.Program
	access *plan.Access
	reader *engine.Reader
	item   string
	at     int64 // Unix milliseconds
	given  *Given
	seen   *record // what the events of a claimed device came to; nil: the reader's are read
	// commit says that it is decided to be kept: what was burned before counts
	// whatever its time, and a seat that the reader does not have entitles nobody.
	commit bool
}

// decision is what was decided, and what on.
type decision struct {
	fold.Decision
	plan   *plan.Program
	view   *fold.View
	record *record
	meter  *fold.Meter // that it speaks of; nil: none
	item   string      // asked for, as the catalogue calls it
	commit string      // what came of the commit; "": bare
}

// What comes of a commit.
const (
	commitBurned  = "burned"
	commitAgain   = "again"   // it is in the meter already
	commitNone    = "none"    // there is nothing to burn
	commitDenied  = "denied"  // a wall was shown
	commitRefused = "refused" // it is denied by now; the page was shown
)

// decide decides a question.
func decide(q *question) *decision { return (&workspace{question: *q}).decide() }

// workspaces are those that nobody works in.
var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// done gives the workspace back: what was decided in it is over.
func (d *workspace) done() {
	d.clear()
	workspaces.Put(d)
}

// workspace is what a question is decided in, to be used again: its memory is most of what a
// decision takes.
type workspace struct {
	question question
	decision decision
	laid     segment.Laid
	record   record
	profile  profile
	burns    burns
	request  request
	wording  wording // of what is shared
}

// clear makes it ready for another question: what was decided in it is over.
func (d *workspace) clear() {
	clear(d.record.found)
	clear(d.record.meters)
	clear(d.burns.list)
	d.laid.Clear()
	*d = workspace{laid: d.laid, record: record{found: d.record.found[:0], meters: d.record.meters[:0]}, burns: burns{list: d.burns.list[:0]}}
}

// decide decides its question.
func (d *workspace) decide() *decision {
	q := &d.question
	item := q.reader.Items.Canonical(q.item)
	v, r := d.laid.View(q.plan, q.reader, q.at), &d.record
	r.lay(q.access)
	r.see(q.seen)
	d.profile, d.burns.q, d.request = profile{v.Profile, q}, q, request{q.given, q.opens(item)}
	v.Item, v.Facts, v.Profile, v.Burns, v.Request = item, r, &d.profile, &d.burns, &d.request
	made := &d.decision
	*made = decision{Decision: v.Decide(q.access.ID), plan: q.plan, view: v, record: r, item: item}
	if made.Meter != fold.NoMeter {
		made.meter = v.Meter(made.Meter)
	}
	r.clause = made.Index
	v.Asked(func(m *fold.Meter) { r.meters = append(r.meters, m) })
	return made
}

// recorded returns a decision that was read back.
func recorded(p *plan.Program, a *plan.Access, r *record, item string, at int64, commit string) *decision {
	v := r.view(p, item, at)
	d := &decision{Decision: v.DecidedBy(a, r.clause), plan: p, view: v, record: r, item: item, commit: commit}
	if d.Meter != fold.NoMeter {
		d.meter = v.Meter(d.Meter)
	}
	return d
}

// opens says whether the link that came opens the item asked for.
func (q *question) opens(item string) bool {
	l := q.given.Link
	return l != nil && q.reader.Items.Canonical(l.Item) == item && q.reader.Profiles.LinkOpen(l.ID, q.user(), q.use())
}

// user is under whose name links are used and seats taken.
func (q *question) user() string {
	if q.given.Session != nil {
		return q.given.Session.User
	}
	return q.reader.Name
}

// use is the reader's use of the link.
func (q *question) use() event.LinkUse {
	l := q.given.Link
	return event.LinkUse{Kind: l.Kind, Giver: l.Giver, Uses: l.Uses, Expires: l.Expires, At: q.at}
}

// profile is what is proven of a reader: its account's, and what the request
// proves.
type profile struct {
	fold.Profile
	q *question
}

// Entitled implements fold.Profile. Grace comes last: any other way is better.
func (p *profile) Entitled(name string, now int64) (by string, ok bool) {
	by, ok = p.Profile.Entitled(name, now)
	if ok && by == engine.ByAccount {
		return by, true
	}
	if slices.Contains(p.q.given.Entitlements, name) {
		return engine.ByToken, true
	}
	if l, listed := p.q.listed(name); listed {
		return l.By, true
	}
	return by, ok
}

// listed says how a list entitles the reader.
func (q *question) listed(entitlement string) (engine.Listing, bool) {
	l, ok := q.reader.Profiles.Listed(entitlement, q.user(), q.given.Lists, q.at)
	return l, ok && !(l.Take && q.commit)
}

// burns are the reader's.
type burns struct {
	q    *question
	list []fold.Burn // memory of those returned
}

// Burns implements fold.Burns. A commit counts everything that was burned before
// it in the log. What bears a later time, as commits may come late, counts at the
// commit's own, unless it belongs to a later period: so no period has more than
// its limit, whatever the order of times.
func (b *burns) Burns(meter string, since int64) []fold.Burn {
	q, m := b.q, b.q.plan.Meter(meter)
	var few [16]engine.Burn
	list := q.given.Session.of(meter)
	if q.given.Session == nil {
		list = q.reader.Burns(few[:0], meter, since)
	}
	begin := len(b.list) // those of other meters stay
	b.list = slices.Grow(b.list, len(list))
	out := b.list[begin:begin:cap(b.list)]
	for i := range list {
		x := &list[i]
		at, start := x.Time, x.Start
		if at > q.at && q.commit && (m.FromFirst > 0 || m.Window.From(at, q.plan.Calendar) <= q.at) {
			at, start = q.at, min(start, q.at)
		}
		out = append(out, fold.Burn{Item: x.Item, Time: at, Limit: x.Limit, Rule: x.Rule, Start: start, Device: x.Device, Joined: x.Joined})
	}
	b.list, out = b.list[:begin+len(out)], slices.Clip(out)
	if q.given.Session != nil { // from a cookie
		for i := range out {
			out[i].Item = q.reader.Items.Canonical(out[i].Item)
		}
		slices.SortStableFunc(out, func(x, y fold.Burn) int { return cmp.Compare(x.Time, y.Time) })
	}
	return out
}

// rests calls fn with what the clause that decided rests on: its condition, and
// the limits of the meters that it asks or burns.
func (d *decision) rests(fn func(*plan.Expr)) {
	if d.Clause.Cond != nil {
		d.Clause.Cond.Each(fn)
	}
	meters := d.Clause.Asks
	if d.Clause.Burns != fold.NoMeter {
		meters = append(slices.Clip(meters), d.Clause.Burns)
	}
	for _, m := range meters {
		d.plan.Meters[m].Limit.Each(fn)
	}
}

// needs returns the facts that have to be written before a commit of a decision
// can stand: the use of a link, a seat on a list. A seat is renewed once a day.
func (d *decision) needs(q *question, site string) (facts []event.Fact) {
	const day = 24 * 3600_000
	if d.Clause.Outcome != plan.Allow {
		return nil
	}
	d.rests(func(e *plan.Expr) {
		switch e.Op {
		case plan.RequestFlag:
			if l := q.given.Link; l != nil && l.Uses > 0 && l.Kind == flags[e.Flag] && d.view.Expr(e).True() {
				facts = append(facts, fact(site, event.FactUse, event.UseKey(l.ID, q.user()), q.use()))
			}
		case plan.ReaderEntitled, plan.ReaderEntitledBy:
			if by, ok := d.view.Profile.Entitled(d.view.Expr(e.Args[0]).S, q.at); !ok || by != engine.BySeat {
				return
			}
			l, _ := q.listed(d.view.Expr(e.Args[0]).S)
			if l.Take || q.at-l.Since >= day {
				facts = append(facts, fact(site, event.FactSeat, event.SeatKey(l.List, q.user()), event.Seat{At: q.at}))
			}
		}
	})
	return facts
}

// previews says whether the reader is an editor with a preview: it never counts.
func (d *decision) previews() bool { return d.view.Request != nil && d.view.Request.Flag(plan.Preview) }

// outcome says what comes of a commit, after something was shown or nothing yet.
func (d *decision) outcome(s shown) string {
	switch {
	case d.Clause.Outcome != plan.Allow && s == showing(plan.Allow):
		return commitRefused
	case d.Clause.Outcome != plan.Allow:
		return commitDenied
	case d.meter != nil && d.meter.Has(d.item):
		return commitAgain
	case d.Burns != fold.NoMeter && !d.previews():
		return commitBurned
	}
	return commitNone
}

// burn returns what the commit burns.
func (d *decision) burn() *engine.Burn {
	b := d.view.Burn(d.Burns, d.item)
	return &engine.Burn{Meter: d.plan.Meters[d.Burns].Name, Item: b.Item, Time: b.Time, Limit: b.Limit, Rule: b.Rule, Start: b.Start, Until: b.Time + keeps(d.plan)}
}

// leastKept is the least time for which burns are kept, in milliseconds.
const leastKept = 62 * 24 * 3600_000

// keeps returns how long burns are kept, in milliseconds: as long as the longest
// meter of the program can need them.
func keeps(p *plan.Program) int64 {
	longest := int64(leastKept)
	for _, m := range p.Meters {
		longest = max(longest, m.Span())
	}
	return longest
}

// state returns the meter that the decision speaks of, as it is after the
// commit.
func (d *decision) state() (used, limit, left int64, resets value.Value) {
	m := d.meter
	used, limit, left, resets = m.Used(), m.Limit, m.Left(), m.ResetsAt
	if d.commit != commitBurned {
		return used, limit, left, resets
	}
	if used == 0 {
		at := d.view.Now
		if m.FromFirst > 0 {
			at += m.FromFirst
		} else {
			at = m.Window.Until(at, at, d.plan.Calendar)
		}
		resets = value.OfTime(at)
	}
	return used + 1, limit, max(0, left-1), resets
}
