package ast_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
)

var update = flag.Bool("update", false, "write the tree of now into testdata")

// everything has each kind of node.
const everything = `rubric 1
use "shared"
let f(a, b) = if not a.b == -1 ?? 0.5 then [events, now] else has "t" and true
segment s = f(x, named: 2) |> where a |> last 3d |> since 2026-03-01 |> per week |> distinct a, b
  |> then plans within 30m |> unless (plans) within 2h |> by a |> f(y) |> sum value
meter m (limit: 5, counts: engaged 10s) = burns |> from_first 7d |> distinct item
access story (fails: open) {
  charge bots if bot.verified burns m price 0.002 EUR offers page
}
metric n = events |> count
strategy home = blend { 3 * trending(), related() } |> where a |> boost 1.5 if b |> at_most 2 per c |> pin d at 1 |> take 10
test "t" {
  site { timezone: "Europe/Berlin" }
  item a1..a6 { kind: "article" }
  reader { registered: true }
  at 2026-03-01T10:00 read a1, a2 through story
  at 2026-03-01T10:01 event "plans_opened" { value: 3 }
  at 2026-03-01T10:02 login "acc"
  at 2026-03-01T10:03 logout
  at 2026-03-01T10:04 expect story(a1) == allow again
}
`

func mustParse(t *testing.T, text string) *ast.Program {
	f := source.NewFile("p", text)
	program, diagnostics := parse.File(f)
	if len(diagnostics) > 0 {
		t.Fatal(source.Render(diagnostics, f))
	}
	return program
}

// Walk visits all nodes that the tree holds, each once and in order.
func TestWalkVisitsAll(t *testing.T) {
	program := mustParse(t, everything)
	var want []ast.Node
	collect(reflect.ValueOf(program), &want)
	var got []ast.Node
	ast.Walk(program, func(n ast.Node) bool {
		got = append(got, n)
		return true
	})
	if len(got) != len(want) {
		t.Errorf("%d nodes visited of %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("node %d is %T %v, want %T %v", i, got[i], got[i].Range(), want[i], want[i].Range())
		}
	}
	kinds := map[reflect.Type]bool{}
	for _, n := range got {
		kinds[reflect.TypeOf(n)] = true
	}
	if len(kinds) != 55 {
		t.Errorf("%d kinds of nodes, want all 55", len(kinds))
	}
}

// collect finds nodes by reflection, in the order of fields.
func collect(v reflect.Value, nodes *[]ast.Node) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), nodes)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), nodes)
		}
	case reflect.Pointer:
		n, ok := v.Interface().(ast.Node)
		if !ok || v.IsNil() {
			return
		}
		*nodes = append(*nodes, n)
		for i := range v.Elem().NumField() {
			if v.Elem().Type().Field(i).IsExported() {
				collect(v.Elem().Field(i), nodes)
			}
		}
	}
}

// What Walk does not enter it does not visit.
func TestWalkStops(t *testing.T) {
	n := 0
	ast.Walk(mustParse(t, everything), func(node ast.Node) bool {
		n++
		_, program := node.(*ast.Program)
		return program
	})
	if n != 10 {
		t.Errorf("%d nodes, want the program, its version and 8 declarations", n)
	}
}

// A child lies within its parent, and spans are what is written there.
func TestSpans(t *testing.T) {
	program := mustParse(t, everything)
	names := map[string]bool{}
	ast.Walk(program, func(n ast.Node) bool {
		ast.Walk(n, func(child ast.Node) bool {
			if p, c := n.Range(), child.Range(); c.Start < p.Start || c.End > p.End || c.Start >= c.End {
				t.Errorf("%T %v in %T %v", child, c, n, p)
			}
			return child == n
		})
		if name, ok := n.(*ast.Name); ok {
			names[name.Text] = true
			if got := program.File.Slice(name.Span); got != name.Text {
				t.Errorf("span of the name %s is %q", name.Text, got)
			}
		}
		return true
	})
	if !names["named"] || !names["story"] || !names["EUR"] {
		t.Errorf("names %v", names)
	}
}

func TestJSON(t *testing.T) {
	tree, err := mustParse(t, "segment a = (events |> where path == \"é\" and x == 0.50) |> count >= 2d -- c\n").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, tree, "", "  "); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	const golden = "testdata/tree.json"
	if *update {
		if err := os.WriteFile(golden, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(data)+"\n"); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The JSON of every kind of node is JSON, and names its kind first.
func TestJSONOfEverything(t *testing.T) {
	data, err := json.Marshal(mustParse(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if kind, ok := v["node"].(string); ok {
				kinds[kind] = true
			}
			for _, child := range v {
				visit(child)
			}
		case []any:
			for _, child := range v {
				visit(child)
			}
		}
	}
	visit(tree)
	for _, kind := range []string{"program", "version", "from_first", "at_most", "expect_step", "site_setup", "verdict", "end", "price"} {
		if !kinds[kind] {
			t.Errorf("no %s in %v", kind, kinds)
		}
	}
}

// A time without an offset is what the clock of the site shows.
func TestTimeIn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	program := mustParse(t, "let a = [2026-07-01T10:00, 2026-07-01T10:00Z]")
	items := program.Decls[0].(*ast.Let).Body.(*ast.List).Items
	for i, want := range []string{"2026-07-01T10:00:00+02:00", "2026-07-01T12:00:00+02:00"} {
		if got := items[i].(*ast.Time).In(berlin).Format(time.RFC3339); got != want {
			t.Errorf("%s is %s in Berlin, want %s", items[i].(*ast.Time).Raw, got, want)
		}
	}
}
