package value_test

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"testing"
	"time"

	"github.com/readership/readership/internal/rubric/value"
	"pgregory.net/rapid"
)

// number draws a number, often at an end of its range or near zero.
func number(t *rapid.T) value.Value {
	n := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-20, 20), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, value.Micro, -value.Micro, 500_000})).Draw(t, "n")
	if rapid.Bool().Draw(t, "decimal") {
		return value.OfMicro(n)
	}
	return value.OfInt(n)
}

// exact returns a number as a fraction.
func exact(v value.Value) *big.Rat {
	r := new(big.Rat).SetInt64(v.N)
	if v.Type == value.Decimal {
		r.Quo(r, new(big.Rat).SetInt64(value.Micro))
	}
	return r
}

// rounded returns a fraction in units of a type: to the nearest, halves away from
// zero, at the end of the range beyond it.
func rounded(r *big.Rat, t value.Type) int64 {
	if t == value.Decimal {
		r = new(big.Rat).Mul(r, new(big.Rat).SetInt64(value.Micro))
	}
	half := big.NewRat(int64(r.Sign()), 2)
	r = new(big.Rat).Add(r, half)
	q := new(big.Int).Quo(r.Num(), r.Denom()) // towards zero
	switch {
	case q.IsInt64():
		return q.Int64()
	case q.Sign() < 0:
		return math.MinInt64
	default:
		return math.MaxInt64
	}
}

// Arithmetic is that of fractions, rounded once at its end, except that what
// leaves the range of decimals before stays at its end.
func TestArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number(t), number(t)
		mixed := value.Int
		if a.Type == value.Decimal || b.Type == value.Decimal {
			mixed = value.Decimal
		}
		x, y := exact(a), exact(b)
		if mixed == value.Decimal { // a sum is made of decimals
			x, y = exact(a.ToDecimal()), exact(b.ToDecimal())
		}
		same := func(op string, got value.Value, want *big.Rat, typ value.Type) {
			if got.Type != typ || got.N != rounded(want, typ) {
				t.Errorf("%s %s %s = %s (%s), want %d of %s", a, op, b, got, got.Type, rounded(want, typ), typ)
			}
		}
		same("+", value.Add(a, b), new(big.Rat).Add(x, y), mixed)
		same("-", value.Sub(a, b), new(big.Rat).Sub(x, y), mixed)
		same("*", value.Mul(a, b), new(big.Rat).Mul(exact(a), exact(b)), mixed)
		if b.N == 0 {
			if !value.Div(a, b).IsMissing() {
				t.Errorf("%s / 0 = %s", a, value.Div(a, b))
			}
		} else {
			same("/", value.Div(a, b), new(big.Rat).Quo(exact(a), exact(b)), value.Decimal)
		}
		order, ok := value.Compare(a, b)
		if want := exact(a).Cmp(exact(b)); order != want || !ok {
			t.Errorf("Compare(%s, %s) = %d, %v, want %d", a, b, order, ok, want)
		}
	})
}

