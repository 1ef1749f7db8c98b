package check

import (
	"strings"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// kind is what an expression turned out to be.
type kind uint8

const (
	isBad      kind = iota // an error was reported
	isValue                // expr
	isRows                 // rows
	isMeter                // def
	isSpace                // space: what names with a point begin with
	isList                 // items: a list that is no constant
	isDecision             // def and expr: what an access block says of an item
	isVerdict              // verdict
)

// result is what is known of an expression. The zero result is isBad.
type result struct {
	kind  kind
	expr  *plan.Expr
	of    *variable // that the type of expr is, where it has no other
	rows  *rows
	def   *definition
	space string // also of a value: `item` is its id, and its fields have names
	items []result
	at    plan.Place
}

// bad tells whether r has an error. Rows with one may have more: the stages that
// follow are looked at.
func (r result) bad() bool { return r.kind == isBad || r.kind == isRows && r.rows.bad }

// typ returns the type of a value: Any where it is not known yet.
func (r result) typ() value.Type {
	if r.of != nil {
		return r.of.root().typ
	}
	return r.expr.Type
}

var typeWords = [...]string{value.Bool: "a condition", value.Int: "a number", value.Decimal: "a number", value.Text: "a text", value.Time: "a time",
	value.Duration: "a duration", value.List: "a list", value.Any: "a value of any type"}

// found is how messages speak of what an expression is.
func (r result) found() string {
	switch r.kind {
	case isValue:
		return typeWords[r.typ()]
	case isRows:
		return "rows"
	case isMeter:
		return "a meter"
	case isList:
		return "a list"
	case isDecision:
		return "a decision"
	case isVerdict:
		return "a verdict"
	default:
		return "`" + r.space + "`, which is no value"
	}
}

// either lists words for messages: "`a`, `b` or `c`".
func either(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + w + "`"
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}
