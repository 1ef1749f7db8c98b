package plan

import (
	"time"

	"github.com/readership/readership/internal/rubric/value"
)

// Test is a story of one reader at a site of its own, with what is expected of
// the program at instants of it. It runs on a plan of the program that was made
// for its site: times without an offset, windows and calendars are that site's.
type Test struct {
	ID    int
	Title string
	Place
	Site   TestSite
	Items  []TestItem
	Reader TestReader
	Steps  []Step // in order of time; those of one time in the order written
}

// TestSite is the site that a test has: UTC, weeks from Monday and the program's
// own window where it says nothing.
type TestSite struct {
	Zone      *time.Location
	WeekStart time.Weekday
	Window    int64 // milliseconds
}

// TestItem is an entry of a test's catalogue. Its id is its name in the test.
type TestItem struct {
	ID         string
	Fields     [NumFields]value.Value // missing where nothing is said
	Attributes []TestValue
}

// TestReader is what is known of a test's reader from the beginning.
type TestReader struct {
	Registered   bool
	Entitlements []string
	FirstSeen    value.Value // Time, or missing: then the first event's
	Traits       []TestValue
}

// TestValue is a named value: an attribute, trait or property.
type TestValue struct {
	Name  string
	Value value.Value
}

// StepKind is what happens in a step.
type StepKind uint8

// Kinds of steps. Behind each: the members of Step that it has.
const (
	Read  StepKind = iota // Items, Access: decide and commit; a page view of each that is allowed
	Event                 // Type, Columns, Properties
	Login                 // Account
	Logout
	Expect // Cond
)

var stepNames = [...]string{Read: "read", Event: "event", Login: "login", Logout: "logout", Expect: "expect"}

// String returns the kind as it is written.
func (k StepKind) String() string { return stepNames[k] }

// MarshalText writes the kind as it is written.
func (k StepKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Step is what happens at an instant of a test.
type Step struct {
	Kind       StepKind
	At         int64 // Unix milliseconds
	Items      []string
	Access     int
	Type       string
	Columns    []TestColumn
	Properties []TestValue
	Account    string
	Cond       *Expr // Bool
	Place
}

// TestColumn is a column's value in an event of a test.
type TestColumn struct {
	Column Column
	Value  value.Value
}