func TestTimesAndDurations(t *testing.T) {
	at, day := value.OfTime(1_000_000), value.OfDuration(86_400_000)
	for _, c := range []struct{ got, want value.Value }{
		{value.Add(at, day), value.OfTime(87_400_000)},
		{value.Add(day, at), value.OfTime(87_400_000)},
		{value.Sub(at, day), value.OfTime(-85_400_000)},
		{value.Sub(at, value.OfTime(1)), value.OfDuration(999_999)},
		{value.Mul(day, value.OfInt(2)), value.OfDuration(172_800_000)},
		{value.Mul(value.OfMicro(500_000), day), value.OfDuration(43_200_000)},
		{value.Div(day, value.OfInt(7)), value.OfDuration(12_342_857)},
		{value.Div(day, value.OfMicro(500_000)), value.OfDuration(172_800_000)},
		{value.Div(day, value.OfDuration(7_200_000)), value.OfMicro(12_000_000)},
		{value.Add(value.OfTime(math.MaxInt64), day), value.OfTime(math.MaxInt64)},
		{value.Neg(day), value.OfDuration(-86_400_000)},
		{value.Neg(value.OfInt(math.MinInt64)), value.OfInt(math.MaxInt64)},
		{value.Add(at, at), value.Value{}},
		{value.Add(at, value.OfInt(1)), value.Value{}},
		{value.Mul(at, value.OfInt(2)), value.Value{}},
		{value.Neg(at), value.Value{}},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// Of a missing value nothing is true, and nothing can be worked out.
func TestMissing(t *testing.T) {
	var none value.Value
	five, list := value.OfInt(5), value.OfTexts([]string{"a"})
	for name, v := range map[string]value.Value{
		"+": value.Add(none, five), "-": value.Sub(five, none), "*": value.Mul(none, five), "/": value.Div(none, five), "neg": value.Neg(none),
		"lower": value.Lower(none), "size": value.Size(none), "contains": value.Contains(none, value.OfText("")), "matches": value.Matches(none, regexp.MustCompile("")),
		"min": value.Min(none, five), "max": value.Max(five, none), "hour": value.Calendar{Zone: time.UTC}.Hour(none),
	} {
		if !v.IsMissing() {
			t.Errorf("%s of missing = %s", name, v)
		}
	}
	if value.Equal(none, none) || value.Less(none, five) || value.Less(five, none) || value.LessOrEqual(none, none) || value.In(none, list) || value.In(value.OfText("a"), none) || none.True() {
		t.Error("something is true of missing values")
	}
	if value.Coalesce(none, five) != five || value.Coalesce(five, none) != five {
		t.Error("Coalesce")
	}
}

func TestTexts(t *testing.T) {
	text := value.OfText("Über A")
	for name, c := range map[string]struct{ got, want value.Value }{
		"lower":       {value.Lower(text), value.OfText("über a")},
		"size":        {value.Size(text), value.OfInt(6)},
		"size list":   {value.Size(value.OfTexts([]string{"a", "b"})), value.OfInt(2)},
		"contains":    {value.Contains(text, value.OfText("r A")), value.OfBool(true)},
		"starts":      {value.StartsWith(text, value.OfText("ber")), value.OfBool(false)},
		"ends":        {value.EndsWith(text, value.OfText(" A")), value.OfBool(true)},
		"matches":     {value.Matches(text, regexp.MustCompile("^Ü.*A$")), value.OfBool(true)},
		"of a number": {value.Lower(value.OfInt(5)), value.Value{}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
	if order, ok := value.Compare(value.OfText("a"), value.OfText("b")); order != -1 || !ok {
		t.Error("texts have no order")
	}
	if _, ok := value.Compare(value.OfText("5"), value.OfInt(5)); ok {
		t.Error("a text can be compared with a number")
	}
}

// A Sum forgets what is removed, and its order.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s value.Sum
		exactly := new(big.Int)
		var in []int64
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			if len(in) > 0 && rapid.Bool().Draw(t, "remove") {
				last := len(in) - 1
				i := rapid.IntRange(0, last).Draw(t, "which")
				s.Remove(value.OfInt(in[i]))
				exactly.Sub(exactly, big.NewInt(in[i]))
				in[i] = in[last]
				in = in[:last]
				continue
			}
			v := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1, -1})).Draw(t, "v")
			s.Add(value.OfInt(v))
			exactly.Add(exactly, big.NewInt(v))
			in = append(in, v)
		}
		total := new(big.Rat).SetInt(exactly)
		for _, typ := range []value.Type{value.Int, value.Duration} {
			if got := s.Total(typ); got.N != rounded(total, value.Int) || got.Type != typ {
				t.Errorf("total %s, want %s", got, exactly)
			}
		}
		if s.Count() != int64(len(in)) {
			t.Errorf("count %d, want %d", s.Count(), len(in))
		}
		if len(in) == 0 {
			if !s.Mean(value.Int).IsMissing() {
				t.Error("the mean of nothing is there")
			}
			return
		}
		mean := new(big.Rat).Quo(total, big.NewRat(int64(len(in)), 1))
		if got := s.Mean(value.Int); got.Type != value.Decimal || got.N != rounded(mean, value.Decimal) {
			t.Errorf("mean %s, want %s", got, mean.FloatString(8))
		}
		if got := s.Mean(value.Decimal); got.Type != value.Decimal || got.N != rounded(mean, value.Int) {
			t.Errorf("mean of decimals %s, want %s", got, mean.FloatString(8))
		}
	})
}

