package plan

// Merge is what becomes of a device's burns when its reader logs in.
type Merge uint8

// Merges.
const (
	MergeUnion   Merge = iota // of both sets, the earliest read of an item kept
	MergeMax                  // the larger set
	MergeAccount              // the account's set
)

var mergeNames = [...]string{MergeUnion: "union", MergeMax: "max", MergeAccount: "account"}

// Merges are the merges as they are written.
var Merges = mergeNames[:]

// String returns the merge as it is written.
func (m Merge) String() string { return mergeNames[m] }

// MarshalText writes the merge as it is written.
func (m Merge) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Meter is a set of items with the time of their first burn, in a window, and a
// limit of their number.
type Meter struct {
	ID   int
	Name string
	Place
	Limit  *Expr // Int, never missing
	Sticky bool
	Merge  Merge
	// Rule stands for the limit's expression: it is the same in every program in which
	// the expression is the same, with all of its streams; segments and other meters
	// count by their names. A limit that sticks holds as long as the rule stays. The
	// Builder sets it.
	Rule uint64

	// The window is one of the three. FromFirst is a period of milliseconds that
	// its first burn opens.
	Window    Window
	FromFirst int64

	Uses Uses // of the limit
	Cost Cost
}

// MaxLimit is the greatest limit of a meter. What its expression says beyond counts
// as that, so that a decision looks at no more than so many burns of a meter.
const MaxLimit = 500

// Span returns the longest time in milliseconds that a burn can count.
func (m *Meter) Span() int64 {
	if m.FromFirst > 0 {
		return m.FromFirst
	}
	return m.Window.Span()
}
