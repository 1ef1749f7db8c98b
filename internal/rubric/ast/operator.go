package ast

// UnaryOp is an operator before its operand.
type UnaryOp uint8

// Operators of Unary.
const (
	Not UnaryOp = iota
	Neg
	Has
)

var unaryText = [...]string{Not: "not", Neg: "-", Has: "has"}

// String returns the operator as it is written.
func (o UnaryOp) String() string { return unaryText[o] }

// MarshalText writes the operator as it is written.
func (o UnaryOp) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Level returns how tightly the operator binds.
func (o UnaryOp) Level() Level {
	if o == Not {
		return LevelNot
	}
	return LevelUnary
}

// BinaryOp is an operator between two operands.
type BinaryOp uint8

// Operators of Binary.
const (
	Or BinaryOp = iota
	And
	Eq
	Ne
	Lt
	Le
	Gt
	Ge
	In
	Coalesce
	Add
	Sub
	Mul
	Div
)

var binary = [...]struct {
	text  string
	level Level
}{
	Or: {"or", LevelOr}, And: {"and", LevelAnd},
	Eq: {"==", LevelCompare}, Ne: {"!=", LevelCompare}, Lt: {"<", LevelCompare}, Le: {"<=", LevelCompare},
	Gt: {">", LevelCompare}, Ge: {">=", LevelCompare}, In: {"in", LevelCompare},
	Coalesce: {"??", LevelCoalesce}, Add: {"+", LevelAdd}, Sub: {"-", LevelAdd}, Mul: {"*", LevelMul}, Div: {"/", LevelMul},
}

// String returns the operator as it is written.
func (o BinaryOp) String() string { return binary[o].text }

// MarshalText writes the operator as it is written.
func (o BinaryOp) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Level returns how tightly the operator binds.
func (o BinaryOp) Level() Level { return binary[o].level }

// Level is how tightly an expression holds together. Operators of one level
// group from the left; those of LevelCompare do not group.
type Level uint8

// Levels, the loosest first.
const (
	LevelIf Level = iota
	LevelOr
	LevelAnd
	LevelNot
	LevelCompare
	LevelCoalesce
	LevelAdd
	LevelMul
	LevelUnary
	LevelPipe
	LevelOperand // calls, fields, literals, names
)

// LevelOf returns the level of an expression's outermost part.
func LevelOf(e Expr) Level {
	switch e := e.(type) {
	case *If:
		return LevelIf
	case *Binary:
		return e.Op.Level()
	case *Unary:
		return e.Op.Level()
	case *Pipe:
		return LevelPipe
	default:
		return LevelOperand
	}
}
