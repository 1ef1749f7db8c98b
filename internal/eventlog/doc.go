// Package eventlog is the durable, ordered log of everything the engine knows,
// and the committer that writes it.
//
// A Log is a sequence of messages on an embedded JetStream server that listens
// nowhere. Every append is synced before it returns. A log day (a day of
// stamps) is one stream or, every Config.PartBytes, several:
//
//	events-20412-0 | events-20412-1 | events-20413-0 | …
//	  1 2 3 4 … n       1 2 … m          1 2 …          sequences
//
// An event.Position names day, part and sequence. Each part records the
// position that was the last before it, so that a missing stream is noticed.
//
// A Committer is the only writer. Submissions that arrive while a commit is
// being written travel together in the next:
//
//	Commit ─┐                 ┌ gather: ids, clocks, encode ┐
//	Commit ─┼─ bounded queue ─┤       (open batch)          ├─ write: append+sync, Sink, wake
//	Commit ─┘                 └─────── journal ◄────────────┘
//
// Its knowledge of ids, stamps and site clocks is journaled beside the log, so
// that a restart reads back only the end of the log.
//
// Formats: docs/format/log.md. Design: docs/design/0001-event-log.md.
package eventlog
