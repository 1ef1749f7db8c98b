package plan

import (
	"regexp"

	"github.com/readership/readership/internal/rubric/value"
)

// Op is what an expression does.
type Op uint8

// Operations. Behind each: its arguments, and which other members it has.
const (
	Const Op = iota // Value

	// Of the row; in stages only.
	RowColumn    // Column
	RowProperty  // Name
	RowItem      // Field: of today's catalogue entry of the row's item
	RowAttribute // Name: likewise
	RowSegments  // the segments that the reader is in; as a key of By only

	// Of the decision; in access blocks and limits only.
	AskedField     // Field: of the item asked for
	AskedAttribute // Name: likewise
	RequestColumn  // Column: what a row of this request would say
	RequestFlag    // Flag
	BotVerified
	BotClass
	BotOperator

	// Of the reader.
	ReaderRegistered
	ReaderEntitled   // (name)
	ReaderEntitledBy // (name): account, token, grace, address, domain or seat
	ReaderTrait      // Name
	ReaderFirstSeen
	ExperimentArm // Name, Ref is the number of arms: 0 to Ref-1

	// The time that is asked about.
	TimeNow

	// Other parts of the program.
	FoldValue     // Ref is the fold
	SegmentMember // Ref is the segment
	MeterUsed     // Ref is the meter, as of the next four
	MeterLeft
	MeterLimit
	MeterResetsAt
	InMeter   // (item)
	VerdictIs // (item) Ref is the access block, Outcome and Name of the clause; in tests only

	Not       // (x)
	And       // (x, y, …) two at least
	Or        // (x, y, …) two at least
	Has       // (x)
	Equal     // (x, y)
	Less      // (x, y)
	LessSame  // (x, y): x ≤ y
	In        // (x, list)
	Coalesce  // (x, y)
	Add       // (x, y)
	Sub       // (x, y)
	Mul       // (x, y)
	Div       // (x, y)
	Neg       // (x)
	ToDecimal // (number)
	If        // (cond, then, else)

	Lower      // (text)
	Contains   // (text, part)
	StartsWith // (text, part)
	EndsWith   // (text, part)
	Matches    // (text) Regexp; Name is how it is written
	Hour       // (time)
	Weekday    // (time)
	Size       // (text or list)
	Min        // (x, y, …)
	Max        // (x, y, …)
	numOps
)

var opNames = [...]string{
	Const: "const", RowColumn: "row", RowProperty: "row.properties", RowItem: "row.item", RowAttribute: "row.item.attributes", RowSegments: "row.segments",
	AskedField: "item", AskedAttribute: "item.attributes", RequestColumn: "request", RequestFlag: "request.flag",
	BotVerified: "bot.verified", BotClass: "bot.class", BotOperator: "bot.operator",
	ReaderRegistered: "reader.registered", ReaderEntitled: "reader.entitled", ReaderEntitledBy: "reader.entitled_by", ReaderTrait: "reader.traits",
	ReaderFirstSeen: "reader.first_seen", ExperimentArm: "arm", TimeNow: "now",
	FoldValue: "fold", SegmentMember: "segment", MeterUsed: "meter.used", MeterLeft: "meter.left", MeterLimit: "meter.limit", MeterResetsAt: "meter.resets_at",
	InMeter: "in_meter", VerdictIs: "verdict",
	Not: "not", And: "and", Or: "or", Has: "has", Equal: "equal", Less: "less", LessSame: "less_same", In: "in", Coalesce: "coalesce",
	Add: "add", Sub: "sub", Mul: "mul", Div: "div", Neg: "neg", ToDecimal: "decimal", If: "if",
	Lower: "lower", Contains: "contains", StartsWith: "starts_with", EndsWith: "ends_with", Matches: "matches", Hour: "hour", Weekday: "weekday",
	Size: "size", Min: "min", Max: "max",
}

// String returns the operation's name in plans and JSON.
func (o Op) String() string { return opNames[o] }

// MarshalText writes the operation's name.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Expr is an expression. `a > b` is Less of b and a, `a != b` is Not of Equal,
// `|> none` is Not of a FoldValue. An expression that several others contain may
// be one node; Size bounds what a walk over the tree visits.
type Expr struct {
	Op   Op
	Type value.Type
	Elem value.Type // of a List

	// Optional tells that the value may be missing. Where the program has made
	// sure that it is not (`if has x then …`) it is false.
	Optional bool

	Args    []*Expr
	Value   value.Value // of Const
	Column  Column
	Field   Field
	Flag    Flag
	Ref     int
	Outcome Outcome
	Name    string
	Regexp  *regexp.Regexp

	// Key is the same number for all equal expressions of a program, and for no
	// others.
	Key int
	// Size is how many nodes the tree has.
	Size int64

	Place
	// Let is the name of the `let` whose value this is; "" for other nodes.
	Let string
}

// Each calls fn with e and all expressions in it, each as often as it occurs,
// arguments after what they are arguments of.
func (e *Expr) Each(fn func(*Expr)) {
	fn(e)
	for _, a := range e.Args {
		a.Each(fn)
	}
}

// IsConst tells whether e is a constant.
func (e *Expr) IsConst() bool { return e.Op == Const }

// Most returns the greatest whole number that e can be as far as its values are
// written out; all is false where some are not, as a reader's own numbers are.
func (e *Expr) Most() (n int64, all bool) {
	switch e.Op {
	case Const:
		return e.Value.N, true
	case If, Coalesce:
		ways := e.Args[len(e.Args)-2:]
		a, allA := ways[0].Most()
		b, allB := ways[1].Most()
		return max(a, b), allA && allB
	default:
		return 0, false
	}
}

// IsTrue tells whether e is the constant true.
func (e *Expr) IsTrue() bool { return e.Op == Const && e.Value.True() }

// LooksUp tells whether the value of e is one that a decision finds, beside the
// time and the state of meters.
func (e *Expr) LooksUp() bool {
	switch e.Op {
	case Const, TimeNow, MeterUsed, MeterLeft, MeterLimit, MeterResetsAt, VerdictIs:
		return false
	}
	return e.Op < Not
}

// eachOnce calls fn with e and all nodes in it, once each.
func (e *Expr) eachOnce(fn func(*Expr)) {
	if len(e.Args) == 0 {
		fn(e)
		return
	}
	seen := map[*Expr]bool{}
	var walk func(*Expr)
	walk = func(e *Expr) {
		if len(e.Args) > 0 {
			if seen[e] {
				return
			}
			seen[e] = true
		}
		fn(e)
		for _, a := range e.Args {
			walk(a)
		}
	}
	walk(e)
}
