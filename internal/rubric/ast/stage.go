package ast

import "github.com/readership/readership/internal/rubric/source"

// Stage is what stands behind a `|>`. Streams have *Where, *Last, *Since, *Per,
// *FromFirst, *Distinct, *Then, *Unless, *By, *End and *Apply; strategies have
// *Where, *Boost, *AtMost, *Pin and *Take. The span of a stage begins with its
// word.
type Stage interface {
	Node
	stage()
}

// Where is `where COND`.
type Where struct {
	source.Span
	Cond Expr `json:"cond"`
}

// Last is `last DURATION`.
type Last struct {
	source.Span
	Duration Expr `json:"duration"`
}

// Since is `since TIME`.
type Since struct {
	source.Span
	Time Expr `json:"time"`
}

// Per is `per PERIOD`.
type Per struct {
	source.Span
	Period Period      `json:"period"`
	NameAt source.Span `json:"period_span"`
}

// Period is a part of the calendar.
type Period uint8

// Periods.
const (
	Day Period = iota
	Week
	Month
)

// Periods are the periods as they are written.
var Periods = []string{"day", "week", "month"}

// String returns the period as it is written.
func (p Period) String() string { return Periods[p] }

// MarshalText writes the period as it is written.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// FromFirst is `from_first DURATION`.
type FromFirst struct {
	source.Span
	Duration Expr `json:"duration"`
}

// Distinct is `distinct KEY, KEY`.
type Distinct struct {
	source.Span
	Keys []Expr `json:"keys"`
}

// By is `by KEY, KEY`.
type By struct {
	source.Span
	Keys []Expr `json:"keys"`
}

// Then is `then STREAM within DURATION`.
type Then struct {
	source.Span
	Stream Expr `json:"stream"`
	Within Expr `json:"within"`
}

// Unless is `unless STREAM within DURATION`.
type Unless struct {
	source.Span
	Stream Expr `json:"stream"`
	Within Expr `json:"within"`
}

// End turns rows into a value.
type End struct {
	source.Span
	Op EndOp `json:"op"`
	Of Expr  `json:"of,omitempty"` // what is summed, compared, taken; nil for Count, Any, None
}

// EndOp is which end it is.
type EndOp uint8

// Ends.
const (
	Count EndOp = iota
	Any
	None
	Sum
	Avg
	Min
	Max
	First
	Latest
)

// Ends are the ends as they are written.
var Ends = []string{"count", "any", "none", "sum", "avg", "min", "max", "first", "latest"}

// String returns the end as it is written.
func (o EndOp) String() string { return Ends[o] }

// MarshalText writes the end as it is written.
func (o EndOp) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// HasOperand tells whether the end says of what.
func (o EndOp) HasOperand() bool { return o >= Sum }

// Apply calls a function with what comes through the pipe as its first
// argument: `x |> f` is f(x), `x |> f(y)` is f(x, y).
type Apply struct {
	source.Span
	Fun  *Name  `json:"function"`
	Args []*Arg `json:"args,omitempty"`
}

// Boost is `boost FACTOR if COND`.
type Boost struct {
	source.Span
	Factor Expr `json:"factor"`
	Cond   Expr `json:"cond"`
}

// AtMost is `at_most COUNT per KEY`.
type AtMost struct {
	source.Span
	Count Expr `json:"count"`
	Key   Expr `json:"key"`
}

// Pin is `pin ITEM at PLACE`.
type Pin struct {
	source.Span
	Item  Expr `json:"item"`
	Place Expr `json:"place"` // from 1
}

// Take is `take COUNT`.
type Take struct {
	source.Span
	Count Expr `json:"count"`
}

func (*Where) stage()     {}
func (*Last) stage()      {}
func (*Since) stage()     {}
func (*Per) stage()       {}
func (*FromFirst) stage() {}
func (*Distinct) stage()  {}
func (*By) stage()        {}
func (*Then) stage()      {}
func (*Unless) stage()    {}
func (*End) stage()       {}
func (*Apply) stage()     {}
func (*Boost) stage()     {}
func (*AtMost) stage()    {}
func (*Pin) stage()       {}
func (*Take) stage()      {}
