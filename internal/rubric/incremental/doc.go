// Package incremental is the evaluator that the engine runs. It keeps for each
// reader which segments the reader is in and until when that is certain, and
// works out again only what an event, a catalogue entry or a fact can change. It
// means what package fold means, at every instant.
//
//	rows arrive ─ index ─► predicates ─► segments ─┐
//	item, fact, timer ─────────────────► segments ─┴► Update ─► changes, State
//
// The index finds the predicates that hold for a row by the codes of its columns
// and the segments that depend on them. Update reads the reader's rows back to
// the oldest that one of these segments looks at, once, and works column by
// column: a condition is a set of rows (one bit a row, in order of time), a
// predicate the intersection of its conditions' sets, a window a range of bits,
// a stage makes one set of another, and the end of a fold counts. Sets are made
// when they are asked for first, and shared by all that asks.
//
// Much is known without looking. A reader who has enough rows for `count >= n`
// stays in by any further row, one who has not stays out whatever time passes; a
// limit above the number of rows in the window is not reached, whatever they are.
//
// There is no state per segment or rule: rows that come late, rows of a joined
// device, another catalogue and another program need no more than to be read.
//
// Every answer comes with an instant until which it holds if nothing else
// happens: State.Timer, when a row leaves a window or a wait ends, and
// State.Border, a border of the calendar, which all readers of a site share.
package incremental
