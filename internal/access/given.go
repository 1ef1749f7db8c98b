package access

import (
	"encoding/binary"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Given is what a request proves or says, beside what the engine knows of its
// reader. It travels with the commit.
type Given struct {
	// Columns are those that a row of the request would have; nil: none.
	Columns *[event.NumColumns]string
	// Verified says that the robot is who it says it is.
	Verified bool
	// Entitlements are the token's, Lists those that the reader's address or
	// proven domain stands on.
	Entitlements []string
	Lists        []engine.Match
	// Link is the signed link that came, of this site; nil: none.
	Link *identity.Link
	// Session is set for a reader of whom nothing may be stored.
	Session *Session
}

// flags are the kinds of links by the flag that shows them.
var flags = [plan.NumFlags]string{plan.Preview: event.LinkPreview, plan.Gift: event.LinkGift, plan.Newsletter: event.LinkNewsletter}

// Column returns what a row of the request would have in a column.
func (g *Given) Column(c event.Column) string {
	if g.Columns == nil {
		return ""
	}
	return g.Columns[c]
}

func (g *Given) setColumn(c event.Column, text string) {
	if text == "" {
		return
	}
	if g.Columns == nil {
		g.Columns = new([event.NumColumns]string)
	}
	g.Columns[c] = text
}

// eachColumn calls fn with the columns of a request that a block can look at.
func eachColumn(a *plan.Access, fn func(event.Column)) {
	for _, e := range a.Looks {
		switch {
		case e.Op == plan.RequestColumn && e.Column < plan.Column(event.NumColumns):
			fn(event.Column(e.Column))
		case e.Op == plan.BotClass:
			fn(event.ColBotClass)
		case e.Op == plan.BotOperator:
			fn(event.ColBotOperator)
		}
	}
}

// used returns of g what a block can look at.
func (g *Given) used(a *plan.Access) Given {
	out := Given{Session: g.Session}
	var names []string
	every := false
	eachColumn(a, func(c event.Column) { out.setColumn(c, g.Column(c)) })
	for _, e := range a.Looks {
		switch e.Op {
		case plan.BotVerified:
			out.Verified = g.Verified
		case plan.RequestFlag:
			if g.Link != nil && g.Link.Kind == flags[e.Flag] {
				out.Link = g.Link
			}
		case plan.ReaderEntitled, plan.ReaderEntitledBy:
			if name := e.Args[0]; name.IsConst() {
				names = append(names, name.Value.S)
			} else {
				every = true
			}
		}
	}
	asks := func(name string) bool {
		for _, n := range names {
			if n == name {
				return true
			}
		}
		return every
	}
	for _, name := range g.Entitlements {
		if asks(name) {
			out.Entitlements = append(out.Entitlements, name)
		}
	}
	for _, m := range g.Lists {
		if asks(m.Entitlement) {
			out.Lists = append(out.Lists, m)
		}
	}
	return out
}

// Parts of a Given that are written.
const (
	givenVerified = 1 << iota
	givenEntitlements
	givenLists
	givenLink
	givenColumns
	givenSession
	givenClaimed
	givenKnown = 1<<iota - 1
)

var listKinds = [...]string{engine.ByAddress, engine.ByDomain}

// append writes g, but for the burns of a session; its columns only if they are
// asked for, each cut to cut bytes if that is not 0.
func (g *Given) append(dst []byte, columns bool, cut int) []byte {
	parts := byte(0)
	set := func(part byte, given bool) {
		if given {
			parts |= part
		}
	}
	set(givenVerified, g.Verified)
	set(givenEntitlements, len(g.Entitlements) > 0)
	set(givenLists, len(g.Lists) > 0)
	set(givenLink, g.Link != nil)
	set(givenColumns, columns && g.columns() > 0)
	set(givenSession, g.Session != nil)
	set(givenClaimed, g.Session != nil && g.Session.Claimed)
	dst = append(dst, parts)
	if parts&givenEntitlements != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(g.Entitlements)))
		for _, name := range g.Entitlements {
			dst = appendText(dst, name)
		}
	}
	if parts&givenLists != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(g.Lists)))
		for _, m := range g.Lists {
			by := byte(0)
			if m.By == engine.ByDomain {
				by = 1
			}
			dst = append(appendText(dst, m.List), by)
		}
	}
	if parts&givenLink != 0 {
		dst = appendText(appendText(dst, g.Link.ID), g.Link.Kind)
		dst = appendText(appendText(dst, g.Link.Item), g.Link.Giver)
		dst = binary.AppendUvarint(dst, uint64(g.Link.Expires))
		dst = binary.AppendUvarint(dst, uint64(g.Link.Uses))
	}
	if parts&givenColumns != 0 {
		dst = g.appendColumns(dst, cut)
	}
	if g.Session != nil {
		dst = appendText(dst, g.Session.User)
	}
	return dst
}

