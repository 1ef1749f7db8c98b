package fold

import (
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Expr returns the value of an expression outside of stages.
func (v *View) Expr(e *plan.Expr) value.Value { return v.On(nil, e) }

// On returns the value of an expression in a stage, on a row.
func (v *View) On(r Row, e *plan.Expr) value.Value {
	if e.Op < plan.Not {
		if r == nil && v.Facts != nil && e.LooksUp() {
			return v.kept(e)
		}
		return v.leaf(r, e)
	}
	var few [3]value.Value
	args := few[:0]
	for _, a := range e.Args {
		args = append(args, v.On(r, a))
	}
	return e.Apply(v.Program.Calendar, args)
}

// kept returns the value of an expression that looks something up, from the
// facts where they know it.
func (v *View) kept(e *plan.Expr) value.Value {
	x, known := v.Facts.Known(e)
	if !known {
		x = v.leaf(nil, e)
		v.Facts.Looked(e, x)
	}
	return x
}

// leaf returns the value of what is no operation on values.
func (v *View) leaf(r Row, e *plan.Expr) value.Value {
	switch e.Op {
	case plan.Const:
		return e.Value
	case plan.TimeNow:
		return value.OfTime(v.Now)
	case plan.FoldValue:
		return v.Fold(e.Ref)
	case plan.SegmentMember:
		return value.OfBool(v.Segment(e.Ref))
	case plan.VerdictIs:
		d := v.About(v.Expr(e.Args[0]).S).Decide(e.Ref)
		return value.OfBool(d.Clause.Outcome == e.Outcome && d.Clause.Name == e.Name)
	case plan.RowColumn, plan.RowProperty, plan.RowItem, plan.RowAttribute:
		return v.ofRow(r, e)
	case plan.AskedField, plan.AskedAttribute, plan.RequestColumn, plan.RequestFlag, plan.BotVerified, plan.BotClass, plan.BotOperator:
		return v.ofRequest(e)
	case plan.MeterUsed, plan.MeterLeft, plan.MeterLimit, plan.MeterResetsAt, plan.InMeter:
		return v.ofMeter(e)
	default:
		return v.ofReader(e)
	}
}

func (v *View) ofRow(r Row, e *plan.Expr) value.Value {
	switch e.Op {
	case plan.RowColumn:
		return v.column(r, e.Column)
	case plan.RowProperty:
		return Recorded(r.Property(e.Name), e.Type)
	}
	item := r.Column(plan.Column(event.ColItem)).S
	if item == "" {
		return value.Value{}
	}
	if e.Op == plan.RowItem {
		return v.field(item, e.Field)
	}
	return Stored(v.Items.Attribute(item, e.Name), e.Type)
}

func (v *View) column(r Row, c plan.Column) value.Value {
	cal, t := v.Program.Calendar, r.Time()
	switch c {
	case plan.ColTime:
		return value.OfTime(t)
	case plan.ColDay:
		return value.OfTime(cal.Start(value.Day, t))
	case plan.ColWeek:
		return value.OfTime(cal.Start(value.Week, t))
	case plan.ColMonth:
		return value.OfTime(cal.Start(value.Month, t))
	default:
		return r.Column(c)
	}
}

func (v *View) field(item string, f plan.Field) value.Value {
	if f == plan.FieldID {
		return value.OfText(item)
	}
	return v.Items.Field(item, f)
}

// ofRequest returns what belongs to a decision. Without a request nothing is
// known of it.
func (v *View) ofRequest(e *plan.Expr) value.Value {
	switch {
	case e.Op == plan.AskedField:
		return v.field(v.Item, e.Field)
	case e.Op == plan.AskedAttribute:
		return Stored(v.Items.Attribute(v.Item, e.Name), e.Type)
	case v.Request == nil && (e.Op == plan.RequestFlag || e.Op == plan.BotVerified):
		return value.OfBool(false)
	case v.Request == nil:
		return value.Value{}
	}
	switch e.Op {
	case plan.RequestColumn:
		return v.Request.Column(e.Column)
	case plan.RequestFlag:
		return value.OfBool(v.Request.Flag(e.Flag))
	case plan.BotVerified:
		return value.OfBool(v.Request.BotVerified())
	case plan.BotClass:
		return v.Request.BotClass()
	default: // BotOperator
		return v.Request.BotOperator()
	}
}

func (v *View) ofReader(e *plan.Expr) value.Value {
	switch e.Op {
	case plan.ReaderRegistered:
		return value.OfBool(v.Profile.Registered())
	case plan.ReaderEntitled:
		_, ok := v.Profile.Entitled(v.Expr(e.Args[0]).S, v.Now)
		return value.OfBool(ok)
	case plan.ReaderEntitledBy:
		by, ok := v.Profile.Entitled(v.Expr(e.Args[0]).S, v.Now)
		if !ok {
			return value.Value{}
		}
		return value.OfText(by)
	case plan.ReaderTrait:
		return Recorded(v.Profile.Trait(e.Name), e.Type)
	case plan.ReaderFirstSeen:
		return v.Profile.FirstSeen()
	default: // ExperimentArm; RowSegments is a key of metrics, which are not about one reader
		return value.OfInt(int64(Arm(v.Profile.FirstSubject(), e.Name, e.Ref)))
	}
}

func (v *View) ofMeter(e *plan.Expr) value.Value {
	m := v.Meter(e.Ref)
	switch e.Op {
	case plan.MeterUsed:
		return value.OfInt(m.Used())
	case plan.MeterLeft:
		return value.OfInt(m.Left())
	case plan.MeterLimit:
		return value.OfInt(m.Limit)
	case plan.MeterResetsAt:
		return m.ResetsAt
	default: // InMeter
		return value.OfBool(m.Has(v.Expr(e.Args[0]).S))
	}
}
