package testblock

import (
	"strings"

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

	profile *memory.Profile // of one that was there before the world; else nil

	// How much of the device was carried over to it; of accounts.
	rowsTaken  int
	burnsTaken map[string]int
}

func newSubject(id, first string) *subject {
	return &subject{id: id, first: first, burns: memory.Burns{}, burnsTaken: map[string]int{}}
}

// World is a site and one reader in memory, as tests and prompts have them. The
// reader has one device; a login carries over to the account what the device has
// that was not carried over before, as the engine does, and what happens then is
// the account's. It is for one goroutine; plans of one program after the other
// may be asked about it.
type World struct {
	// Elsewhere has the items that the world itself does not have; nil for none.
	Elsewhere fold.Catalogue

	items    memory.Items
	reader   plan.TestReader
	device   *subject
	accounts map[string]*subject
	account  string // "" while logged out

	last  int64 // time of the device's last event
	visit int64 // number of the device's visit
}

// atStart is the name of the account that a registered reader begins with.
const atStart = "reader"

// NewWorld returns the world that a test begins with.
func NewWorld(t *plan.Test) *World {
	w := &World{items: memory.Items{}, device: newSubject("device", "device"), accounts: map[string]*subject{}}
	w.AddItems(t.Items)
	w.SetReader(t.Reader)
	return w
}

// SetReader says what is known of the reader. One who is registered is logged in
// if that is not so already.
func (w *World) SetReader(r plan.TestReader) {
	w.reader = r
	if r.Registered && w.account == "" {
		w.login(atStart, 0)
	}
}

// WorldOf returns a world with a reader that has rows already. What happens from
// then on is in the world only.
func WorldOf(r *memory.Reader) *World {
	visits(r.Rows)
	s := newSubject(r.Name, r.Profile.Subject)
	s.rows, s.profile = r.Rows, &r.Profile
	w := &World{items: memory.Items{}, device: s, accounts: map[string]*subject{}}
	if account, ok := strings.CutPrefix(r.Name, "account:"); ok {
		w.account, w.device = account, newSubject("device", "device")
		w.accounts[account] = s
	} else {
		s.id = strings.TrimPrefix(r.Name, "device:")
	}
	if n := len(r.Rows); n > 0 {
		w.last, w.visit = r.Rows[n-1].Time(), int64(n) // a number that none of them has
	}
	return w
}

// visits numbers the visits of rows, each device's for itself.
func visits(rows memory.Rows) {
	type visit struct{ last, number int64 }
	of := map[value.Value]visit{}
	for i, row := range rows {
		r := row.(*memory.Row)
		v, met := of[r.Columns[plan.ColDevice]]
		starts := !met || r.At-v.last > visitGap
		if starts {
			v.number = int64(i)
		}
		v.last = r.At
		of[r.Columns[plan.ColDevice]] = v
		r.Columns[plan.ColVisit], r.Columns[plan.ColStartsVisit] = value.OfInt(v.number), value.OfBool(starts)
	}
}

// AddItems adds entries to the catalogue; one whose id it has takes its place.
func (w *World) AddItems(list []plan.TestItem) {
	for _, i := range list {
		w.items[i.ID] = memory.Item{Fields: i.Fields, Attributes: named(i.Attributes)}
	}
}

func named(list []plan.TestValue) map[string]value.Value {
	out := map[string]value.Value{}
	for _, v := range list {
		out[v.Name] = v.Value
	}
	return out
}

// subject returns the one that events and decisions are about now.
func (w *World) subject() *subject {
	if w.account != "" {
		return w.accounts[w.account]
	}
	return w.device
}

// login carries the device over to an account.
func (w *World) login(account string, at int64) {
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
func (w *World) event(at int64, typ string, columns []plan.TestColumn, properties []plan.TestValue) {
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
func (w *World) read(p *plan.Program, at int64, items []string, access int) {
	for _, item := range items {
		v := w.View(p, at, item)
		d := v.Decide(access)
		if d.Burns != fold.NoMeter {
			w.subject().burns.Add(p.Meters[d.Burns].Name, v.Burn(d.Burns, item))
		}
		if d.Clause.Outcome == plan.Allow {
			w.event(at, "page_view", []plan.TestColumn{{Column: plan.Column(event.ColItem), Value: value.OfText(item)}}, nil)
		}
	}
}

// View is what a program can know at an instant, in Unix milliseconds, with an
// item asked for, "" for none.
func (w *World) View(p *plan.Program, at int64, item string) *fold.View {
	s := w.subject()
	return &fold.View{Program: p, Now: at, Rows: s.rows, Items: catalogue{w.items, w.Elsewhere}, Profile: w.profile(s), Burns: s.burns, Item: item, Request: &memory.Request{}}
}

// profile is what is known of a subject. What is said of a reader who begins
// registered belongs to the account, and does not hold without one.
func (w *World) profile(s *subject) *memory.Profile {
	if s.profile != nil {
		return s.profile
	}
	p := &memory.Profile{Account: w.account != "", First: w.reader.FirstSeen, Subject: s.first}
	if p.First.IsMissing() && len(s.rows) > 0 {
		p.First = value.OfTime(s.rows[0].Time())
	}
	if w.reader.Registered && !p.Account {
		return p
	}
	by := "address"
	if p.Account {
		by = "account"
	}
	p.Entitlements, p.Traits = map[string]string{}, named(w.reader.Traits)
	for _, name := range w.reader.Entitlements {
		p.Entitlements[name] = by
	}
	return p
}

// logout leaves the account: the device goes on with what is its own.
func (w *World) logout() { w.account = "" }

// Step lets what a step says happen; one that expects something changes nothing.
// The plan is that of the step.
func (w *World) Step(p *plan.Program, s *plan.Step) {
	switch s.Kind {
	case plan.Read:
		w.read(p, s.At, s.Items, s.Access)
	case plan.Event:
		w.event(s.At, s.Type, s.Columns, s.Properties)
	case plan.Login:
		w.login(s.Account, s.At)
	case plan.Logout:
		w.logout()
	}
}

// catalogue has items of its own, and others.
type catalogue struct {
	memory.Items
	others fold.Catalogue
}

// Field implements fold.Catalogue.
func (c catalogue) Field(item string, f plan.Field) value.Value {
	if _, own := c.Items[item]; own || c.others == nil {
		return c.Items.Field(item, f)
	}
	return c.others.Field(item, f)
}

// Attribute implements fold.Catalogue.
func (c catalogue) Attribute(item, name string) value.Value {
	if _, own := c.Items[item]; own || c.others == nil {
		return c.Items.Attribute(item, name)
	}
	return c.others.Attribute(item, name)
}