// columns returns how many of the columns have a text.
func (g *Given) columns() (n int) {
	for c := range event.NumColumns {
		if g.Column(c) != "" {
			n++
		}
	}
	return n
}

// appendColumns writes the columns that have a text, each cut to cut bytes if that is
// not 0.
func (g *Given) appendColumns(dst []byte, cut int) []byte {
	dst = binary.AppendUvarint(dst, uint64(g.columns()))
	for c := range event.NumColumns {
		text := g.Column(c)
		if text == "" {
			continue
		}
		if cut > 0 {
			text = cutText(text, cut)
		}
		dst = appendText(append(dst, byte(c)), text)
	}
	return dst
}

// maxGiven bounds what is read of lists of texts.
const maxGiven = 1000

// given reads what append wrote.
func (r *bytesReader) given() (g Given) {
	parts := r.byte()
	if parts > givenKnown {
		r.fail()
		return g
	}
	g.Verified = parts&givenVerified != 0
	if parts&givenEntitlements != 0 {
		for range r.number(maxGiven) {
			g.Entitlements = append(g.Entitlements, r.text())
		}
	}
	if parts&givenLists != 0 {
		for range r.number(maxGiven) {
			name, by := r.text(), r.byte()
			if int(by) >= len(listKinds) {
				r.fail()
				return g
			}
			g.Lists = append(g.Lists, engine.Match{List: name, By: listKinds[by]})
		}
	}
	if parts&givenLink != 0 {
		g.Link = &identity.Link{ID: r.text(), Kind: r.text(), Item: r.text(), Giver: r.text()}
		g.Link.Expires = int64(r.number(1 << 60))
		g.Link.Uses = int(r.number(1 << 31))
	}
	if parts&givenColumns != 0 {
		for range r.number(uint64(event.NumColumns)) {
			c := r.byte()
			if c >= byte(event.NumColumns) {
				r.fail()
				return g
			}
			g.setColumn(event.Column(c), r.text())
		}
	}
	if parts&givenSession != 0 {
		g.Session = &Session{User: r.text(), Claimed: parts&givenClaimed != 0}
	}
	return g
}

// request is a Given as programs see it.
type request struct {
	given *Given
	open  bool // the link may be used by the reader for the item asked for
}

// Column implements fold.Request.
func (q *request) Column(c plan.Column) value.Value {
	if c >= plan.Column(event.NumColumns) {
		return value.Value{} // a request has no measures
	}
	return text(q.given.Column(event.Column(c)))
}

// Flag implements fold.Request.
func (q *request) Flag(f plan.Flag) bool { return q.open && q.given.Link.Kind == flags[f] }

// BotVerified implements fold.Request.
func (q *request) BotVerified() bool { return q.given.Verified }

// BotClass implements fold.Request.
func (q *request) BotClass() value.Value { return text(q.given.Column(event.ColBotClass)) }

// BotOperator implements fold.Request.
func (q *request) BotOperator() value.Value { return text(q.given.Column(event.ColBotOperator)) }

func text(s string) value.Value {
	if s == "" {
		return value.Value{}
	}
	return value.OfText(s)
}
