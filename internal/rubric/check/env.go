package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
)

// place is where an expression stands: it says what names mean.
type place uint8

const (
	inSegment place = iota
	inBurns         // the stream of a meter
	inLimit         // of a meter
	inAccess
	inMetric
	inTest
	inConstant // an option, or a value in a test
	anywhere   // in a `let` that nobody uses
)

// placeNames is how messages speak of a place.
var placeNames = [...]string{inSegment: "a segment", inBurns: "a meter's stream", inLimit: "a limit", inAccess: "an access block", inMetric: "a metric",
	inTest: "a test", inConstant: "a constant", anywhere: "a `let`"}

// position is a place, or a stage of a stream there.
type position struct {
	place place
	stage bool
}

// reader tells whether names about the reader have a meaning.
func (p position) reader() bool {
	return !p.stage && (p.place == inSegment || p.place == inLimit || p.place == inAccess || p.place == inTest || p.place == anywhere)
}

// asked tells whether an item is asked for: also of stages.
func (p position) asked() bool {
	return p.place == inLimit || p.place == inAccess || p.place == anywhere
}

// env is what surrounds an expression.
type env struct {
	position
	file   int
	locals map[string]*argument // parameters of the function that it is in
	known  *known               // what is not missing
	use    *use                 // of the `let` that it is in; nil outside
	items  map[string]bool      // of a test
}

// in returns the environment for another position.
func (en *env) in(p position) *env {
	out := *en
	out.position = p
	return &out
}

// stage returns the environment within a stage.
func (en *env) stageOf() *env { return en.in(position{place: en.place, stage: true}) }

// use is one use of a `let`.
type use struct {
	def  *definition
	at   plan.Place
	from *use    // of the `let` that the use is in
	memo *inside // what is known of its body
}

// inside is a body in one position: its value, and the names in it that have no
// meaning there. Those are errors of each use.
type inside struct {
	result result
	scope  []scopeError
	done   bool
}

// scopeError is a name that has no meaning where it is.
type scopeError struct {
	at                  plan.Place
	code, hint, message string
}

// argument is what a parameter stands for: an expression, which takes its names
// from where the parameter is used, or what came through a pipe. One of a
// function that nobody calls is neither.
type argument struct {
	node  ast.Expr
	env   *env // in which it is written
	piped *result
	memo  map[position]result
}

// known is a set of expressions, by key, that are not missing here.
type known struct {
	keys []int
	more *known
}

func (k *known) has(key int) bool {
	for ; k != nil; k = k.more {
		for _, have := range k.keys {
			if have == key {
				return true
			}
		}
	}
	return false
}

// knowing returns the environment in which a condition has come out as said.
func (en *env) knowing(cond *plan.Expr, outcome bool) *env {
	if cond == nil {
		return en
	}
	budget := 1000
	keys := present(cond, outcome, nil, &budget)
	if len(keys) == 0 {
		return en
	}
	out := *en
	out.known = &known{keys: keys, more: en.known}
	return &out
}

// present appends the keys of what is not missing if a condition has come out as
// said: what `has` was asked of, and what was compared with success.
func present(e *plan.Expr, outcome bool, to []int, budget *int) []int {
	if *budget--; *budget < 0 {
		return to
	}
	switch e.Op {
	case plan.Not:
		return present(e.Args[0], !outcome, to, budget)
	case plan.And, plan.Or:
		if outcome == (e.Op == plan.And) {
			for _, a := range e.Args {
				to = present(a, outcome, to, budget)
			}
		}
	case plan.Has, plan.Equal, plan.Less, plan.LessSame, plan.In:
		if outcome {
			for _, a := range e.Args {
				if a.Optional {
					to = append(to, a.Key)
				}
			}
		}
	}
	return to
}
