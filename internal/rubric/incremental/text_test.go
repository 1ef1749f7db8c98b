package incremental

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/rubrictest"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

const ending = `
access story {
  deny  same   if (reads |> where item.section == request.item.section |> last D |> count) >= N
  deny  again  if (reads |> where item.id == request.item.id |> distinct day |> count) > N
  allow others
}
`

// text returns a program that was checked.
func (w *world) text() *plan.Program {
	text := rubrictest.Segments(w.pick) + rubrictest.Filled(ending, 0, w.pick)
	tree, wrong := parse.File(source.NewFile("home.rubric", text))
	s := schema.Default()
	s.Calendar, s.Window = w.calendar, w.window
	if len(wrong) == 0 {
		var p *plan.Program
		if p, wrong = check.Program([]*ast.Program{tree}, s); p != nil {
			return p
		}
	}
	panic(source.Render(wrong, tree.File))
}