func TestParseMicro(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "5": 5_000_000, "-5": -5_000_000, "0.002": 2000, "1.2345678": 1_234_568, "1.2345675": 1_234_568, "-1.2345675": -1_234_568, "1.2345674": 1_234_567,
		"1e3": 1_000_000_000, "1.5e-3": 1500, "-2E+2": -200_000_000, "1e-7": 0, "5e-7": 1, "9223372036854.775807": math.MaxInt64, "9223372036855": math.MaxInt64,
		"1e300": math.MaxInt64, "-1e99999999999999": -math.MaxInt64, "0e99999999999999": 0, "1e-99999999999999": 0, "00012": 12_000_000,
	} {
		if got, ok := value.ParseMicro(text); got != want || !ok {
			t.Errorf("ParseMicro(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", ".", "1.", ".5", "1,5", "1e", "1ee2", "0x10", "NaN", "inf", "1 ", "+1", "--1", "1e1.5"} {
		if got, ok := value.ParseMicro(text); ok {
			t.Errorf("ParseMicro(%q) = %d", text, got)
		}
	}
}

// What is written is read as the same.
func TestFormatMicro(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Int64Range(-math.MaxInt64, math.MaxInt64), rapid.Int64Range(-2_000_000, 2_000_000)).Draw(t, "n")
		if got, ok := value.ParseMicro(value.FormatMicro(n)); got != n || !ok {
			t.Errorf("%d is written %s and read as %d", n, value.FormatMicro(n), got)
		}
	})
	if got := value.FormatMicro(math.MinInt64); got != "-9223372036854.775808" {
		t.Errorf("the least is written %s", got)
	}
}

func TestString(t *testing.T) {
	for want, v := range map[string]value.Value{
		"(missing)": {}, "true": value.OfBool(true), "-5": value.OfInt(-5), "0.002": value.OfMicro(2000), `"a\n"`: value.OfText("a\n"),
		"2026-03-01T10:00:00.5Z": value.OfTime(time.Date(2026, 3, 1, 10, 0, 0, 5e8, time.UTC).UnixMilli()),
		"2w":                     value.OfDuration(14 * 86_400_000), "90m": value.OfDuration(5_400_000), "0s": value.OfDuration(0), "7d": value.OfDuration(7 * 86_400_000),
		`["a", "b"]`: value.OfTexts([]string{"a", "b"}),
	} {
		if got := v.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for typ, want := range map[value.Type]string{value.Int: "integer", value.Any: "any", value.List: "list"} {
		if got := fmt.Sprint(typ); got != want {
			t.Errorf("type %s, want %s", got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	a, b, text, list := value.OfMicro(5), value.OfInt(7), value.OfText("sport"), value.OfTexts([]string{"a", "sport"})
	calendar := value.Calendar{Zone: time.UTC, WeekStart: time.Monday}
	var s value.Sum
	n := testing.AllocsPerRun(100, func() {
		s.Add(value.Mul(value.Add(a, b), value.Div(a, b)))
		_ = value.In(text, list) && value.Equal(text, text) && value.Less(a, b)
		_ = value.Coalesce(value.Min(a, b), value.Contains(text, text))
		_ = value.Lower(text)
		_ = calendar.Start(value.Week, calendar.Next(value.Month, 1e12))
		_ = calendar.Hour(value.OfTime(1e12))
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
