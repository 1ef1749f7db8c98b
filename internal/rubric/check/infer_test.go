package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/source"
)

// The types of properties, attributes and traits follow from their use, wherever
// it stands.
func TestInference(t *testing.T) {
	for text, want := range map[string]string{
		`events |> where properties.a > 3 |> any`:                                                                   "a decimal",
		`events |> where properties.a == "x" |> any`:                                                                "a text",
		`events |> where properties.a == true |> any`:                                                               "a boolean",
		`events |> where properties.a < 2026-03-01 |> any`:                                                          "a time",
		`events |> where properties.a < properties.b |> any`:                                                        "a decimal b decimal",
		`events |> where properties.a in ["x"] |> any`:                                                              "a text",
		`events |> where "x" in [properties.a] |> any`:                                                              "a text",
		`events |> where has properties.a and properties.a |> any`:                                                  "a boolean",
		`events |> where lower(properties.a ?? "") == "x" |> any`:                                                   "a text",
		`events |> where (properties.a ?? properties.b) == 3 |> any`:                                                "a decimal b decimal",
		`events |> where properties.a == properties.b and properties.b == "x" |> any`:                               "a text b text",
		`events |> where properties.a == properties.b and properties.b == properties.c and properties.a > 3 |> any`: "a decimal b decimal c decimal",
		`events |> where (if properties.a == 1 then properties.b else properties.c) == "x" |> any`:                  "a decimal b text c text",
		`events |> where (if properties.a == 1 then properties.b else "y") == "x" |> any`:                           "a decimal b text",
		`events |> where time - (properties.a ?? time) < 1d |> any`:                                                 "a time",
		`events |> where (properties.a ?? time) + 1d < time |> any`:                                                 "a time",
		`events |> where has properties.a and properties.a - 1d < time |> any`:                                      "a time",
		`events |> where has properties.a and has properties.b and properties.a + properties.b > 3 |> any`:          "a decimal b decimal",
		`events |> where has properties.a and -properties.a > 3 |> any`:                                             "a decimal",
		`events |> where max(properties.a ?? 0, 3) > 3 |> any`:                                                      "a decimal",
		`events |> where has properties.a and has properties.b and max(properties.a, properties.b) == 3 |> any`:     "a decimal b decimal",
		`events |> distinct properties.a |> count > 3`:                                                              "a any",
		`events |> where has properties.a |> any`:                                                                   "a any",
		`events |> where properties.a == properties.b |> any`:                                                       "a any b any",
		`(events |> latest properties.a) == (events |> first properties.b)`:                                         "a any b any",
		`(events |> latest properties.a) == "x"`:                                                                    "a text",
		`(events |> sum properties.a) > 3`:                                                                          "a decimal",
		`(events |> max properties.a) > 3`:                                                                          "a decimal",
		`events |> where properties.a != "x" |> where properties.segment == 3 |> any`:                               "a text segment decimal",
	} {
		p := rubric.Check([]*source.File{source.NewFile("main", "segment s = "+text)}, site())
		if !p.OK() {
			t.Errorf("%s:\n%s", text, p.Render())
			continue
		}
		got := ""
		for _, name := range p.Plan.Properties {
			got += fmt.Sprintf(" %s %s", name.Name, name.Type)
		}
		if diff := cmp.Diff(" "+want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		verify(t, p.Plan)
	}
}

// A use that says more may stand in another definition, and after the first.
func TestInferenceAcrossDefinitions(t *testing.T) {
	p := rubric.Check([]*source.File{source.NewFile("main", `
let near(rows, x, y) = rows |> where x == y
segment a = events |> near(properties.score, properties.goal) |> any
segment b = (events |> latest properties.goal) == reader.traits.plan
segment c = events |> where item.words == properties.goal |> any
segment d = reader.traits.plan == "gold"
`)}, site())
	if !p.OK() {
		t.Fatal(p.Render())
	}
	verify(t, p.Plan)
	got := fmt.Sprint(p.Plan.Properties, p.Plan.Attributes, p.Plan.Traits)
	if want := "[{goal text} {score text}] [{words text}] [{plan text}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A tree with gaps gives no plan, and nothing is said about what is not there.
func TestGaps(t *testing.T) {
	files, err := filepath.Glob("../parse/testdata/diagnostics/*.rubric")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := rubric.Check([]*source.File{source.NewFile("main", string(data))}, site())
		if p.OK() {
			t.Errorf("%s has a plan", name)
		}
	}
	for _, text := range []string{
		"segment = true", "let = 5", "meter m (limit: ) = burns |> per day |> distinct item", "access a { allow }", "access a { allow x if }", "access a { charge x price EUR }",
		"test { }", `test "t" { item { } }`, `test "t" { item a1.. { } }`, `test "t" { at 2026-03-01 read }`, `test "t" { at 2026-03-01 login }`, `test "t" { at expect true }`,
		"use", "segment a = events |>", "segment a = events |> where", "segment a = events |> then events", "let f(, b) = b\nsegment a = f(1)", "segment a = item.", "segment a = f(", "metric = 5",
	} {
		p := rubric.Check([]*source.File{source.NewFile("main", text)}, site())
		if p.OK() || len(p.Diagnostics) == 0 {
			t.Errorf("%s: ok %v\n%s", text, p.OK(), p.Render())
		}
		if len(p.Diagnostics) > 2 {
			t.Errorf("%s: one mistake has %d errors\n%s", text, len(p.Diagnostics), p.Render())
		}
	}
}
