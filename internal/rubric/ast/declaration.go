package ast

import "github.com/readership/readership/internal/rubric/source"

// Decl is a declaration: *Use, *Let, *Segment, *Meter, *Access, *Metric,
// *Strategy or *Test.
type Decl interface {
	Node
	decl()
}

// Use is `use "shared"`.
type Use struct {
	source.Span
	File *Text `json:"file"`
}

// Let is `let NAME = BODY` or, with parameters, `let NAME(A, B) = BODY`.
type Let struct {
	source.Span
	Name   *Name   `json:"name"`
	Params []*Name `json:"params,omitempty"`
	Body   Expr    `json:"body"`
}

// Segment is `segment NAME = BODY`.
type Segment struct {
	source.Span
	Name *Name `json:"name"`
	Body Expr  `json:"body"`
}

// Meter is `meter NAME (OPTIONS) = BODY`.
type Meter struct {
	source.Span
	Name    *Name     `json:"name"`
	Options []*Option `json:"options,omitempty"`
	Body    Expr      `json:"body"`
}

// Metric is `metric NAME = BODY`.
type Metric struct {
	source.Span
	Name *Name `json:"name"`
	Body Expr  `json:"body"`
}

// Access is `access NAME (OPTIONS) { CLAUSES }`.
type Access struct {
	source.Span
	Name    *Name     `json:"name"`
	Options []*Option `json:"options,omitempty"`
	Clauses []*Clause `json:"clauses"`
}

// Option is `NAME: VALUE` in the brackets after a name. A value that is a word
// (an *Ident) may have an argument: `counts: engaged 10s`.
type Option struct {
	source.Span
	Name  *Name `json:"name"`
	Value Expr  `json:"value"`
	Arg   Expr  `json:"arg,omitempty"` // nil, *Integer or *Duration
}

// Outcome is what a clause decides.
type Outcome uint8

// Outcomes.
const (
	Allow Outcome = iota
	Deny
	Charge
)

// Outcomes are the outcomes as they are written.
var Outcomes = []string{"allow", "deny", "charge"}

// String returns the outcome as it is written.
func (o Outcome) String() string { return Outcomes[o] }

// MarshalText writes the outcome as it is written.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Clause is `OUTCOME NAME if COND burns METER price PRICE offers PAGE`, in that
// order when formatted, each part but the first two at most once and in any
// order when parsed.
type Clause struct {
	source.Span
	Outcome Outcome `json:"outcome"`
	Name    *Name   `json:"name"`
	Cond    Expr    `json:"if,omitempty"`
	Burns   *Name   `json:"burns,omitempty"`
	Price   *Price  `json:"price,omitempty"`
	Offers  *Name   `json:"offers,omitempty"`
}

// Price is `0.002 EUR`.
type Price struct {
	source.Span
	Amount   Expr  `json:"amount"`
	Currency *Name `json:"currency"` // three capitals
}

// Strategy is `strategy NAME = blend { CANDIDATES } |> STAGE …`.
type Strategy struct {
	source.Span
	Name       *Name        `json:"name"`
	Candidates []*Candidate `json:"candidates"`
	Stages     []Stage      `json:"stages,omitempty"` // *Where, *Boost, *AtMost, *Pin or *Take
}

// Candidate is `WEIGHT * CALL` or, with weight 1, `CALL`.
type Candidate struct {
	source.Span
	Weight Expr  `json:"weight,omitempty"`
	Source *Call `json:"source"`
}

func (*Use) decl()      {}
func (*Let) decl()      {}
func (*Segment) decl()  {}
func (*Meter) decl()    {}
func (*Metric) decl()   {}
func (*Access) decl()   {}
func (*Strategy) decl() {}
func (*Test) decl()     {}
