// Package event holds what every part of Readership says about one event: the
// Event itself, its columns, the site it belongs to, facts, and the encoding of
// the log message that carries a commit. It imports the standard library only.
//
// The way of an event: collect parses bytes into Events, the committer of
// eventlog gathers them into a Commit and appends its encoding to the log, the
// engine decodes it into a Batch and applies it.
package event

// Limits of one event, from the HTTP contract. Sizes are bytes.
const (
	MaxEventBytes  = 32 << 10
	MaxIDBytes     = 128
	MaxTypeBytes   = 64
	MaxStringBytes = 512
	MaxURLBytes    = 2048
	MaxProperties  = 64
)

// Types with a meaning of their own. Any other name of up to MaxTypeBytes is
// an event of the publisher's.
const (
	TypePageView   = "page_view"
	TypeEngagement = "engagement"
	TypeClick      = "click"
	TypeImpression = "impression"
	TypeConversion = "conversion"
	TypeIdentify   = "identify"
	TypeRequest    = "request"
	TypeDecision   = "decision"
	TypeWallShown  = "wall_shown"
)

// Kind is the type of a property's or trait's value.
type Kind uint8

// The kinds a value can have. Their numbers are part of the log format.
const (
	KindString Kind = iota
	KindNumber
	KindBool
)

// Property is one named value of an event. Value is the canonical text: a
// number in its shortest decimal form, "true" or "false" for a boolean.
type Property struct {
	Name  string
	Value string
	Kind  Kind
}

// Flags say what is special about an event.
type Flags uint16

// Flags of an event. Their bits are part of the log format.
const (
	// FlagClock marks a time that lay too far ahead and was set to ours.
	FlagClock Flags = 1 << iota
	// FlagCookieless marks a device that is a daily salted hash.
	FlagCookieless
	// FlagClaimedDevice marks a device that the body named, without a cookie.
	FlagClaimedDevice
	// FlagHasValue says that Value is set.
	FlagHasValue
	// FlagRobot marks an event of a robot (ColBotClass is set).
	FlagRobot
	// FlagNoDevice marks an engagement that named no reader: its view decides.
	FlagNoDevice
	// FlagItemFromURL marks an item that stands for an address nobody owned.
	FlagItemFromURL
	// FlagCopy marks the row of an account in the account's own partition.
	FlagCopy
	// FlagProven says that ColAccount was proven: by a token that verified, by an
	// API key, or by a login. Without it the account is a claim.
	FlagProven
	// FlagCommit marks the commit of a decision: a row of TypeDecision whose Device
	// is the reader itself, ID or account:ID. It is decided where it is applied; its
	// properties begin with PropertyDecision.
	FlagCommit
)

// PropertyDecision begins the names of a commit's properties. They are what the
// decision rests on beside the row's columns, and no columns themselves.
const PropertyDecision = "decision."

// Event is one thing a reader did. Its strings may alias the request's buffer:
// who keeps an Event beyond the request copies them.
type Event struct {
	ID     string // idempotency key; made by the collector if the sender gave none
	Time   int64  // when it happened, Unix milliseconds UTC
	Device string // never empty once collected, but for FlagNoDevice
	View   string // page-view id that engagement refers to; "" if none

	// EngagedMillis are the milliseconds of attention since the last
	// engagement event of the view. Scroll is 0..100, the greatest share seen.
	EngagedMillis uint32
	Scroll        uint8
	Flags         Flags
	Value         int64 // micro-units of Currency; valid with FlagHasValue

	// Columns are the built-in string columns, "" where missing. ColType is
	// always set; ColAccount names the account.
	Columns [NumColumns]string
	// Properties are the sender's; the claims of identify are properties
	// named "traits.NAME".
	Properties []Property
}

// Type returns the event's type.
func (e *Event) Type() string { return e.Columns[ColType] }

// Reset empties e and keeps the capacity of its slices.
func (e *Event) Reset() {
	*e = Event{Properties: e.Properties[:0]}
}
