package access

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
)

// ticket is what is known of a decision: it is sealed in the decision's id, and
// all but what the row says anyway stands in the event of its commit.
//
//	texts     reader, item
//	varint    at, Unix milliseconds
//	1 byte    version, 1
//	uvarint   version of the program
//	text      access block
//	1 byte    what was shown: 0 nothing yet, else the outcome + 1
//	uvarint   the clause that was shown, from 0
//	given     what the request proved
//	the rest  record of what was looked up; may be empty
//
// docs/format/decisions.md describes it.
type ticket struct {
	Nonce   identity.Nonce
	Reader  string // device:ID or account:ID
	Item    string
	At      int64 // when it was decided, Unix milliseconds
	Version int   // of the program
	Access  string
	Shown   shown
	Clause  int // that was shown, its place in the block
	Given   Given
	Record  []byte

	rest []byte // as it is written, from the version on
}

// shown is what was shown before a commit: 0 nothing, else an outcome + 1.
type shown byte

func showing(o plan.Outcome) shown { return shown(o) + 1 }

// seen returns what the events of the device came to that a session claims; nil: of
// no such device, or it is not known yet.
func (t *ticket) seen(p *program.Compiled, a *plan.Access) *record {
	if t.Given.Session == nil || !t.Given.Session.Claimed || len(t.Record) == 0 || p.Version != t.Version {
		return nil
	}
	r, err := readRecord(t.Record, p.Plan, a, t.At)
	if err != nil {
		return nil
	}
	return r
}

// looked returns what writes what a decision has looked up, for pack. Of a claimed
// device it is all that may be asked of its events.
func (t *ticket) looked(d *decision) func(dst []byte, limit, cut int) []byte {
	if s := t.Given.Session; s != nil && s.Claimed {
		for _, e := range d.record.looks {
			if ofEvents(e) {
				d.view.Expr(e)
			}
		}
	}
	return func(dst []byte, limit, cut int) []byte { return d.record.append(dst, t.At, limit, cut) }
}

// stopped says whether a wall was shown.
func (s shown) stopped() bool { return s > showing(plan.Allow) }

const ticketVersion = 1

var (
	errTooLong = errors.New("the names of reader, item and access block are too long for the id of a decision")
	errTicket  = errors.New("it is not the id of a decision")
)

// Room in an id. What is cut is never what a decision of names of usual lengths
// rests on.
const (
	maxNames  = 640 // bytes of reader, item and access block
	cutColumn = 48  // bytes of a text of the request, where all do not fit
	cutLooked = 24  // of a text that was looked up, likewise
)

// pack lays the ticket out for its id, as lay does.
func (t *ticket) pack(columns bool, record func(dst []byte, limit, cut int) []byte) (err error) {
	t.rest, err = t.lay(nil, t.Shown, t.Clause, columns, record)
	return err
}

// lay lays out what stands in the id behind the names, of a ticket that has shown a
// clause, in the memory of rest; columns says that it carries those of the request. record writes what was
// looked up into so many bytes, cutting texts; nil for nothing.
func (t *ticket) lay(rest []byte, s shown, clause int, columns bool, record func(dst []byte, limit, cut int) []byte) ([]byte, error) {
	var names [maxNames + binary.MaxVarintLen64]byte
	head := len(t.head(names[:0]))
	if head+len(t.Access) > maxNames {
		return nil, errTooLong
	}
	room := identity.MaxSealed - head
	rest = slices.Grow(rest, usualRest)
	for _, cut := range [...]int{0, cutColumn} {
		rest = append(rest[:0], ticketVersion)
		rest = binary.AppendUvarint(rest, uint64(t.Version))
		rest = append(appendText(rest, t.Access), byte(s))
		rest = binary.AppendUvarint(rest, uint64(clause))
		rest = t.Given.append(rest, columns, cut)
		if len(rest) > room {
			continue
		}
		if record == nil {
			return rest, nil
		}
		before := len(rest)
		for _, cut := range [...]int{0, cutLooked} {
			if rest = record(rest[:before], room-before, cut); len(rest) <= room {
				return rest, nil
			}
		}
		return rest[:before], nil // it is decided as well; its explanation says less
	}
	return nil, errTooLong
}

// usualRest is room for nearly all that lay writes.
const usualRest = 192

// packed lays the ticket of a commit out, unless that was done, in the memory of room.
func (t *ticket) packed(room []byte) (err error) {
	if len(t.rest) == 0 {
		t.rest, err = t.lay(room, t.Shown, t.Clause, false, nil)
	}
	return err
}

