package ast

import (
	"time"

	"github.com/readership/readership/internal/rubric/source"
)

// Expr is an expression: *Ident, *Select, *Call, *Text, *Integer, *Decimal,
// *Duration, *Time, *Bool, *List, *Unary, *Binary, *If, *Pipe, *Verdict or *Bad.
type Expr interface {
	Node
	expr()
}

// Ident is a name that stands for a value, or one of the reserved `events`,
// `all_events`, `burns`, `now`, and `segment` as a key of `by`.
type Ident struct {
	source.Span
	Name string `json:"name"`
}

// Select is `X.NAME`. Behind the point a reserved word is a name like any
// other.
type Select struct {
	source.Span
	X    Expr  `json:"of"`
	Name *Name `json:"name"`
}

// Call is `FUN(ARGS)`.
type Call struct {
	source.Span
	Fun  Expr   `json:"function"` // *Ident or *Select
	Args []*Arg `json:"args,omitempty"`
}

// Arg is an argument, named as in `trending(half_life: 90m)` or not.
type Arg struct {
	source.Span
	Name  *Name `json:"name,omitempty"`
	Value Expr  `json:"value"`
}

// Text is a text, its escapes resolved.
type Text struct {
	source.Span
	Value string `json:"value"`
}

// Integer is a number without a point.
type Integer struct {
	source.Span
	Value int64 `json:"value"`
}

// Decimal is a number with a point: Digits / 10^Scale, exactly. Scale is how
// many digits are written after the point; neither exceeds 18 digits.
type Decimal struct {
	source.Span
	Digits int64 `json:"digits"`
	Scale  int   `json:"scale"`
}

// Duration is a whole number of one unit; a day has 24 hours.
type Duration struct {
	source.Span
	Value time.Duration `json:"nanoseconds"`
	Raw   string        `json:"text"` // as it is written
}

// Time is a date or a date with a time of day, to the millisecond.
type Time struct {
	source.Span

	// Value is in UTC: the instant if Offset, else what the site's clock shows.
	Value  time.Time `json:"value"`
	Offset bool      `json:"has_offset"`
	Raw    string    `json:"text"` // as it is written
}

// In returns the instant that is meant at a site with the given time zone.
func (t *Time) In(zone *time.Location) time.Time {
	if t.Offset {
		return t.Value.In(zone)
	}
	v := t.Value
	return time.Date(v.Year(), v.Month(), v.Day(), v.Hour(), v.Minute(), v.Second(), v.Nanosecond(), zone)
}

// Bool is `true` or `false`.
type Bool struct {
	source.Span
	Value bool `json:"value"`
}

// List is `[A, B]`.
type List struct {
	source.Span
	Items []Expr `json:"items,omitempty"`
}

// Unary is `OP X`.
type Unary struct {
	source.Span
	Op UnaryOp `json:"op"`
	X  Expr    `json:"x"`
}

// Binary is `X OP Y`.
type Binary struct {
	source.Span
	Op   BinaryOp    `json:"op"`
	OpAt source.Span `json:"op_span"`
	X    Expr        `json:"x"`
	Y    Expr        `json:"y"`
}

// If is `if COND then THEN else ELSE`.
type If struct {
	source.Span
	Cond Expr `json:"cond"`
	Then Expr `json:"then"`
	Else Expr `json:"else"`
}

// Pipe is `X |> STAGE |> STAGE …`. X is no Pipe itself.
type Pipe struct {
	source.Span
	X      Expr    `json:"of"`
	Stages []Stage `json:"stages"` // one at least
}

// Verdict is `allow NAME`, `deny NAME` or `charge NAME` in an ExpectStep.
type Verdict struct {
	source.Span
	Outcome Outcome `json:"outcome"`
	Clause  *Name   `json:"clause"`
}

// Bad stands where no expression could be read. A diagnostic has been given.
type Bad struct {
	source.Span
}

func (*Ident) expr()    {}
func (*Select) expr()   {}
func (*Call) expr()     {}
func (*Text) expr()     {}
func (*Integer) expr()  {}
func (*Decimal) expr()  {}
func (*Duration) expr() {}
func (*Time) expr()     {}
func (*Bool) expr()     {}
func (*List) expr()     {}
func (*Unary) expr()    {}
func (*Binary) expr()   {}
func (*If) expr()       {}
func (*Pipe) expr()     {}
func (*Verdict) expr()  {}
func (*Bad) expr()      {}
