// Package token names the words and signs of Rubric.
package token

import "github.com/readership/readership/internal/rubric/source"

// Kind is what a token is.
type Kind uint8

// Kinds of tokens.
const (
	EOF Kind = iota
	Bad      // what cannot be read; a diagnostic has said so

	Name     // also words with a role in one place only: where, allow, site
	Currency // three capital letters
	Text
	Integer
	Decimal
	Duration
	Time

	Assign   // =
	Eq       // ==
	Ne       // !=
	Lt       // <
	Le       // <=
	Gt       // >
	Ge       // >=
	Coalesce // ??
	Plus     // +
	Minus    // -
	Star     // *
	Slash    // /
	Pipe     // |>
	Dot      // .
	DotDot   // ..
	Comma    // ,
	Colon    // :

	LeftParen
	RightParen
	LeftBracket
	RightBracket
	LeftBrace
	RightBrace

	Let
	Segment
	Meter
	Access
	Metric
	Strategy
	Test
	Use
	Events
	AllEvents
	Burns
	Now
	If
	Then
	Else
	And // and, &&
	Or  // or, ||
	Not // not, !
	In
	Has
	True
	False
)

var spelling = [...]string{
	EOF: "the end of the file", Bad: "what cannot be read",
	Name: "a name", Currency: "a currency", Text: "a text", Integer: "a number", Decimal: "a number", Duration: "a duration", Time: "a time",
	Assign: "`=`", Eq: "`==`", Ne: "`!=`", Lt: "`<`", Le: "`<=`", Gt: "`>`", Ge: "`>=`", Coalesce: "`??`",
	Plus: "`+`", Minus: "`-`", Star: "`*`", Slash: "`/`", Pipe: "`|>`", Dot: "`.`", DotDot: "`..`", Comma: "`,`", Colon: "`:`",
	LeftParen: "`(`", RightParen: "`)`", LeftBracket: "`[`", RightBracket: "`]`", LeftBrace: "`{`", RightBrace: "`}`",
	Let: "`let`", Segment: "`segment`", Meter: "`meter`", Access: "`access`", Metric: "`metric`", Strategy: "`strategy`", Test: "`test`", Use: "`use`",
	Events: "`events`", AllEvents: "`all_events`", Burns: "`burns`", Now: "`now`", If: "`if`", Then: "`then`", Else: "`else`",
	And: "`and`", Or: "`or`", Not: "`not`", In: "`in`", Has: "`has`", True: "`true`", False: "`false`",
}

// String returns how messages speak of the kind.
func (k Kind) String() string { return spelling[k] }

// IsReserved tells whether k is a word that cannot be a name.
func (k Kind) IsReserved() bool { return k >= Let }

// IsDeclaration tells whether k is a word that begins a declaration.
func (k Kind) IsDeclaration() bool { return k >= Let && k <= Use }

// IsOpening tells whether k opens a bracket.
func (k Kind) IsOpening() bool { return k == LeftParen || k == LeftBracket || k == LeftBrace }

// IsClosing tells whether k closes a bracket.
func (k Kind) IsClosing() bool { return k == RightParen || k == RightBracket || k == RightBrace }

// Lookup returns the kind of a word in lower case: a reserved word, or Name.
func Lookup(word string) Kind {
	if k, ok := reserved[word]; ok {
		return k
	}
	return Name
}

// Declarations are the words that begin a declaration.
var Declarations = []string{"let", "segment", "meter", "access", "metric", "strategy", "test", "use"}

var reserved = func() map[string]Kind {
	words := map[string]Kind{}
	for k := Let; k <= False; k++ {
		s := spelling[k]
		words[s[1:len(s)-1]] = k
	}
	return words
}()

// Token is one word or sign of a file.
type Token struct {
	source.Span
	Kind Kind

	// First tells that the token is the first of its line.
	First bool

	// Reported tells that a diagnostic speaks of the token already.
	Reported bool

	// Broken tells that the token is a text without an end: what follows on its
	// line may belong to it.
	Broken bool

	// Text is the value of a Text; of all others how they are written, with
	// capitals in names made small.
	Text string

	// Int is the value of an Integer, the nanoseconds of a Duration, the digits
	// of a Decimal without its point, and of a Time Unix milliseconds: of the
	// instant if it has an offset, else of its clock read as UTC.
	Int int64

	// Scale is how many digits of a Decimal follow its point; of a Time it is 1
	// if it has an offset.
	Scale int
}

// Comment is one `--` to the end of its line.
type Comment struct {
	source.Span
	Text string // from `--` on, without space at its end

	// Own tells that nothing but space stands before it on its line.
	Own bool
}
