package ast

import "github.com/readership/readership/internal/rubric/source"

// Test is `test "TITLE" { SETUP … STEP … }`.
type Test struct {
	source.Span
	Title *Text   `json:"title"`
	Setup []Setup `json:"setup,omitempty"`
	Steps []Step  `json:"steps,omitempty"`
}

// Setup is a line about the world of a test: *SiteSetup, *ItemSetup or
// *ReaderSetup.
type Setup interface {
	Node
	setup()
}

// SiteSetup is `site { … }`.
type SiteSetup struct {
	source.Span
	Entries []*Entry `json:"entries,omitempty"`
}

// ItemSetup is `item NAME { … }` or `item FIRST..LAST { … }`.
type ItemSetup struct {
	source.Span
	First   *Name    `json:"first"`
	Last    *Name    `json:"last,omitempty"` // nil for one item
	Entries []*Entry `json:"entries,omitempty"`
}

// ReaderSetup is `reader { … }`.
type ReaderSetup struct {
	source.Span
	Entries []*Entry `json:"entries,omitempty"`
}

// Entry is `KEY: VALUE` in braces.
type Entry struct {
	source.Span
	Key   *Name `json:"key"`
	Value Expr  `json:"value"`
}

// Step is what happens in a test at an instant: *ReadStep, *EventStep,
// *LoginStep, *LogoutStep or *ExpectStep.
type Step interface {
	Node
	// Instant returns the time of the step; nil after an error.
	Instant() *Time
}

// ReadStep is `at T read A, B through ACCESS`.
type ReadStep struct {
	source.Span
	At      *Time   `json:"at"`
	Items   []*Name `json:"items"`
	Through *Name   `json:"through,omitempty"`
}

// EventStep is `at T event "TYPE" { … }`.
type EventStep struct {
	source.Span
	At      *Time    `json:"at"`
	Type    *Text    `json:"type"`
	Entries []*Entry `json:"entries,omitempty"`
}

// LoginStep is `at T login "ACCOUNT"`.
type LoginStep struct {
	source.Span
	At      *Time `json:"at"`
	Account *Text `json:"account"`
}

// LogoutStep is `at T logout`.
type LogoutStep struct {
	source.Span
	At *Time `json:"at"`
}

// ExpectStep is `at T expect COND`.
type ExpectStep struct {
	source.Span
	At   *Time `json:"at"`
	Cond Expr  `json:"cond"`
}

func (*SiteSetup) setup()   {}
func (*ItemSetup) setup()   {}
func (*ReaderSetup) setup() {}

// Instant returns when it happens.
func (s *ReadStep) Instant() *Time { return s.At }

// Instant returns when it happens.
func (s *EventStep) Instant() *Time { return s.At }

// Instant returns when it happens.
func (s *LoginStep) Instant() *Time { return s.At }

// Instant returns when it happens.
func (s *LogoutStep) Instant() *Time { return s.At }

// Instant returns when it happens.
func (s *ExpectStep) Instant() *Time { return s.At }
