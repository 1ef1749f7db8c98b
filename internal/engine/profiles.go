package engine

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/engine/trie"
	"github.com/readership/readership/internal/event"
)

// Profiles are what was proven of a site's readers beside their rows, at one
// instant: accounts, logins, entitlement lists with their seats, uses of signed
// links. It is immutable; a look-up takes well under a microsecond.
type Profiles struct {
	accounts trie.Map[*Account]
	logins   trie.Map[string]       // device → account
	seats    trie.Map[*seats]       // by list
	links    trie.Map[*linkUses]    // by link
	gifts    trie.Map[int]          // by giver and month
	stored   map[string]*event.List // as the log has them
	lists    *lists                 // the same, ready to be asked
	zone     *time.Location         // of the site
	erased   int64                  // when a reader was erased last; 0: never
}

// seats are the readers who have a place on a list. It is immutable. As none is
// older than the newest by seatTime and there are no more than the list has,
// they are the same in whatever order they are told again.
type seats struct {
	at             trie.Map[int64] // reader → when it last needed the seat
	oldest, newest int64           // no seat is older or newer
}

var noProfiles = &Profiles{lists: newLists(nil), zone: time.UTC}

// ErasedSince says whether a reader of the site was erased at an instant of its
// clock or later.
func (p *Profiles) ErasedSince(t int64) bool { return p.erased != 0 && p.erased >= t }

// Account returns what holds of an account now, nil if nothing is known.
func (p *Profiles) Account(id string) *Account {
	a, _ := p.accounts.Get(id)
	if a == nil || a.Gone {
		return nil
	}
	return a
}

// AccountAt returns what held of an account at an instant of the site's clock
// inside its window, nil if nothing was known.
func (p *Profiles) AccountAt(id string, t int64) *Account {
	a, _ := p.accounts.Get(id)
	return a.At(t)
}

// Login returns the account that a device is logged in to.
func (p *Profiles) Login(device string) (account string, ok bool) { return p.logins.Get(device) }

// Accounts calls fn with every account there is, in no order, until it returns
// false.
func (p *Profiles) Accounts(fn func(*Account) bool) {
	for _, a := range p.accounts.All() {
		if !a.Gone && !fn(a) {
			return
		}
	}
}

// List returns an entitlement list.
func (p *Profiles) List(name string) (*event.List, bool) {
	l, ok := p.stored[name]
	return l, ok
}

// Lists returns all entitlement lists by name. The map must not be changed.
func (p *Profiles) Lists() map[string]*event.List { return p.stored }

// Match is a list on which the address or the domain of a request stands.
type Match struct {
	List        string
	By          string // ByAddress, ByDomain
	Entitlement string // that the list gave then
}

// Matches returns the lists on which an address, or the domain of a proven
// e-mail address in lower case, stands: those of the address first.
func (p *Profiles) Matches(address netip.Addr, domain string) (out []Match) {
	for _, l := range p.lists.byAddress(address) {
		out = append(out, Match{l.name, ByAddress, l.entitlement})
	}
	p.lists.byDomain(domain, func(l *list) bool {
		out = append(out, Match{l.name, ByDomain, l.entitlement})
		return true
	})
	return out
}

// Listing is how a list entitles a reader.
type Listing struct {
	List string
	By   string // ByAddress, ByDomain, BySeat
	// Take says that the reader has no seat yet and there is one: a FactSeat has
	// to be written for it.
	Take bool
	// Since is when the reader's seat was last needed, Unix ms; of one that it has.
	Since int64
}

// Listed says whether one of the lists on which a request stands entitles its
// reader at an instant of the site's clock. Lists that have gone entitle nobody.
func (p *Profiles) Listed(entitlement, reader string, on []Match, now int64) (Listing, bool) {
	var free Listing
	for _, m := range on {
		l := p.lists.byName[m.List]
		if l == nil || l.entitlement != entitlement {
			continue
		}
		if l.seats == 0 {
			return Listing{List: l.name, By: m.By}, true
		}
		s, _ := p.seats.Get(l.name)
		if at, ok := s.held(reader, now); ok {
			return Listing{List: l.name, By: BySeat, Since: at}, true
		}
		if free.List == "" && s.taken(now) < l.seats {
			free = Listing{List: l.name, By: BySeat, Take: true}
		}
	}
	return free, free.List != ""
}

const seatTime = int64(event.SeatTime / time.Millisecond)

// held says since when a reader has a seat.
func (s *seats) held(reader string, now int64) (at int64, ok bool) {
	if s == nil {
		return 0, false
	}
	at, ok = s.at.Get(reader)
	return at, ok && now < at+seatTime
}

// taken returns how many seats are taken.
func (s *seats) taken(now int64) int {
	if s == nil {
		return 0
	}
	if now < s.oldest+seatTime {
		return s.at.Len()
	}
	n := 0
	for _, at := range s.at.All() {
		if now < at+seatTime {
			n++
		}
	}
	return n
}

