package engine

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
)

// Account is what was proven of an account from an instant on, until a newer
// version holds. It is immutable.
type Account struct {
	ID string
	// Since is the site's clock when this version began to hold, Unix ms.
	Since int64
	// Gone says that the account was removed.
	Gone         bool
	Traits       []Trait // by name
	Entitlements []Entitlement
	// Past is the version before, nil once no question of the window reaches it.
	Past *Account
}

// Trait is a text, a number in its shortest decimal form, or true or false.
type Trait struct {
	Name, Value string
	Kind        event.Kind
}

// Entitlement is event.Entitlement with instants in Unix milliseconds.
type Entitlement struct {
	Name        string
	From, Until int64 // From ≤ t < Until
	PastDue     int64 // since when; valid in StatePastDue
	State       string
}

// The ends of time, for what has no beginning or end.
const (
	always = -1 << 62
	never  = 1 << 62
)

// At returns the version that held at an instant of the site's clock, nil if
// there was none.
func (a *Account) At(t int64) *Account {
	for a != nil && a.Since > t {
		a = a.Past
	}
	if a == nil || a.Gone {
		return nil
	}
	return a
}

// Trait returns a trait by name.
func (a *Account) Trait(name string) (Trait, bool) {
	if a == nil {
		return Trait{}, false
	}
	i, ok := slices.BinarySearchFunc(a.Traits, name, func(t Trait, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return Trait{}, false
	}
	return a.Traits[i], true
}

// How a reader came to an entitlement.
const (
	ByAccount = "account"
	ByToken   = "token"
	ByGrace   = "grace"
	ByAddress = "address"
	ByDomain  = "domain"
	BySeat    = "seat"
)

// Entitled says whether an account is entitled at an instant of the site's
// clock, and how: ByAccount, or ByGrace after a payment that failed.
func (a *Account) Entitled(name string, t int64) (by string, ok bool) {
	if a = a.At(t); a == nil {
		return "", false
	}
	for i := range a.Entitlements {
		e := &a.Entitlements[i]
		if e.Name != name {
			continue
		}
		switch e.holds(t) {
		case ByAccount:
			return ByAccount, true
		case ByGrace:
			by, ok = ByGrace, true
		}
	}
	return by, ok
}

// Changes calls fn with the instants after t at which an entitlement of this
// version begins or ends, in no order.
func (a *Account) Changes(t int64, fn func(at int64)) {
	if a == nil {
		return
	}
	for i := range a.Entitlements {
		e := &a.Entitlements[i]
		for _, at := range [...]int64{e.From, e.Until, e.PastDue + event.Grace.Milliseconds()} {
			if at > t && at < never {
				fn(at)
			}
		}
	}
}

// Holds says whether the entitlement entitles at t.
func (e *Entitlement) Holds(t int64) bool { return e.holds(t) != "" }

// holds returns how an entitlement holds at t, "" if it does not.
func (e *Entitlement) holds(t int64) string {
	if t < e.From || t >= e.Until {
		return ""
	}
	switch e.State {
	case event.StateEnded:
		return ""
	case event.StatePastDue:
		if t < e.PastDue+event.Grace.Milliseconds() {
			return ByGrace
		}
		return ""
	}
	return ByAccount
}

// newAccount makes the version of an account that holds from since on. A value
// that cannot be read is an account without anything.
func newAccount(id string, since int64, value []byte) *Account {
	var in event.Account
	if json.Unmarshal(value, &in) != nil {
		in = event.Account{}
	}
	a := &Account{ID: id, Since: since}
	for name, v := range in.Traits {
		t := Trait{Name: name}
		switch v := v.(type) {
		case string:
			t.Value = v
		case bool:
			t.Value, t.Kind = strconv.FormatBool(v), event.KindBool
		case float64:
			t.Value, t.Kind = strconv.FormatFloat(v, 'f', -1, 64), event.KindNumber
		default:
			continue
		}
		a.Traits = append(a.Traits, t)
	}
	slices.SortFunc(a.Traits, func(x, y Trait) int { return strings.Compare(x.Name, y.Name) })
	millis := func(t *time.Time, none int64) int64 {
		if t == nil {
			return none
		}
		return t.UnixMilli()
	}
	for _, e := range in.Entitlements {
		a.Entitlements = append(a.Entitlements, Entitlement{Name: e.Name, From: millis(e.From, always), Until: millis(e.Until, never),
			State: cmp.Or(e.State, event.StateActive), PastDue: millis(e.PastDueSince, always)})
	}
	return a
}

// Value returns the account as the log has it.
func (a *Account) Value() event.Account {
	out := event.Account{}
	for _, t := range a.Traits {
		if out.Traits == nil {
			out.Traits = make(map[string]any, len(a.Traits))
		}
		switch t.Kind {
		case event.KindBool:
			out.Traits[t.Name] = t.Value == "true"
		case event.KindNumber:
			out.Traits[t.Name] = json.Number(t.Value)
		default:
			out.Traits[t.Name] = t.Value
		}
	}
	instant := func(ms int64) *time.Time {
		if ms <= always || ms >= never {
			return nil
		}
		t := time.UnixMilli(ms).UTC()
		return &t
	}
	for _, e := range a.Entitlements {
		out.Entitlements = append(out.Entitlements, event.Entitlement{Name: e.Name, From: instant(e.From), Until: instant(e.Until),
			State: e.State, PastDueSince: instant(e.PastDue)})
	}
	return out
}

// encode returns the value of the account's fact, nil if it was removed.
func (a *Account) encode() []byte {
	if a == nil || a.Gone {
		return nil
	}
	value, err := json.Marshal(a.Value())
	if err != nil {
		return []byte("{}") // what was decoded can be encoded
	}
	return value
}

// same says whether two versions say the same.
func (a *Account) same(b *Account) bool {
	return a.Gone == b.Gone && slices.Equal(a.Traits, b.Traits) && slices.Equal(a.Entitlements, b.Entitlements)
}

// since returns the versions that a question about t ≥ from can need, nil if
// none says more than nothing.
func (a *Account) since(from int64) *Account {
	if a == nil {
		return nil
	}
	if a.Since <= from {
		if a.Gone {
			return nil
		}
		if a.Past == nil {
			return a
		}
		b := *a
		b.Past = nil
		return &b
	}
	past := a.Past.since(from)
	if past == a.Past {
		return a
	}
	b := *a
	b.Past = past
	return &b
}

// accountVersion is a version of an account in a checkpoint.
type accountVersion struct {
	Since int64           `json:"since"`
	Value json.RawMessage `json:"value,omitempty"` // absent: removed
}

// encodeVersions returns all versions, newest first.
func (a *Account) encodeVersions() []byte {
	var list []accountVersion
	for ; a != nil; a = a.Past {
		list = append(list, accountVersion{a.Since, a.encode()})
	}
	value, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return value
}

// decodeVersions reads what encodeVersions wrote.
func decodeVersions(id string, value []byte) (*Account, error) {
	var list []accountVersion
	if err := json.Unmarshal(value, &list); err != nil {
		return nil, err
	}
	var a *Account
	for _, v := range slices.Backward(list) {
		next := &Account{ID: id, Since: v.Since, Gone: true}
		if len(v.Value) > 0 {
			next = newAccount(id, v.Since, v.Value)
		}
		next.Past = a
		a = next
	}
	return a, nil
}
