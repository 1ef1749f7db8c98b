package incremental

import (
	"cmp"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Row names a row in whatever way suits who holds the rows.
type Row uint64

// Entry is a row with its place among the rows of a reader: in order of time,
// ties in order of the log.
type Entry struct {
	Time     int64 // Unix milliseconds
	Sequence uint64
	Row      Row
}

func (e Entry) compare(o Entry) int {
	return cmp.Or(cmp.Compare(e.Time, o.Time), cmp.Compare(e.Sequence, o.Sequence))
}

// Input is a column or property of rows that a program looks at, known by its
// place in Evaluator.Inputs. The first is always the item that a row counts for.
type Input struct {
	Column   plan.Column // if Property is ""
	Property string
}

// ItemInput is the place of the row's item: the entry of the catalogue that it
// counts for today.
const ItemInput = 0

// Table holds the rows of readers and the catalogue. Codes are small numbers,
// the same for equal values and different for others; 0 stands for missing. A
// code keeps its value until Evaluator.Renumbered is told. Nothing that a Table
// returns may need memory of its own if evaluation is to need none.
type Table interface {
	// Codes sets codes[i] to the code that rows[i] has in an input. It returns
	// false if the input has no codes that are comparable over all rows: Value is
	// asked then. ItemInput has codes.
	Codes(input int, rows []Entry, codes []uint32) bool
	// Decode returns the value with a code, as Value would. It is not asked for
	// ItemInput.
	Decode(input int, code uint32) value.Value
	// Value returns what a row has in an input, or missing; a property as it was
	// sent, a Bool, Decimal or Text.
	Value(input int, row Row) value.Value
	// Field returns a field of an item, its id too, or missing.
	Field(item uint32, f plan.Field) value.Value
	// Attribute returns an attribute of an item, a Text, or missing.
	Attribute(item uint32, name string) value.Value
}

// Reader is one subject.
type Reader interface {
	// Rows appends the reader's rows to dst, those that arrived last first, until
	// `most` rows or all whose time is `from` or later are there. It may append
	// older ones: it stops at the first row of which it is certain that all that
	// arrived before are older than `from`.
	Rows(dst []Entry, from int64, most int) []Entry
	// Late returns the longest time, in milliseconds, that a row arrived after one
	// that comes after it; where times are equal and the log's order is not that
	// of arrival, 1. With 0 the order of arrival is the order of rows.
	Late() int64

	fold.Profile
	// Changes returns the first instant after now at which an entitlement of the
	// reader begins or ends; math.MaxInt64 if none does.
	Changes(now int64) int64
}
