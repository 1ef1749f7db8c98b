package format

import (
	"fmt"

	"github.com/readership/readership/internal/rubric/ast"
)

// stage formats what stands behind a `|>`.
func (p *printer) stage(s ast.Stage) doc {
	one := func(word string, e ast.Expr) doc { return seq{word + " ", p.expr(e, operand)} }
	two := func(word string, e ast.Expr, between string, f ast.Expr) doc {
		return seq{word + " ", p.expr(e, operand), " " + between + " ", p.expr(f, operand)}
	}
	condition := context{noPipe: true}
	switch s := s.(type) {
	case *ast.Where:
		return seq{"where ", p.expr(s.Cond, condition)}
	case *ast.Last:
		return one("last", s.Duration)
	case *ast.Since:
		return one("since", s.Time)
	case *ast.Per:
		return "per " + s.Period.String()
	case *ast.FromFirst:
		return one("from_first", s.Duration)
	case *ast.Distinct:
		return p.keys("distinct", s.Keys)
	case *ast.By:
		return p.keys("by", s.Keys)
	case *ast.Then:
		return two("then", s.Stream, "within", s.Within)
	case *ast.Unless:
		return two("unless", s.Stream, "within", s.Within)
	case *ast.End:
		if s.Of == nil {
			return s.Op.String()
		}
		return one(s.Op.String(), s.Of)
	case *ast.Apply:
		if s.Args == nil {
			return s.Fun.Text
		}
		return seq{s.Fun.Text, p.arguments(s.Args, s.End)}
	case *ast.Boost:
		return seq{"boost ", p.expr(s.Factor, operand), " if ", p.expr(s.Cond, condition)}
	case *ast.AtMost:
		return two("at_most", s.Count, "per", s.Key)
	case *ast.Pin:
		return two("pin", s.Item, "at", s.Place)
	case *ast.Take:
		return one("take", s.Count)
	default:
		panic(fmt.Sprintf("format: unknown stage %T", s))
	}
}

func (p *printer) keys(word string, keys []ast.Expr) doc {
	out := nest{word + " "}
	for i, k := range keys {
		if i > 0 {
			out = append(out, ",", p.brk(space, k.Range().Start))
		}
		out = append(out, p.expr(k, operand))
	}
	return group{out}
}
