package repl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
)

const help = `An expression     its value, type, reason and cost: reader.registered, monthly.left, story(a1),
                  events |> last 7d |> count
A step of a test  it happens: read a1, a2 · event "plans_opened" { country: "DE" } ·
                  login "anna" · logout · expect CONDITION, each with "at TIME" before it or now
Lines of a test   site { … } · item a1..a6 { … } · reader { registered: true }
A definition      let, segment, meter, access, metric: added, or in place of the one of its name;
                  a test is run in a world of its own
|> STAGE          goes on with what was typed last
:at TIME          the time that is asked about: 2026-03-01T10:00, or +2h from now on
:explain E        what an expression or definition means
:type E           the type of an expression
:load FILE        another program
:reader R         device:ID or account:ID of the site of --site; alone: a new reader
:help, :quit

Text may go on in the next line where it is not complete; an empty line ends it.
`

// command does what a line that begins with a colon says.
func (s *Session) command(ctx context.Context, line string) Reply {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case ":help", ":h", ":?":
		return Reply{Text: help}
	case ":quit", ":q":
		return Reply{Quit: true}
	case ":at":
		return s.at(rest)
	case ":load":
		return s.load(rest)
	case ":reader":
		return s.meet(ctx, rest)
	case ":type":
		return s.expression(ctx, rest, s.typeOf)
	case ":explain":
		return s.expression(ctx, rest, s.explain)
	}
	words := []string{":help", ":quit", ":at", ":load", ":reader", ":type", ":explain"}
	if hint := source.DidYouMean(word, words); hint != "" {
		return wrong("there is no command %s: %s", word, hint)
	}
	return wrong("there is no command %s: see :help", word)
}

// at moves the time that is asked about.
func (s *Session) at(text string) Reply {
	if after, ok := strings.CutPrefix(text, "+"); ok {
		d, err := event.ParseDuration(after)
		if err != nil || d <= 0 || s.now+d.Milliseconds() < s.now {
			return wrong("%q is no duration: write +2h", text)
		}
		s.now += d.Milliseconds()
	} else if text != "" {
		// A time stands where a step says when it happens.
		line, diagnostics := parse.Prompt(source.NewFile("time", "at "+text+" logout"), s.instant())
		if len(diagnostics) > 0 || len(line.Steps) != 1 {
			return wrong("%q is no time: write 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00+01:00", text)
		}
		s.now = line.Steps[0].Instant().In(s.schema.Calendar.Zone).UnixMilli()
	}
	return Reply{Text: "It is " + s.stampNow() + ".\n"}
}

// load takes another program; what was typed of the one before is forgotten.
func (s *Session) load(name string) Reply {
	switch {
	case name == "":
		return wrong("name a file: `:load FILE`")
	case s.config.Files == nil:
		return wrong("no files can be read here")
	}
	read, err := s.config.Files(name)
	if err != nil {
		return wrong("%v", err)
	}
	p := rubric.Check(read, &s.schema)
	if p.OK() {
		s.take(p)
	}
	return Reply{Text: p.Render(), Failed: !p.OK()}
}

// meet goes on with another reader.
func (s *Session) meet(ctx context.Context, name string) Reply {
	switch {
	case name == "":
		s.begin(nil)
		return Reply{Text: "A new reader.\n"}
	case s.config.Reader == nil:
		return wrong("readers are those of a server: begin with --site")
	}
	r, err := s.config.Reader(ctx, name)
	if err != nil {
		return wrong("%v", err)
	}
	s.begin(r)
	text := fmt.Sprintf("%s, %s.\n", r.Name, plural(len(r.Rows), "row"))
	if s.now < s.last {
		s.now = s.last
		text += "It is " + s.stampNow() + ".\n"
	}
	return Reply{Text: text}
}

// expression parses the operand of a command.
func (s *Session) expression(ctx context.Context, text string, answer func(*source.File, ast.Expr) Reply) Reply {
	const hint = "an expression stands behind it, such as `:explain monthly.left`"
	if text == "" {
		return wrong(hint)
	}
	file := source.NewFile("input", text)
	line, diagnostics := parse.Prompt(file, s.instant())
	switch {
	case source.HasErrors(diagnostics):
		return s.failed(diagnostics, file)
	case line.Expr == nil:
		return wrong(hint)
	}
	return s.site.during(ctx, func() Reply { return answer(file, line.Expr) })
}

func (s *Session) typeOf(file *source.File, e ast.Expr) Reply {
	p, a, diagnostics := s.ask(file, e)
	if p == nil {
		return s.failed(diagnostics, file)
	}
	said := map[check.AnswerKind]string{check.OfRows: "rows", check.OfMeter: "meter", check.OfDecision: "decision"}[a.Kind]
	if a.Kind == check.OfValue {
		if said = a.Expr.Type.String(); a.Expr.Optional {
			said += ", may be missing"
		}
	}
	return Reply{Text: s.warnings(diagnostics, file) + said + "\n"}
}

// explain says what an expression or definition means.
func (s *Session) explain(file *source.File, e ast.Expr) Reply {
	if id, ok := e.(*ast.Ident); ok {
		if p, _ := s.compile(story{file: file}); p != nil {
			if m := p.Metric(id.Name); m != nil {
				return Reply{Text: explain.OfMetric(p, m) + "\n"}
			}
			if a := p.Access(id.Name); a != nil {
				return Reply{Text: explain.OfAccess(p, a)}
			}
			if g := p.Segment(id.Name); g != nil {
				return Reply{Text: explain.OfSegment(p, g) + "\n"}
			}
			if m := p.Meter(id.Name); m != nil {
				return Reply{Text: explain.OfMeter(p, m)}
			}
		}
	}
	p, a, diagnostics := s.ask(file, e)
	switch {
	case p == nil:
		return s.failed(diagnostics, file)
	case a.Kind == check.OfDecision:
		return Reply{Text: s.show(p, a)}
	default: // of rows their number
		return Reply{Text: explain.OfExpr(p, a.Expr) + "\n"}
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
