package eventlog

import "errors"

// Errors that callers branch on.
var (
	// ErrClosed says that the log or the committer has been closed.
	ErrClosed = errors.New("event log is closed")
	// ErrDiskFull says that the log's limit or the disk leaves no room. The
	// next attempt succeeds as soon as there is room again.
	ErrDiskFull = errors.New("no room for the event log")
	// ErrOverloaded says that the committer's queue is full; try again in a
	// moment.
	ErrOverloaded = errors.New("committer is overloaded")
	// ErrUnavailable says that an append's outcome is unknown and the log is
	// being reopened; nothing of the submission may be taken as stored.
	ErrUnavailable = errors.New("event log is being reopened")
	// ErrGap says that messages are missing that retention does not explain.
	ErrGap = errors.New("event log has a gap")
	// ErrStamp says that a stamp lies before the last day of the log.
	ErrStamp = errors.New("stamp lies before the last day of the log")
	// ErrTooLarge says that one event, fact or message exceeds what a commit
	// may hold.
	ErrTooLarge = errors.New("too large for one commit")
)
