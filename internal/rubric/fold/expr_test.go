package fold_test

import (
	"fmt"
	"testing"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Rows with the property n: 3, (none), 1, 2, "text".
func TestEnds(t *testing.T) {
	var r memory.Rows
	for i, v := range []value.Value{value.OfMicro(3e6), {}, value.OfMicro(1e6), value.OfMicro(2e6), value.OfText("text")} {
		row := newRow(at(t, "02T10:00") + int64(i))
		row.Properties["n"] = v
		r.Add(row)
	}
	for _, c := range []struct {
		end        plan.End
		of         bool
		typ        value.Type
		want, none string
	}{
		{plan.Count, false, value.Int, "5", "0"},
		{plan.Any, false, value.Bool, "true", "false"},
		{plan.Sum, true, value.Decimal, "6", "0"},
		{plan.Avg, true, value.Decimal, "2", "(missing)"},
		{plan.Least, true, value.Decimal, "1", "(missing)"},
		{plan.Greatest, true, value.Decimal, "3", "(missing)"},
		{plan.First, true, value.Decimal, "3", "(missing)"},
		{plan.Latest, true, value.Decimal, "2", "(missing)"},
	} {
		t.Run(c.end.String(), func(t *testing.T) {
			b := newBuilder(t, "UTC")
			var of *plan.Expr
			if c.of {
				of = b.property("n", value.Decimal)
			}
			e := b.fold(b.stream(), c.end, of, c.typ)
			p := b.Program()
			got, none := view(p, at(t, "03T00:00"), r).Expr(e), view(p, at(t, "03T00:00"), nil).Expr(e)
			if got.String() != c.want || none.String() != c.none {
				t.Errorf("%s and of nothing %s, want %s and %s", got, none, c.want, c.none)
			}
		})
	}
}

// The mean of whole numbers is a decimal, of times the latest is the last.
func TestEndsOfOtherTypes(t *testing.T) {
	b := newBuilder(t, "UTC")
	r := rows(t, "02T10:00 x, 02T10:01 x")
	for i, n := range []int64{1, 2} {
		r[i].(*memory.Row).Columns[plan.ColScrollPercent] = value.OfInt(n)
	}
	s := b.stream()
	mean := b.fold(s, plan.Avg, b.column(plan.ColScrollPercent), value.Decimal)
	latest := b.fold(s, plan.Greatest, b.column(plan.ColTime), value.Time)
	v := view(b.Program(), at(t, "03T00:00"), r)
	if got := fmt.Sprint(v.Expr(mean), v.Expr(latest)); got != "1.5 2026-03-02T10:01:00Z" {
		t.Error(got)
	}
}

// A comparison with a missing side is false, its contrary therefore true.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		name string
		cond func(b builder, n *plan.Expr) *plan.Expr
		want int64 // of one row without n and one with n 1
	}{
		{"n == 1", func(b builder, n *plan.Expr) *plan.Expr { return b.op(plan.Equal, value.Bool, n, b.int(1)) }, 1},
		{"n != 1", func(b builder, n *plan.Expr) *plan.Expr {
			return b.op(plan.Not, value.Bool, b.op(plan.Equal, value.Bool, n, b.int(1)))
		}, 1},
		{"n < 2", func(b builder, n *plan.Expr) *plan.Expr { return b.op(plan.Less, value.Bool, n, b.int(2)) }, 1},
		{"n <= 0", func(b builder, n *plan.Expr) *plan.Expr { return b.op(plan.LessSame, value.Bool, n, b.int(0)) }, 0},
		{"has n", func(b builder, n *plan.Expr) *plan.Expr { return b.op(plan.Has, value.Bool, n) }, 1},
		{"(n ?? 5) == 5", func(b builder, n *plan.Expr) *plan.Expr {
			return b.op(plan.Equal, value.Bool, b.op(plan.Coalesce, value.Decimal, n, b.int(5)), b.int(5))
		}, 1},
		{"if has n then true else 1 / 0 == 1", func(b builder, n *plan.Expr) *plan.Expr {
			zero := b.op(plan.Sub, value.Int, b.int(1), b.int(1))
			return b.op(plan.If, value.Bool, b.op(plan.Has, value.Bool, n), b.op(plan.Equal, value.Bool, n, n),
				b.op(plan.Equal, value.Bool, b.op(plan.Div, value.Decimal, b.int(1), zero), b.int(1)))
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBuilder(t, "UTC")
			r := rows(t, "02T10:00 x, 02T10:01 x")
			r[1].(*memory.Row).Properties["n"] = value.OfMicro(1e6)
			e := b.fold(b.stream(where(c.cond(b, b.property("n", value.Decimal)))), plan.Count, nil, value.Int)
			if got := view(b.Program(), at(t, "03T00:00"), r).Expr(e).N; got != c.want {
				t.Errorf("%d rows, want %d", got, c.want)
			}
		})
	}
}

func TestData(t *testing.T) {
	text, number, truth := value.OfText("2"), value.OfMicro(2e6), value.OfBool(true)
	instant := value.OfText("2026-03-01T10:00:00+01:00")
	for _, c := range []struct {
		name string
		got  value.Value
		want string
	}{
		{"a number is a number", fold.Recorded(number, value.Decimal), "2"},
		{"a text that looks like one is none", fold.Recorded(text, value.Decimal), "(missing)"},
		{"a number is no text", fold.Recorded(number, value.Text), "(missing)"},
		{"of any type", fold.Recorded(truth, value.Any), "true"},
		{"a time is recorded as text", fold.Recorded(instant, value.Time), "2026-03-01T09:00:00Z"},
		{"no time", fold.Recorded(text, value.Time), "(missing)"},
		{"nothing", fold.Recorded(value.Value{}, value.Any), "(missing)"},
		{"a stored number", fold.Stored(text, value.Decimal), "2"},
		{"a stored text", fold.Stored(text, value.Text), `"2"`},
		{"a stored truth", fold.Stored(value.OfText("false"), value.Bool), "false"},
		{"no truth", fold.Stored(text, value.Bool), "(missing)"},
		{"no number", fold.Stored(instant, value.Decimal), "(missing)"},
		{"a stored time", fold.Stored(instant, value.Time), "2026-03-01T09:00:00Z"},
	} {
		if c.got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
}

// Arms have equal shares, do not depend on each other, and stay.
func TestArm(t *testing.T) {
	const n = 10_000
	var shares [2][2]int
	for i := range n {
		subject := fmt.Sprint("device:", i)
		shares[fold.Arm(subject, "wall", 2)][fold.Arm(subject, "teaser", 2)]++
	}
	for _, s := range [...]int{shares[0][0], shares[0][1], shares[1][0], shares[1][1]} {
		if s < n/4-200 || s > n/4+200 { // four deviations and more
			t.Errorf("shares %v", shares)
		}
	}
	if got := []int{fold.Arm("device:59", "wall", 2), fold.Arm("device:59", "wall", 7), fold.Arm("account:7", "wall", 1000)}; fmt.Sprint(got) != "[1 6 161]" {
		t.Errorf("arms were %v: readers have moved between arms", got)
	}
}
