package testblock_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/testblock"
)

// Whatever the checker lets through can be said in English, its tests run, and
// each of its definitions has a value and an explanation for a reader of whom
// nothing is known.
func FuzzProgram(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.rubric", "../explain/testdata/programs/*.rubric"} {
		for _, name := range glob(f, pattern) {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8<<10 {
			return
		}
		s := schema.Default()
		s.Limits.Nodes, s.Limits.Stages = 500, 100 // so that no input takes long
		p := rubric.CheckText(map[string]string{"main": text}, s)
		if !p.OK() {
			return
		}
		explain.Program(p.Plan)
		if _, err := testblock.Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		v := &fold.View{Program: p.Plan, Now: 1772355600000, Items: memory.Items{}, Profile: &memory.Profile{}, Burns: memory.Burns{}, Item: "a"}
		v.Segments()
		var said []any
		for _, g := range p.Plan.Segments {
			said = append(said, explain.Member(v, g.ID, 1))
		}
		for _, m := range p.Plan.Meters {
			said = append(said, explain.MeterState(v, m.ID))
		}
		for _, a := range p.Plan.Accesses {
			said = append(said, explain.Decide(v, a.ID, 1))
		}
		if _, err := json.Marshal(said); err != nil {
			t.Fatal(err)
		}
	})
}
