package plan

import (
	"github.com/readership/readership/internal/rubric/value"
)

// Apply works an operation from Not on out, given the values of its arguments.
// It is what evaluators mean by the operation, whichever way they go about it.
func (e *Expr) Apply(c value.Calendar, args []value.Value) value.Value {
	switch e.Op {
	case Not:
		return value.OfBool(!args[0].True())
	case And, Or:
		for _, a := range args {
			if a.True() == (e.Op == Or) {
				return value.OfBool(e.Op == Or)
			}
		}
		return value.OfBool(e.Op == And)
	case If:
		if args[0].True() {
			return args[1]
		}
		return args[2]
	case Min, Max:
		out := args[0]
		for _, a := range args[1:] {
			if e.Op == Min {
				out = value.Min(out, a)
			} else {
				out = value.Max(out, a)
			}
		}
		return out
	case Matches:
		return value.Matches(args[0], e.Regexp)
	case Hour:
		return c.Hour(args[0])
	case Weekday:
		return c.Weekday(args[0])
	default:
		if len(args) == 1 {
			return apply1(e.Op, args[0])
		}
		return apply2(e.Op, args[0], args[1])
	}
}

func apply1(op Op, x value.Value) value.Value {
	switch op {
	case Has:
		return value.OfBool(!x.IsMissing())
	case Neg:
		return value.Neg(x)
	case ToDecimal:
		return x.ToDecimal()
	case Lower:
		return value.Lower(x)
	default:
		return value.Size(x)
	}
}

func apply2(op Op, x, y value.Value) value.Value {
	switch op {
	case Equal:
		return value.OfBool(value.Equal(x, y))
	case Less:
		return value.OfBool(value.Less(x, y))
	case LessSame:
		return value.OfBool(value.LessOrEqual(x, y))
	case In:
		return value.OfBool(value.In(x, y))
	case Coalesce:
		return value.Coalesce(x, y)
	case Add:
		return value.Add(x, y)
	case Sub:
		return value.Sub(x, y)
	case Mul:
		return value.Mul(x, y)
	case Div:
		return value.Div(x, y)
	case Contains:
		return value.Contains(x, y)
	case StartsWith:
		return value.StartsWith(x, y)
	default:
		return value.EndsWith(x, y)
	}
}
