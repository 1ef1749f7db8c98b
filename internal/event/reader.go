package event

import "time"

// Kinds of facts about readers. Those of the first group stand until they are
// replaced or removed, and in the daily snapshot of facts.
const (
	FactAccount = "account" // Key = account id, Value = Account
	FactLogin   = "login"   // Key = device, Value = Login
	FactList    = "list"    // Key = name of an entitlement list, Value = List
	FactUse     = "use"     // Key = UseKey of link and reader, Value = LinkUse; kept while the link can be used or its month counts
	FactSeat    = "seat"    // Key = SeatKey of list and reader, Value = Seat; kept while the list has room for it

	// FactPair carries which accounts were proven on which devices, and up to
	// where their rows are joined (engine.AppendPair).
	FactPair = "pair"
	// FactJoin happens once, where it stands in the log: an account is proven on
	// a device beside any row. Key = device, Value = Login.
	FactJoin = "join"
	// FactErase happens once, where it stands in the log: everything of a reader
	// that came before it is forgotten. Key = reader, as device:ID or account:ID,
	// Value = Erase.
	FactErase = "erase"

	// FactBegin begins a daily snapshot. Value = the sites that stand, each with the
	// position at which it was made.
	FactBegin = "begin"
	// FactBurns carries what meters have burned of readers: all that is kept of each,
	// where it stands in the log. One without a value comes before those of a site.
	FactBurns = "burns"
	// FactEmpty happens once, where it stands in the log: what a meter has burned
	// of a reader before it is gone. Key = MeterKey.
	FactEmpty = "empty"
	// FactEmptied stands: a reader's meter was emptied, by whom and why. Key =
	// MeterKey, Value = Emptied.
	FactEmptied = "emptied"
)

// Erase says what else stands for a reader that is erased.
type Erase struct {
	Giver string `json:"giver,omitempty"` // as LinkUse.Giver
}

// MeterKey is the key of a FactEmpty and of a FactEmptied; the reader is
// device:ID or account:ID.
func MeterKey(reader, meter string) string { return reader + "\x00" + meter }

// Emptied says who emptied a reader's meter last, why and when.
type Emptied struct {
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
	At  int64  `json:"at"` // Unix milliseconds
}

// Account is what a publisher's systems say of an account: proof, never claims.
type Account struct {
	// Traits are texts, numbers and booleans.
	Traits       map[string]any `json:"traits,omitempty"`
	Entitlements []Entitlement  `json:"entitlements,omitempty"`
}

// Entitlement is one thing that an account may read, for a time.
type Entitlement struct {
	Name  string     `json:"name"`
	From  *time.Time `json:"from,omitempty"`  // nil: always was
	Until *time.Time `json:"until,omitempty"` // excluded; nil: no end
	State string     `json:"state,omitempty"` // "" is active
	// PastDueSince is when the payment failed; the entitlement holds for Grace
	// after it.
	PastDueSince *time.Time `json:"past_due_since,omitempty"`
}

// States of an entitlement.
const (
	StateActive  = "active"
	StatePastDue = "past_due"
	StateEnded   = "ended"
)

// Grace is how long an entitlement holds after a payment that failed.
const Grace = 7 * 24 * time.Hour

// Login links a device to an account until it is removed or replaced.
type Login struct {
	Account string `json:"account"`
}

// List entitles readers by where they come from: a company, a library.
type List struct {
	Entitlement string   `json:"entitlement"`
	CIDRs       []string `json:"cidrs,omitempty"`
	Domains     []string `json:"domains,omitempty"` // of e-mail addresses, in lower case
	// Seats is how many readers the list entitles; 0 is without limit.
	Seats int `json:"seats,omitempty"`
}

// Seat is a reader's place on a list with a limit.
type Seat struct {
	At int64 `json:"at"` // Unix milliseconds of the site's clock
}

// SeatTime is how long a seat is kept after its reader last needed it.
const SeatTime = 30 * 24 * time.Hour

// SeatKey is the key of a FactSeat.
func SeatKey(list, reader string) string { return list + "\x00" + reader }

// LinkUse is one reader's use of a signed link. A link is used once by a
// reader, however often it is opened.
type LinkUse struct {
	Kind    string `json:"kind"`            // gift, preview, newsletter
	Giver   string `json:"giver,omitempty"` // what stands for the reader who gives it
	Uses    int    `json:"uses"`            // of the link, by different readers; 0 is without limit
	Expires int64  `json:"expires"`         // Unix milliseconds
	At      int64  `json:"at"`              // Unix milliseconds of the site's clock
}

// UseKey is the key of a FactUse.
func UseKey(link, reader string) string { return link + "\x00" + reader }

// Kinds of signed links.
const (
	LinkGift       = "gift"
	LinkPreview    = "preview"
	LinkNewsletter = "newsletter"
)

// GiftQuota is how many gifts of one giver are opened in a calendar month.
const GiftQuota = 10