func (t *ticket) head(dst []byte) []byte {
	return binary.AppendVarint(appendText(appendText(dst, t.Reader), t.Item), t.At)
}

// seal returns the id.
func (t *ticket) seal(ids *identity.Decisions, site string) string {
	return t.sealed(ids, site, t.rest)
}

// sealed returns the id with the rest that lay returned.
func (t *ticket) sealed(ids *identity.Decisions, site string, rest []byte) string {
	var known [identity.MaxSealed]byte
	return ids.Seal(t.Nonce, site, append(t.head(known[:0]), rest...))
}

// openTicket reads an id.
func openTicket(ids *identity.Decisions, site, id string) (*ticket, error) {
	nonce, known, ok := ids.Open(site, id)
	if !ok {
		return nil, errTicket
	}
	in := bytesReader{raw: known}
	t := &ticket{Nonce: nonce, Reader: in.text(), Item: in.text(), At: in.signed()}
	return t, t.read(in)
}

// read reads the rest.
func (t *ticket) read(in bytesReader) error {
	t.rest = in.raw
	if in.byte() != ticketVersion {
		return errTicket
	}
	t.Version = int(in.number(1 << 31))
	t.Access = in.text()
	if t.Shown = shown(in.byte()); t.Shown > showing(plan.Charge) {
		return errTicket
	}
	t.Clause = int(in.number(1 << 31))
	t.Given = in.given()
	if in.bad {
		return errTicket
	}
	t.Record = in.raw
	return nil
}

// Properties of a commit: what it carries, and what comes of it. The row keeps
// those of them that it is explained by.
const (
	propAsked   = event.PropertyDecision + "asked"   // base64url of nonce and the rest of the ticket
	propCode    = event.PropertyDecision + "code"    // the end of the id
	propSession = event.PropertyDecision + "session" // base64url of the burns of a session
	propRecord  = event.PropertyDecision + "record"  // base64url of what was looked up where it was applied

	propDecision = "decision"
	propAccess   = "access"
	propClause   = "clause"
	propOffer    = "offer"
	propMeter    = "meter"
	propCommit   = "commit"
	propVersion  = "program_version"
)

// asked returns the ticket as an event carries it.
func (t *ticket) asked() string {
	var raw [identity.NonceBytes + usualRest]byte
	return text64(append(append(raw[:0], t.Nonce[:]...), t.rest...))
}

// text64 returns the base64url of raw.
func text64(raw []byte) string {
	var text [2 * usualRest]byte
	return string(base64.RawURLEncoding.AppendEncode(text[:0], raw))
}

// readAsked reads the ticket of a commit from its row.
func (t *ticket) readAsked(asked, reader, item string, at int64) error {
	raw, err := base64.RawURLEncoding.DecodeString(asked)
	if err != nil || len(raw) < identity.NonceBytes {
		return errTicket
	}
	*t = ticket{Reader: reader, Item: item, At: at}
	copy(t.Nonce[:], raw)
	return t.read(bytesReader{raw: raw[identity.NonceBytes:]})
}

// codeLetters is how many letters of an id name it; shownLetters how many a wall
// shows.
const (
	codeLetters  = 16
	shownLetters = 8
)

// codeOf returns the end of an id, by which it is found.
func codeOf(id string) string { return id[len(id)-codeLetters:] }

// event lays the commit of a decision out as an event. id is the decision's,
// columns are the request's.
func (t *ticket) event(ids *identity.Decisions, id string, columns *[event.NumColumns]string) event.Event {
	subject, _ := engine.SubjectName(t.Reader)
	ev := event.Event{ID: "decision:" + ids.Name(id), Time: t.At, Device: subject, Flags: event.FlagCommit}
	if columns != nil {
		ev.Columns = *columns
	}
	ev.Columns[event.ColType] = event.TypeDecision
	ev.Columns[event.ColItem] = t.Item
	ev.Columns[event.ColAccount] = ""
	if ev.Columns[event.ColBotClass] != "" {
		ev.Flags |= event.FlagRobot
	}
	ev.Properties = []event.Property{{Name: propAsked, Value: t.asked()}, {Name: propCode, Value: codeOf(id)}}
	if session := t.Given.Session; session != nil && len(session.Burns) > 0 {
		raw := AppendBurns(nil, session.Burns, t.At)
		ev.Properties = append(ev.Properties, event.Property{Name: propSession, Value: base64.RawURLEncoding.EncodeToString(raw)})
	}
	return ev
}
