package plan

// Counts is what makes a page view count.
type Counts uint8

// What counts. Engaged and Scroll have an amount.
const (
	CountsRequest Counts = iota
	CountsRendered
	CountsEngaged // for milliseconds
	CountsScroll  // percent
)

var countsNames = [...]string{CountsRequest: "request", CountsRendered: "rendered", CountsEngaged: "engaged", CountsScroll: "scroll"}

// CountsNames are the rules as they are written.
var CountsNames = countsNames[:]

// String returns the rule as it is written, without its amount.
func (c Counts) String() string { return countsNames[c] }

// MarshalText writes the rule as it is written, without its amount.
func (c Counts) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Access is a block of clauses; the first that holds decides.
type Access struct {
	ID   int
	Name string
	Place
	Counts   Counts
	Amount   int64 // of Counts: milliseconds or percent
	Closed   bool  // what is decided when the engine does not answer: deny
	Deadline int64 // milliseconds

	Clauses []*Clause // the last has no condition
	Uses    Uses      // of all clauses
	Looks   []*Expr   // what the clauses and the limits of their meters look up, each once, in the order in which they ask
	Cost    Cost

	// Few is about decisions, FewWithSegments about those that name all segments of
	// the reader too.
	Few, FewWithSegments Few `json:"-"`
}

// Few says that a decision is a moment's work, by estimate (package cost), about a
// reader with fewer rows and fewer burns than these. The zero value says never.
type Few struct{ Rows, Burns int }

// Outcome is what a clause decides.
type Outcome uint8

// Outcomes.
const (
	Allow Outcome = iota
	Deny
	Charge
)

var outcomeNames = [...]string{Allow: "allow", Deny: "deny", Charge: "charge"}

// String returns the outcome as it is written.
func (o Outcome) String() string { return outcomeNames[o] }

// MarshalText writes the outcome as it is written.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Clause is one line of an access block.
type Clause struct {
	Outcome Outcome
	Name    string
	Place
	Cond     *Expr  // nil: it always holds
	Burns    int    // meter that a commit burns; -1 for none
	Price    *Expr  // Decimal, never missing; of Charge, else nil
	Currency string // of Price
	Offers   string // the page shown; "" for none
	Asks     []int  // meters that the condition names, in the order it does
	Uses     Uses   // of condition and price
}
