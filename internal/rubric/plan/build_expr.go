package plan

import (
	"slices"

	"github.com/readership/readership/internal/rubric/value"
)

// Expr completes an expression whose operation, type, arguments and other
// members are given. What is constant is worked out; parts that say nothing,
// such as `and true`, go. The result may be one of the arguments.
func (b *Builder) Expr(e Expr) *Expr {
	if s := simpler(&e); s != nil {
		return s
	}
	if v, ok := e.constant(b.program.Calendar); ok {
		e = Expr{Op: Const, Type: e.Type, Elem: e.Elem, Value: v, Place: e.Place}
	}
	e.Size = 1
	for _, a := range e.Args {
		e.Size = addSize(e.Size, a.Size)
	}
	k := string(e.key())
	id, ok := b.keys[k]
	if !ok {
		id = len(b.keys)
		b.keys[k] = id
	}
	e.Key = id
	return &e
}

// Const returns a constant.
func (b *Builder) Const(v value.Value, at Place) *Expr {
	e := Expr{Op: Const, Type: v.Type, Value: v, Place: at}
	if v.Type == value.List {
		e.Elem = value.Any
		if items := v.Items(); len(items) > 0 {
			e.Elem = items[0].Type
		}
	}
	return b.Expr(e)
}

// key returns what equal expressions have in common.
func (e *Expr) key() key {
	args := exprKeys(e.Args)
	switch e.Op {
	case And, Or, Equal, Min, Max: // in any order
		slices.Sort(args)
	}
	k := key(nil).int(int64(e.Op)).ints(args).value(e.Value).int(int64(e.Column)).int(int64(e.Field))
	return k.int(int64(e.Flag)).int(int64(e.Ref)).int(int64(e.Outcome)).text(e.Name)
}

// simpler returns what an expression comes to without being worked out, nil if
// that is itself. It flattens `and` and `or`.
func simpler(e *Expr) *Expr {
	switch e.Op {
	case And, Or:
		return simplerJunction(e)
	case Not:
		if x := e.Args[0]; x.Op == Not {
			return x.Args[0]
		}
	case If:
		if c := e.Args[0]; c.IsTrue() {
			return e.Args[1]
		} else if c.IsConst() {
			return e.Args[2]
		}
	case Coalesce:
		if !e.Args[0].Optional {
			return e.Args[0]
		}
	}
	return nil
}

// maxArgs bounds how many arguments a junction takes from junctions in it.
const maxArgs = 256

// simplerJunction takes the parts of parts into the arguments, and those away
// that decide nothing or stand there already.
func simplerJunction(e *Expr) *Expr {
	var args []*Expr
	seen := map[int]bool{}
	add := func(a *Expr) {
		if !seen[a.Key] {
			seen[a.Key] = true
			args = append(args, a)
		}
	}
	for _, a := range e.Args {
		switch {
		case a.IsConst() && a.IsTrue() == (e.Op == Or):
			return a
		case a.IsConst():
		case a.Op == e.Op && len(args)+len(a.Args) <= maxArgs:
			for _, part := range a.Args {
				add(part)
			}
		default:
			add(a)
		}
	}
	if len(args) == 0 {
		return e.Args[0]
	}
	if len(args) == 1 {
		return args[0]
	}
	e.Args = args
	return nil
}

// constant works an operation out whose arguments are constants. ok is false for
// others, and where the value would be missing.
func (e *Expr) constant(c value.Calendar) (v value.Value, ok bool) {
	if e.Op < Not || e.Op == Const {
		return v, false
	}
	if e.Op == Has && !e.Args[0].Optional {
		return value.OfBool(true), true
	}
	args := make([]value.Value, len(e.Args))
	for i, a := range e.Args {
		if !a.IsConst() {
			return v, false
		}
		args[i] = a.Value
	}
	v = e.Apply(c, args)
	return v, !v.IsMissing()
}