// withSeat returns the profiles after a reader took or kept a seat at an
// instant; the same ones if the list has none.
func (p *Profiles) withSeat(name, reader string, at int64) *Profiles {
	l := p.lists.byName[name]
	if l == nil {
		return p
	}
	s, _ := p.seats.Get(name)
	if s == nil {
		s = &seats{oldest: at, newest: at}
	}
	if at+seatTime <= s.newest {
		return p
	}
	next := s.kept(func(_ string, since int64) bool { return at < since+seatTime })
	if _, has := next.at.Get(reader); !has && next.at.Len() >= l.seats {
		return p
	}
	next.at = next.at.Set(reader, at)
	next.oldest, next.newest = min(next.oldest, at), max(next.newest, at)
	q := *p
	q.seats = p.seats.Set(name, &next)
	return &q
}

// kept returns the seats that keep says are kept.
func (s *seats) kept(keep func(reader string, at int64) bool) seats {
	out := *s
	for reader, at := range s.at.All() {
		if !keep(reader, at) {
			out.at = out.at.Delete(reader)
		}
	}
	if out.at.Len() != s.at.Len() {
		out.oldest = s.newest
		for _, at := range out.at.All() {
			out.oldest = min(out.oldest, at)
		}
	}
	return out
}

// seatsGone calls fn with the keys of seats that p has and q has not.
func (p *Profiles) seatsGone(q *Profiles, fn func(key string)) {
	if p.seats == q.seats {
		return
	}
	for name, before := range p.seats.All() {
		after, _ := q.seats.Get(name)
		if before == after {
			continue
		}
		for reader := range before.at.All() {
			if after != nil {
				if _, ok := after.at.Get(reader); ok {
					continue
				}
			}
			fn(event.SeatKey(name, reader))
		}
	}
}

// limited returns the seats that a list keeps when it has n only: those that
// were needed last.
func (s *seats) limited(n int) seats {
	type seat struct {
		reader string
		at     int64
	}
	var all []seat
	for reader, at := range s.at.All() {
		all = append(all, seat{reader, at})
	}
	slices.SortFunc(all, func(a, b seat) int { return cmp.Or(cmp.Compare(b.at, a.at), strings.Compare(a.reader, b.reader)) })
	drop := map[string]bool{}
	for _, one := range all[min(n, len(all)):] {
		drop[one.reader] = true
	}
	return s.kept(func(reader string, _ int64) bool { return !drop[reader] })
}

// withList returns the profiles with a list replaced or, for nil, removed.
func (p *Profiles) withList(name string, l *event.List) *Profiles {
	q := *p
	q.stored = make(map[string]*event.List, len(p.stored)+1)
	for k, v := range p.stored {
		q.stored[k] = v
	}
	if l == nil {
		delete(q.stored, name)
		q.seats = p.seats.Delete(name)
	} else {
		q.stored[name] = l
		if s, _ := p.seats.Get(name); s != nil && s.at.Len() > l.Seats {
			left := s.limited(l.Seats)
			q.seats = p.seats.Set(name, &left)
		}
	}
	q.lists = newLists(q.stored)
	return &q
}

// apply returns the profiles after a fact at an instant of the site's clock,
// and whether that changed anything. Facts about anything else change nothing.
func (p *Profiles) apply(fact *event.Fact, now int64) (*Profiles, bool) {
	key := strings.Clone(fact.Key)
	switch fact.Kind {
	case event.FactAccount:
		return p.withAccount(key, fact.Value, now)
	case event.FactLogin:
		q := *p
		var login event.Login
		if len(fact.Value) == 0 || json.Unmarshal(fact.Value, &login) != nil || login.Account == "" {
			q.logins = p.logins.Delete(key)
		} else {
			q.logins = p.logins.Set(key, login.Account)
		}
		return &q, true
	case event.FactList:
		l, ok := decodeList(fact.Value)
		if !ok {
			l = nil
		}
		return p.withList(key, l), true
	case event.FactSeat:
		name, reader, ok := strings.Cut(key, "\x00")
		var seat event.Seat
		if !ok || json.Unmarshal(fact.Value, &seat) != nil {
			return p, false
		}
		q := p.withSeat(name, reader, seat.At)
		return q, q != p
	case event.FactUse:
		link, reader, ok := strings.Cut(key, "\x00")
		var use event.LinkUse
		if !ok || json.Unmarshal(fact.Value, &use) != nil {
			return p, false
		}
		q := p.withUse(link, reader, &use)
		return q, q != p
	}
	return p, false
}

// withAccount returns the profiles with a new version of an account.
func (p *Profiles) withAccount(id string, value []byte, now int64) (*Profiles, bool) {
	old, _ := p.accounts.Get(id)
	next := &Account{ID: id, Since: now, Gone: true, Past: old}
	if len(value) > 0 {
		next = newAccount(id, now, value)
		next.Past = old
	}
	switch {
	case old == nil && next.Gone, old != nil && old.same(next):
		return p, false // the daily snapshot says again what holds
	case old != nil && old.Since >= now:
		next.Since = old.Since
		next.Past = old.Past // no instant lies between them
	}
	q := *p
	q.accounts = p.accounts.Set(id, next)
	return &q, true
}

