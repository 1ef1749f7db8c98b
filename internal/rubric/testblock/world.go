package testblock

import (
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// visitGap is the longest silence inside a visit, in milliseconds.
const visitGap = 30 * 60_000

// subject is a device or an account.
type subject struct {
	id    string
	first string // under which it was first known
	rows  memory.Rows
	burns memory.Burns

	// How much of the device was carried over to it; of accounts.
	rowsTaken  int
	burnsTaken map[string]int
}

func newSubject(id, first string) *subject {
	return &subject{id: id, first: first, burns: memory.Burns{}, burnsTaken: map[string]int{}}
}

// world is the site and the reader of a test, in memory. The reader has one
// device; a login carries over to the account what the device has that was not
// carried over before, as the engine does, and what happens then is the
// account's.
type world struct {
	p        *plan.Program
	test     *plan.Test
	items    memory.Items
	device   *subject
	accounts map[string]*subject
	account  string // "" while logged out

	last  int64 // time of the device's last event
	visit int64 // number of the device's visit
}

// atStart is the name of the account that a registered reader begins with.
const atStart = "reader"

func newWorld(p *plan.Program) *world {
	w := &world{p: p, test: p.Tests[0], items: memory.Items{}, device: newSubject("device", "device"), accounts: map[string]*subject{}}
	for _, i := range w.test.Items {
		w.items[i.ID] = memory.Item{Fields: i.Fields, Attributes: named(i.Attributes)}
	}
	if w.test.Reader.Registered {
		w.login(atStart, 0)
	}
	return w
}

func named(list []plan.TestValue) map[string]value.Value {
	out := map[string]value.Value{}
	for _, v := range list {
		out[v.Name] = v.Value
	}
	return out
}

// subject returns the one that events and decisions are about now.
func (w *world) subject() *subject {
	if w.account != "" {
		return w.accounts[w.account]
	}
	return w.device
}

// login carries the device over to an account.
func (w *world) login(account string, at int64) {
	w.account = account
	a := w.accounts[account]
	if a == nil {
		first := w.device.id
		if len(w.device.rows) == 0 {
			first = "account:" + account
		}
		a = newSubject("account:"+account, first)
		w.accounts[account] = a
	}
	for _, r := range w.device.rows[a.rowsTaken:] {
		a.rows.Add(r.(*memory.Row))
	}
	a.rowsTaken = len(w.device.rows)
	for meter, burns := range w.device.burns {
		for _, b := range burns[a.burnsTaken[meter]:] {
			b.Device, b.Joined = w.device.id, at
			a.burns.Add(meter, b)
		}
		a.burnsTaken[meter] = len(burns)
	}
}

// event adds a row to the subject.
func (w *world) event(at int64, typ string, columns []plan.TestColumn, properties []plan.TestValue) {
	r := memory.NewRow(at, typ, "")
	r.Properties = named(properties)
	starts := w.visit == 0 || at-w.last > visitGap
	if starts {
		w.visit++
	}
	w.last = at
	r.Columns[plan.ColDevice], r.Columns[plan.ColVisit] = value.OfText(w.device.id), value.OfInt(w.visit)
	r.Columns[plan.ColStartsVisit] = value.OfBool(starts)
	if w.account != "" {
		r.Columns[plan.Column(event.ColAccount)] = value.OfText(w.account)
	}
	for _, c := range columns {
		r.Columns[c.Column] = c.Value
	}
	w.subject().rows.Add(r)
}

// read decides about items and commits; what is allowed is viewed.
func (w *world) read(at int64, items []string, access int) {
	for _, item := range items {
		v := w.view(at, item)
		d := v.Decide(access)
		if d.Burns != fold.NoMeter {
			w.subject().burns.Add(w.p.Meters[d.Burns].Name, v.Burn(d.Burns, item))
		}
		if d.Clause.Outcome == plan.Allow {
			w.event(at, "page_view", []plan.TestColumn{{Column: plan.Column(event.ColItem), Value: value.OfText(item)}}, nil)
		}
	}
}

// view is what can be known at an instant.
func (w *world) view(at int64, item string) *fold.View {
	s := w.subject()
	return &fold.View{Program: w.p, Now: at, Rows: s.rows, Items: w.items, Profile: w.profile(s), Burns: s.burns, Item: item, Request: &memory.Request{}}
}

// profile is what is known of a subject. What is said of a reader who begins
// registered belongs to the account, and does not hold without one.
func (w *world) profile(s *subject) *memory.Profile {
	p := &memory.Profile{Account: w.account != "", First: w.test.Reader.FirstSeen, Subject: s.first}
	if p.First.IsMissing() && len(s.rows) > 0 {
		p.First = value.OfTime(s.rows[0].Time())
	}
	if w.test.Reader.Registered && !p.Account {
		return p
	}
	by := "address"
	if p.Account {
		by = "account"
	}
	p.Entitlements, p.Traits = map[string]string{}, named(w.test.Reader.Traits)
	for _, name := range w.test.Reader.Entitlements {
		p.Entitlements[name] = by
	}
	return p
}

// logout leaves the account: the device goes on with what is its own.
func (w *world) logout() { w.account = "" }

// step lets what a step says happen.
func (w *world) step(s *plan.Step) {
	switch s.Kind {
	case plan.Read:
		w.read(s.At, s.Items, s.Access)
	case plan.Event:
		w.event(s.At, s.Type, s.Columns, s.Properties)
	case plan.Login:
		w.login(s.Account, s.At)
	case plan.Logout:
		w.logout()
	}
}
