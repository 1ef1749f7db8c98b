package collect

// Code says, for programs, why an event was rejected.
type Code uint8

// The codes of rejected events, in the words of the HTTP contract.
const (
	codeNone Code = iota
	codeMalformed
	codeMissingField
	codeWrongType
	codeUnknownField
	codeTooLong
	codeTooMany
	codeBadTime
	codeTimeTooOld
	codeTimeInFuture
	codeHostNotAllowed
	codeForbidden
	codeTooOften // refused, as the ledger has it: it is nothing of the event's
	numCodes
)

var codeNames = [numCodes]string{
	codeMalformed: "malformed_json", codeMissingField: "missing_field", codeWrongType: "wrong_type",
	codeUnknownField: "unknown_field", codeTooLong: "too_long", codeTooMany: "too_many", codeBadTime: "bad_time",
	codeTimeTooOld: "time_too_old", codeTimeInFuture: "time_in_future",
	codeHostNotAllowed: "host_not_allowed", codeForbidden: "forbidden",
	codeTooOften: "too_many",
}

// String returns the code as answers write it.
func (c Code) String() string { return codeNames[c] }

// fault is what is wrong with one event: the first thing found. Path is a
// field or, with Name, a member of one.
type fault struct {
	code    Code
	path    string
	name    string // of a property or trait: path.name
	message string
}

// rejection is one rejected event as the answer lists it. Its texts are its
// own.
type rejection struct {
	index         int
	code          string
	path, message string
}

// cut is a text that was too long and has been cut.
type cut struct {
	index int
	path  string
}

// MaxListed bounds the rejected events and the cut texts that an answer lists.
const MaxListed = 1000
