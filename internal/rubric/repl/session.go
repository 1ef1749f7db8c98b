// Package repl is a conversation about a program: text in, text out. A Session
// has a program and a world with one reader (package testblock); what is typed is
// an expression, steps of a test, lines about the test's world, definitions, or a
// command that begins with a colon.
//
//	text ─► parse.Prompt ─► check ─► plan ─► testblock.World ─► explain ─► text
package repl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/testblock"
)

// Config says what a session begins with and what it can ask for.
type Config struct {
	Schema *schema.Schema // not changed
	Now    int64          // Unix milliseconds

	// Files reads the files of a program, the main one first; nil: there are none.
	Files func(name string) ([]*source.File, error)
	// Reader reads a reader of a running site, who is the session's from then on;
	// nil: there are none.
	Reader func(ctx context.Context, name string) (*memory.Reader, error)
	// Item reads an item of a running site, nil for an unknown one; nil: there are
	// none.
	Item func(ctx context.Context, id string) (*event.Item, error)
}

// Reply is what a session says to a text.
type Reply struct {
	Text   string // lines, "" for nothing
	Open   bool   // the text may go on in the next line; nothing was done
	Failed bool   // Text says what is wrong
	Quit   bool
}

// Session is one conversation. It is for one goroutine.
type Session struct {
	config Config
	schema schema.Schema
	trees  []*ast.Program // of the program, without tests: each is taken in
	main   int            // how many of the trees are from files; the rest was typed
	world  *testblock.World
	items  []string // of the world
	attrs  []string // that items have, of the world and of the program's tests
	site   *remote

	now      int64 // at which is asked
	last     int64 // of the last step
	rows     int   // that steps have made
	inputs   int
	previous string // the last text that was no command
}

// New begins a session with a program, which may have no files, and a new
// reader. The program has no errors.
func New(config Config, program *rubric.Program) *Session {
	s := &Session{config: config, schema: *config.Schema, now: config.Now, site: &remote{read: config.Item, known: map[string]*event.Item{}}}
	s.begin(nil)
	if program != nil {
		s.take(program)
	}
	return s
}

// begin starts anew with a reader, nil for one of whom nothing is known.
func (s *Session) begin(r *memory.Reader) {
	s.world = testblock.NewWorld(&plan.Test{})
	s.last, s.rows, s.items = 0, 0, nil
	if r != nil {
		s.world = testblock.WorldOf(r)
		if n := len(r.Rows); n > 0 {
			s.last = r.Rows[n-1].Time()
		}
	}
	if s.config.Item != nil {
		s.world.Elsewhere = s.site
	}
}

// take makes a program that of the session.
func (s *Session) take(p *rubric.Program) {
	s.trees, s.attrs = nil, append([]string{}, p.Schema.Attributes...)
	for _, t := range p.Trees {
		s.trees = append(s.trees, only(t, func(d ast.Decl) bool {
			test, ok := d.(*ast.Test)
			if ok {
				s.attrs = append(s.attrs, attributes(test.Setup)...)
			}
			return !ok
		}))
	}
	s.main = len(s.trees)
}

// only returns a tree with some of its declarations.
func only(t *ast.Program, keep func(ast.Decl) bool) *ast.Program {
	out := *t
	out.Decls = nil
	for _, d := range t.Decls {
		if keep(d) {
			out.Decls = append(out.Decls, d)
		}
	}
	return &out
}

// attributes returns those that the items of a test have.
func attributes(setup []ast.Setup) (out []string) {
	for _, line := range setup {
		if i, ok := line.(*ast.ItemSetup); ok {
			for _, e := range i.Entries {
				if _, isField := plan.FieldByName(e.Key.Text); !isField {
					out = append(out, e.Key.Text)
				}
			}
		}
	}
	return out
}

// Enter answers a text of one line or several. last tells that no line follows:
// then nothing is Open.
func (s *Session) Enter(ctx context.Context, text string, last bool) Reply {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return Reply{}
	case strings.HasPrefix(trimmed, ":"):
		return s.command(ctx, trimmed)
	}
	if strings.HasPrefix(trimmed, "|>") && s.previous != "" {
		text = s.previous + "\n" + text
	}
	file := source.NewFile(fmt.Sprintf("input%d", s.inputs+1), text)
	line, diagnostics := parse.Prompt(file, s.instant())
	if line.Open && !last {
		return Reply{Open: true}
	}
	s.inputs++
	if len(text) <= source.MaxBytes/16 { // what is continued again and again
		s.previous = text
	}
	if source.HasErrors(diagnostics) {
		return s.failed(diagnostics, file)
	}
	return s.site.during(ctx, func() Reply { return s.answer(ctx, file, line) })
}

// instant is the session's now as it is written in a step.
func (s *Session) instant() *ast.Time {
	return &ast.Time{Value: time.UnixMilli(s.now).UTC(), Offset: true}
}

// answer does what a line says.
func (s *Session) answer(ctx context.Context, file *source.File, line *parse.Line) Reply {
	switch {
	case line.Decls != nil:
		return s.define(ctx, file, line.Decls)
	case line.Setup != nil:
		return s.setUp(file, line.Setup)
	case line.Steps != nil:
		return s.steps(file, line.Steps)
	case line.Expr != nil:
		return s.value(file, line.Expr)
	default:
		return Reply{} // a comment
	}
}

// failed says diagnostics with the lines that they speak of.
func (s *Session) failed(diagnostics []source.Diagnostic, typed ...*source.File) Reply {
	return Reply{Text: source.Render(diagnostics, append(typed, files(s.trees)...)...), Failed: true}
}

// warnings says what is to be said about what was typed; the rest was said
// before.
func (s *Session) warnings(diagnostics []source.Diagnostic, file *source.File) string {
	var about []source.Diagnostic
	for _, d := range diagnostics {
		if d.File == file.Name {
			about = append(about, d)
		}
	}
	return s.failed(about, file).Text
}

func files(trees []*ast.Program) (out []*source.File) {
	for _, t := range trees {
		out = append(out, t.File)
	}
	return out
}

func wrong(format string, args ...any) Reply {
	return Reply{Text: "error: " + fmt.Sprintf(format, args...) + "\n", Failed: true}
}
