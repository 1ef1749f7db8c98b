// Package access decides what a reader may read, and commits what was decided.
//
// A decision is a function of the program, the reader's state and what the
// request proves (decide.go). A bare one writes nothing: all that has to be known
// of it later is sealed in its id (ticket.go). A commit is an event of the log
// that the engine decides again where it applies it (decider.go): that outcome is
// the answer, in every process and in every replay.
//
//	Service.Decide ─ engine.InTurn ─ decide ─► Verdict, with commit: null
//	       └─ commit ─ log ─ engine ─ Decider ─ decide ─► row, burn, Verdict
//
// Nothing here reads a clock; deadlines are those of contexts.
package access