// withoutPast returns the profiles without the versions of an account that no
// question about t ≥ from can need.
func (p *Profiles) withoutPast(id string, from int64) (*Profiles, bool) {
	old, ok := p.accounts.Get(id)
	if !ok {
		return p, false
	}
	kept := old.since(from)
	if kept == old {
		return p, false
	}
	q := *p
	if kept == nil {
		q.accounts = p.accounts.Delete(id)
	} else {
		q.accounts = p.accounts.Set(id, kept)
	}
	return &q, true
}

// facts calls fn with the kind, key and value of every fact.
func (p *Profiles) facts(fn func(kind, key string, value []byte)) {
	for name := range p.stored {
		fn(event.FactList, name, p.value(event.FactList, name))
	}
	for id := range p.accounts.All() {
		if value := p.value(event.FactAccount, id); value != nil {
			fn(event.FactAccount, id, value)
		}
	}
	for device := range p.logins.All() {
		fn(event.FactLogin, device, p.value(event.FactLogin, device))
	}
	for name, s := range p.seats.All() {
		for reader := range s.at.All() {
			key := event.SeatKey(name, reader)
			fn(event.FactSeat, key, p.value(event.FactSeat, key))
		}
	}
	for link, l := range p.links.All() {
		for _, r := range l.readers {
			key := event.UseKey(link, r.name)
			fn(event.FactUse, key, p.value(event.FactUse, key))
		}
	}
}

// value returns the value of a fact, nil if there is none.
func (p *Profiles) value(kind, key string) []byte {
	var v any
	switch kind {
	case event.FactAccount:
		return p.Account(key).encode()
	case event.FactLogin:
		account, ok := p.logins.Get(key)
		if !ok {
			return nil
		}
		v = event.Login{Account: account}
	case event.FactList:
		l, ok := p.stored[key]
		if !ok {
			return nil
		}
		v = l
	case event.FactSeat:
		name, reader, _ := strings.Cut(key, "\x00")
		s, _ := p.seats.Get(name)
		if s == nil {
			return nil
		}
		at, ok := s.at.Get(reader)
		if !ok {
			return nil
		}
		v = event.Seat{At: at}
	case event.FactUse:
		link, reader, _ := strings.Cut(key, "\x00")
		l, _ := p.links.Get(link)
		if l == nil {
			return nil
		}
		for _, r := range l.readers {
			if r.name == reader {
				v = l.use(r)
			}
		}
	}
	if v == nil {
		return nil
	}
	value, err := json.Marshal(v)
	if err != nil {
		return nil // structs of texts and numbers can be encoded
	}
	return value
}

// without returns the profiles without anything about a reader, and what stands
// for it as a giver of links, that is erased at an instant of the site's clock. It
// calls gone with the facts that went or changed by it. What the reader used up
// stays used up, under no name.
func (p *Profiles) without(reader, giver string, now int64, gone func(kind, key string)) *Profiles {
	q := *p
	q.erased = now
	if account, ok := strings.CutPrefix(reader, accountPrefix); ok {
		if _, ok := q.accounts.Get(account); ok {
			q.accounts = q.accounts.Delete(account)
			gone(event.FactAccount, account)
		}
		for device, a := range p.logins.All() {
			if a == account {
				q.logins = q.logins.Delete(device)
				gone(event.FactLogin, device)
			}
		}
	} else if device, ok := strings.CutPrefix(reader, devicePrefix); ok {
		if _, ok := q.logins.Get(device); ok {
			q.logins = q.logins.Delete(device)
			gone(event.FactLogin, device)
		}
	}
	for name, s := range p.seats.All() {
		if _, ok := s.at.Get(reader); ok {
			left := s.kept(func(who string, _ int64) bool { return who != reader })
			q.seats = q.seats.Set(name, &left)
			gone(event.FactSeat, event.SeatKey(name, reader))
		}
	}
	for link, l := range p.links.All() {
		given := l.giver != "" && l.giver == giver
		if !given && !l.has(reader) {
			continue
		}
		next := *l
		next.readers = append([]linkReader(nil), l.readers...)
		if given {
			next.giver = ""
		}
		for i := range next.readers {
			r := &next.readers[i]
			if given {
				q.gifts = q.gifts.Delete(r.month)
				r.month = ""
			}
			gone(event.FactUse, event.UseKey(link, r.name))
			if r.name == reader {
				r.name = "erased:" + strconv.Itoa(i)
				gone(event.FactUse, event.UseKey(link, r.name))
			}
		}
		q.links = q.links.Set(link, &next)
	}
	return &q
}

// withoutOver returns the profiles without uses of links that mean nothing any
// more, and calls gone with their keys.
func (p *Profiles) withoutOver(now int64, gone func(kind, key string)) *Profiles {
	q := *p
	for link, l := range p.links.All() {
		if !l.over(now) {
			continue
		}
		for _, r := range l.readers {
			q.gifts = q.gifts.Delete(r.month)
			gone(event.FactUse, event.UseKey(link, r.name))
		}
		q.links = q.links.Delete(link)
	}
	return &q
}

// The kinds of readers, as names begin with them.
const (
	devicePrefix  = "device:"
	accountPrefix = "account:"
)
