package format

import (
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
)

// Columns of clauses. The gaps are fixed so that a new clause seldom moves the
// others.
const (
	outcomeWidth   = len("charge") + 3
	nameGap        = 2
	conditionWidth = 37 // at least, where something follows the condition
	conditionGap   = 2
)

// clause is a clause on its way to a line.
type clause struct {
	outcome, name string
	cond          doc // nil without one
	rest          doc // nil without one
}

func (p *printer) access(a *ast.Access) item {
	open := seq{"access " + a.Name.Text, p.options(a.Options)}
	if len(a.Clauses) == 1 && len(p.pending(a.End)) == 0 {
		if c := a.Clauses[0]; c.Cond == nil && c.Burns == nil && c.Price == nil && c.Offers == nil {
			return item{body: append(open, " { "+c.Outcome.String()+" "+c.Name.Text+" }"), block: true}
		}
	}
	opened, items := flow(p, a.Clauses, a.End, func(c *ast.Clause) item { return item{clause: p.clause(c)} })
	layClauses(items)
	if items == nil && opened == "" {
		return item{body: append(open, " {}"), block: true}
	}
	return item{body: p.block(open, opened, items), block: true}
}

func (p *printer) clause(c *ast.Clause) *clause {
	out := &clause{outcome: c.Outcome.String(), name: c.Name.Text}
	if c.Cond != nil {
		out.cond = seq{"if ", p.expr(c.Cond, context{})}
	}
	var rest seq
	if c.Burns != nil {
		rest = append(rest, " burns "+c.Burns.Text)
	}
	if c.Price != nil {
		rest = append(rest, " price ", p.expr(c.Price.Amount, context{}), " "+c.Price.Currency.Text)
	}
	if c.Offers != nil {
		rest = append(rest, " offers "+c.Offers.Text)
	}
	if rest != nil {
		out.rest = rest
	}
	return out
}

// layClauses sets the bodies of clauses below each other.
func layClauses(items []item) {
	names, conds := 0, conditionWidth
	for _, it := range items {
		if it.clause != nil {
			names = max(names, len(it.clause.name))
		}
	}
	room := width - len(indent) - outcomeWidth - names - nameGap
	for _, it := range items {
		if c := it.clause; c != nil && c.rest != nil && c.cond != nil && flat(c.cond) <= room {
			conds = max(conds, flat(c.cond))
		}
	}
	for i := range items {
		c := items[i].clause
		if c == nil {
			continue
		}
		line := seq{pad(c.outcome, outcomeWidth), c.name}
		if c.cond != nil || c.rest != nil {
			line[1] = pad(c.name, names+nameGap)
		}
		used := 0
		if c.cond != nil {
			line = append(line, group{c.cond})
			used = flat(c.cond)
		}
		if c.rest != nil {
			// each part begins with a space, which is the last of the gap
			line = append(line, strings.Repeat(" ", max(1, conds-used+conditionGap-1)), c.rest)
		}
		items[i].body = line
	}
}
