package plan

import (
	"slices"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/value"
)

// condition returns the condition of an expression.
func (b *Builder) condition(e *Expr) *Condition {
	if known := b.conditions[e.Key]; known != nil {
		return known
	}
	c := &Condition{ID: len(b.program.Conditions), Expr: e, Lookup: lookup(e)}
	asked := false
	e.eachOnce(func(e *Expr) {
		switch e.Op {
		case RowColumn:
			c.Columns = append(c.Columns, e.Column)
		case RowProperty:
			c.Properties = append(c.Properties, e.Name)
		case RowItem:
			c.Fields = append(c.Fields, e.Field)
		case RowAttribute:
			c.Attributes = append(c.Attributes, e.Name)
		}
		asked = asked || e.asks()
	})
	c.Columns, c.Properties = unique(c.Columns), unique(c.Properties)
	c.Fields, c.Attributes = unique(c.Fields), unique(c.Attributes)
	onRow, onItem := len(c.Columns)+len(c.Properties) > 0, len(c.Fields)+len(c.Attributes) > 0
	switch {
	case asked:
		c.Class = OnAsked
	case onItem && onRow:
		c.Class = OnBoth
	case onItem:
		c.Class = OnItem
	}
	b.conditions[e.Key] = c
	b.program.Conditions = append(b.program.Conditions, c)
	return c
}

func unique[T int | string | Column | Field](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

// asks tells whether the operation looks at the item asked for.
func (e *Expr) asks() bool { return e.Op == AskedField || e.Op == AskedAttribute }

// asks tells whether an expression looks at the item asked for.
func asks(e *Expr) bool {
	found := false
	e.eachOnce(func(e *Expr) { found = found || e.asks() })
	return found
}

// lookup returns the values that a column or property must have one of; nil if
// the expression says something else.
func lookup(e *Expr) *Lookup {
	switch e.Op {
	case Equal:
		of, constant := e.Args[0], e.Args[1]
		if of.IsConst() {
			of, constant = constant, of
		}
		return lookupOf(of, constant, constant.Value)
	case In:
		return lookupOf(e.Args[0], e.Args[1], e.Args[1].Value.Items()...)
	case Or:
		return lookupAny(e.Args)
	default:
		return nil
	}
}

func lookupOf(of, constant *Expr, values ...value.Value) *Lookup {
	if !constant.IsConst() || len(values) == 0 {
		return nil
	}
	l := &Lookup{}
	have := map[value.Value]bool{}
	switch {
	case of.Op == RowColumn && of.Column < Column(event.NumColumns):
		l.Column = of.Column
	case of.Op == RowProperty && of.Type != value.Any:
		l.Property = of.Name
	default:
		return nil
	}
	for _, v := range values {
		if of.Type == value.Decimal {
			v = v.ToDecimal()
		}
		if !have[v] {
			have[v] = true
			l.Values = append(l.Values, v)
		}
	}
	return l
}

// lookupAny returns the lookup of a disjunction whose parts all look at the same
// column or property.
func lookupAny(parts []*Expr) *Lookup {
	var out *Lookup
	have := map[value.Value]bool{}
	for _, part := range parts {
		l := lookup(part)
		switch {
		case l == nil:
			return nil
		case out == nil:
			out = &Lookup{Column: l.Column, Property: l.Property}
		case out.Column != l.Column || out.Property != l.Property:
			return nil
		}
		for _, v := range l.Values {
			if !have[v] {
				have[v] = true
				out.Values = append(out.Values, v)
			}
		}
	}
	return out
}
