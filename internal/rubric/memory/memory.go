// Package memory holds what programs read in maps: rows, items, readers, requests
// and burns of tests. It stands behind the interfaces of package fold.
package memory

import (
	"slices"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Row is an event at an instant, in Unix milliseconds.
type Row struct {
	At         int64
	Columns    map[plan.Column]value.Value
	Properties map[string]value.Value
}

// NewRow returns an event of a type about an item, "" for none.
func NewRow(at int64, typ, item string) *Row {
	r := &Row{At: at, Columns: map[plan.Column]value.Value{plan.Column(event.ColType): value.OfText(typ)}, Properties: map[string]value.Value{}}
	if item != "" {
		r.Columns[plan.Column(event.ColItem)] = value.OfText(item)
	}
	return r
}

// Time implements fold.Row.
func (r *Row) Time() int64 { return r.At }

// Column implements fold.Row.
func (r *Row) Column(c plan.Column) value.Value { return r.Columns[c] }

// Property implements fold.Row.
func (r *Row) Property(name string) value.Value { return r.Properties[name] }

// Rows are those of one subject.
type Rows []fold.Row

// Add puts a row behind those of its time and of earlier ones.
func (rows *Rows) Add(r *Row) {
	i := len(*rows)
	for i > 0 && (*rows)[i-1].Time() > r.At {
		i--
	}
	*rows = slices.Insert(*rows, i, fold.Row(r))
}

// Items is a catalogue by id.
type Items map[string]Item

// Item is an entry of a catalogue.
type Item struct {
	Fields     [plan.NumFields]value.Value
	Attributes map[string]value.Value
}

// Field implements fold.Catalogue.
func (m Items) Field(item string, f plan.Field) value.Value { return m[item].Fields[f] }

// Attribute implements fold.Catalogue.
func (m Items) Attribute(item, name string) value.Value { return m[item].Attributes[name] }

// Profile is what is known of a reader.
type Profile struct {
	Account      bool
	Entitlements map[string]string // by what, by name
	Traits       map[string]value.Value
	First        value.Value // Time
	Subject      string      // first known
}

// Registered implements fold.Profile.
func (p *Profile) Registered() bool { return p.Account }

// Entitled implements fold.Profile: entitlements hold at all times.
func (p *Profile) Entitled(name string, _ int64) (by string, ok bool) {
	by, ok = p.Entitlements[name]
	return by, ok
}

// Trait implements fold.Profile.
func (p *Profile) Trait(name string) value.Value { return p.Traits[name] }

// FirstSeen implements fold.Profile.
func (p *Profile) FirstSeen() value.Value { return p.First }

// FirstSubject implements fold.Profile.
func (p *Profile) FirstSubject() string { return p.Subject }

// Reader is a reader that has rows already.
type Reader struct {
	Name    string // device:ID or account:ID
	Profile Profile
	Rows    Rows // *Row each
}

// Request is what a reader asks with.
type Request struct {
	Columns         map[plan.Column]value.Value
	Flags           [plan.NumFlags]bool
	Verified        bool
	Class, Operator value.Value // of a robot
}

// Column implements fold.Request.
func (r *Request) Column(c plan.Column) value.Value { return r.Columns[c] }

// Flag implements fold.Request.
func (r *Request) Flag(f plan.Flag) bool { return r.Flags[f] }

// BotVerified implements fold.Request.
func (r *Request) BotVerified() bool { return r.Verified }

// BotClass implements fold.Request.
func (r *Request) BotClass() value.Value { return r.Class }

// BotOperator implements fold.Request.
func (r *Request) BotOperator() value.Value { return r.Operator }

// Burns are those of one subject by the meter's name.
type Burns map[string][]fold.Burn

// Burns implements fold.Burns.
func (m Burns) Burns(meter string, _ int64) []fold.Burn { return m[meter] }

// Add puts a burn behind those of its time and of earlier ones.
func (m Burns) Add(meter string, b fold.Burn) {
	list := m[meter]
	i := len(list)
	for i > 0 && list[i-1].Time > b.Time {
		i--
	}
	m[meter] = slices.Insert(slices.Clone(list), i, b)
}

var (
	_ fold.Row       = (*Row)(nil)
	_ fold.Catalogue = Items(nil)
	_ fold.Profile   = (*Profile)(nil)
	_ fold.Request   = (*Request)(nil)
	_ fold.Burns     = Burns(nil)
)
