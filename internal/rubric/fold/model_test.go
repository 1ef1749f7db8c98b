package fold_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// builder makes plans without text.
type builder struct{ *plan.Builder }

func newBuilder(t *testing.T, zone string) builder {
	t.Helper()
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return builder{plan.NewBuilder(nil, value.Calendar{Zone: z, WeekStart: time.Monday}, 400*day)}
}

func (b builder) text(s string) *plan.Expr { return b.Const(value.OfText(s), plan.Place{}) }
func (b builder) int(n int64) *plan.Expr   { return b.Const(value.OfInt(n), plan.Place{}) }

func (b builder) column(c plan.Column) *plan.Expr {
	return b.Expr(plan.Expr{Op: plan.RowColumn, Column: c, Type: c.Type(), Optional: c.Optional()})
}

func (b builder) property(name string, t value.Type) *plan.Expr {
	return b.Expr(plan.Expr{Op: plan.RowProperty, Name: name, Type: t, Optional: true})
}

func (b builder) op(op plan.Op, t value.Type, args ...*plan.Expr) *plan.Expr {
	return b.Expr(plan.Expr{Op: op, Type: t, Args: args})
}

func (b builder) ofType(typ string) plan.Written {
	return where(b.op(plan.Equal, value.Bool, b.column(plan.Column(event.ColType)), b.text(typ)))
}

func where(e *plan.Expr) plan.Written { return plan.Written{Where: []*plan.Expr{e}} }
func last(ms int64) plan.Written      { return plan.Written{Window: plan.Window{Last: ms}} }
func since(ms int64) plan.Written {
	return plan.Written{Window: plan.Window{Since: ms, HasSince: true}}
}
func per(p value.Period) plan.Written {
	return plan.Written{Window: plan.Window{Periods: plan.Periods(0).With(p)}}
}
func distinct(k ...*plan.Expr) plan.Written { return plan.Written{Kind: plan.Distinct, Keys: k} }

func then(other int, within int64) plan.Written {
	return plan.Written{Kind: plan.Then, Other: other, Within: within}
}

func unless(other int, within int64) plan.Written {
	return plan.Written{Kind: plan.Unless, Other: other, Within: within}
}

func (b builder) stream(stages ...plan.Written) int {
	return b.Stream(plan.Events, stages, "", plan.Place{})
}

func (b builder) fold(stream int, end plan.End, of *plan.Expr, t value.Type) *plan.Expr {
	return b.Expr(plan.Expr{Op: plan.FoldValue, Type: t, Ref: b.Fold(stream, end, of, t, plan.Place{})})
}

// at reads an instant: a time of a day of March 2026 as "02T10:00", or a whole
// one in RFC 3339.
func at(t *testing.T, s string) int64 {
	t.Helper()
	if len(s) < len("2026-03-02T10:00") {
		s = "2026-03-" + s + ":00Z"
	}
	out, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return out.UnixMilli()
}

// rows reads rows as "TIME TYPE ITEM, …".
func rows(t *testing.T, text string) memory.Rows {
	t.Helper()
	var out memory.Rows
	for part := range strings.SplitSeq(text, ",") {
		f := append(strings.Fields(part), "", "")
		if f[0] != "" {
			out.Add(memory.NewRow(at(t, f[0]), f[1], f[2]))
		}
	}
	return out
}

// view returns an anonymous reader's.
func view(p *plan.Program, now int64, rows memory.Rows) *fold.View {
	return &fold.View{Program: p, Now: now, Rows: rows, Items: memory.Items{}, Profile: &memory.Profile{Subject: "device:1"}, Burns: memory.Burns{}}
}

// times writes the times of rows as at reads them.
func times(rows []fold.Row) string {
	var out []string
	for _, r := range rows {
		out = append(out, time.UnixMilli(r.Time()).UTC().Format("02T15:04"))
	}
	return fmt.Sprint(strings.Join(out, " "))
}

func newRow(at int64) *memory.Row { return memory.NewRow(at, "x", "") }
