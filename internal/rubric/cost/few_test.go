package cost_test

import (
	"math"
	"strings"
	"testing"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
)

// TestFew: what a decision does for each row and burn bounds how many there may be.
func TestFew(t *testing.T) {
	const meters = "meter a (limit: 5) = burns |> per month |> distinct item\nmeter b (limit: 5, merge: max) = burns |> per month |> distinct item\nmeter c (limit: b.left) = burns |> per month |> distinct item\nlet f = events |> where type == \"login\" |> count\n"
	many := strings.Repeat(`  deny d if (events |> where path == "/X" |> last 3d |> count) > 9 offers wall`+"\n", 40)
	for i := range 40 {
		many = strings.Replace(many, "/X", "/"+strings.Repeat("x", i+1), 1)
		many = strings.Replace(many, "deny d if", "deny e"+strings.Repeat("e", i)+" if", 1)
	}
	for name, c := range map[string]struct {
		clauses string
		want    func(plan.Few) bool
	}{
		"nothing":          {"allow all", func(f plan.Few) bool { return f == plan.Few{Rows: math.MaxInt, Burns: math.MaxInt} }},
		"a meter":          {"allow m if a.left > 0 burns a\n deny rest offers wall", func(f plan.Few) bool { return f == plan.Few{Rows: math.MaxInt, Burns: 257} }},
		"the larger set":   {"allow m if b.left > 0 burns b\n deny rest offers wall", func(f plan.Few) bool { return f == plan.Few{Rows: math.MaxInt, Burns: 8} }},
		"by a limit":       {"allow m if c.left > 0 burns c\n deny rest offers wall", func(f plan.Few) bool { return f == plan.Few{Rows: math.MaxInt, Burns: 8} }},
		"a fold often":     {"deny d if f > 1 and f > 2 and f > 3 and f > 4 and f > 5 and f > 6 and f > 7 and f > 8 and f > 9 and f > 10 and f > 11 and f > 12 and f > 13 and f > 14 and f > 15 and f > 16 and f > 17 and f > 18 and f > 19 and f > 20 offers wall\n allow rest", func(f plan.Few) bool { return f.Rows > 1 && f.Rows < 30 }},
		"a fold":           {"deny d if (events |> count) > 9 offers wall\n allow rest", func(f plan.Few) bool { return f == plan.Few{Rows: 257, Burns: math.MaxInt} }},
		"many folds":       {many + "allow rest", func(f plan.Few) bool { return f.Rows > 1 && f.Rows < 20 }},
		"texts":            {`deny d if (events |> where contains(url ?? "", "x") |> count) > 9 offers wall` + "\n allow rest", func(f plan.Few) bool { return f.Rows > 1 && f.Rows < 120 }},
		"expressions":      {`deny d if (events |> where matches(url ?? "", "x") |> count) > 9 offers wall` + "\n allow rest", func(f plan.Few) bool { return f.Rows == 1 }},
		"of the request":   {`deny d if matches(request.url ?? "", "x") offers wall` + "\n allow rest", func(f plan.Few) bool { return f == plan.Few{} }},
		"by a segment":     {"deny d if s offers wall\n allow rest", func(f plan.Few) bool { return f.Rows == 1 }},
		"each before each": {"deny d if (events |> then (events |> where type == \"login\") within 1h |> count) > 9 offers wall\n allow rest", func(f plan.Few) bool { return f.Rows > 1 && f.Rows < 40 }},
	} {
		t.Run(name, func(t *testing.T) {
			p := check(meters+`segment s = (events |> where matches(url ?? "", "x") |> count) > 9`+"\naccess story {\n"+c.clauses+"\n}\n", schema.Limits{})
			if !p.OK() {
				t.Fatal(p.Render())
			}
			a := p.Plan.Access("story")
			if !c.want(a.Few) {
				t.Errorf("%+v", a.Few)
			}
			if a.FewWithSegments.Rows > 1 {
				t.Errorf("with all segments %+v", a.FewWithSegments)
			}
		})
	}
}
