package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/format"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/testblock"
)

const rubricAbout = `Works on programs in Rubric, without a server.

  readership rubric check home.rubric
  readership rubric test home.rubric
  readership rubric fmt --check *.rubric
  readership rubric explain home.rubric
  readership rubric repl home.rubric

A program begins with the first FILE. What it takes in with use "shared" is
among the other files, or is shared.rubric in the folder of the first.
- is standard input.`

// rubricCommands are in the order of the help.
var rubricCommands = []struct {
	name string
	run  func(ctx context.Context, c console, args []string) error
}{
	{"check", rubricCheck}, {"test", rubricTest}, {"fmt", rubricFormat}, {"explain", rubricExplain}, {"repl", rubricTalk}, {"lsp", rubricLanguageServer},
}

// rubricWord runs what stands behind `rubric`.
func rubricWord(ctx context.Context, c console, args []string) error {
	if len(args) > 0 {
		for _, cmd := range rubricCommands {
			if cmd.name == args[0] {
				return cmd.run(ctx, c, args[1:])
			}
		}
	}
	f := newFlags(c, "rubric", "check|test|fmt|explain|repl|lsp [FILE…]", rubricAbout)
	rest, err := f.parse(args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return usagef("rubric has no command %q: there are check, test, fmt, explain, repl and lsp", rest[0])
	default:
		return usagef("say what to do: check, test, fmt, explain, repl or lsp")
	}
}

// program reads and checks the program of a command's arguments.
func (s *siteFlags) program(ctx context.Context, c console, names []string) (*rubric.Program, error) {
	if len(names) == 0 {
		return nil, usagef("name the file of a program")
	}
	site, _, err := s.schema(ctx, c)
	if err != nil {
		return nil, err
	}
	files, err := programFiles(c, names)
	if err != nil {
		return nil, err
	}
	return rubric.Check(files, site), nil
}

// programFiles reads the files of a program, those that it takes in from beside
// the first included.
func programFiles(c console, names []string) ([]*source.File, error) {
	var files []*source.File
	known := map[string]bool{}
	for _, name := range names {
		f, err := readProgram(c, name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		known[bareName(f.Name)] = true
	}
	for i := 0; i < len(files); i++ {
		for _, use := range uses(files[i]) {
			beside := filepath.Join(filepath.Dir(names[0]), use+".rubric")
			if _, err := os.Stat(beside); err != nil || known[use] {
				continue // a file that is nowhere is an error of the program
			}
			f, err := readProgram(c, beside)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
			known[use] = true
		}
	}
	return files, nil
}

func bareName(name string) string { return strings.TrimSuffix(filepath.Base(name), ".rubric") }

// uses returns the files that a file takes in.
func uses(f *source.File) []string {
	tree, _ := parse.File(f)
	var out []string
	for _, d := range tree.Decls {
		if u, ok := d.(*ast.Use); ok && u.File != nil && u.File.Value == filepath.Base(u.File.Value) {
			out = append(out, bareName(u.File.Value))
		}
	}
	return out
}

// readProgram reads a file of a program, whatever its size: the parser says if
// it is too large.
func readProgram(c console, name string) (*source.File, error) {
	if name == "-" {
		data, err := io.ReadAll(io.LimitReader(c.in, 2*source.MaxBytes))
		return source.NewFile("stdin", string(data)), err
	}
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, 2*source.MaxBytes))
	return source.NewFile(name, string(data)), err
}

// problems counts what was said about a program.
func problems(diagnostics []source.Diagnostic) (errs int) {
	for _, d := range diagnostics {
		if d.Severity == source.Error {
			errs++
		}
	}
	return errs
}

// refuse prints what is wrong with a program and returns the error of the
// command, nil if nothing is wrong.
func refuse(c console, p *rubric.Program) error {
	fmt.Fprint(c.err, p.Render())
	if p.OK() {
		return nil
	}
	return errors.New(plural(problems(p.Diagnostics), "error"))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func rubricCheck(ctx context.Context, c console, args []string) error {
	var site siteFlags
	var asJSON, tree bool
	f := newFlags(c, "rubric check", "FILE… [--json] [--ast] [--server URL --site SITE | --timezone ZONE --window SPAN]", "Says every error and warning of a program, and what each definition costs.")
	site.add(f)
	f.BoolVar(&asJSON, "json", false, "print errors and warnings as JSON")
	f.BoolVar(&tree, "ast", false, "print the syntax trees as JSON, by the names of their files, in place of costs")
	rest, err := f.parse(args)
	switch {
	case err != nil:
		return err
	case tree && asJSON:
		return usagef("--json and --ast print two different things")
	}
	p, err := site.program(ctx, c, rest)
	if err != nil {
		return err
	}
	if !asJSON {
		if err := refuse(c, p); err != nil {
			return err
		}
		if tree {
			return writeJSON(c.out, treesOf(p))
		}
		return writeCosts(c.out, p.Plan)
	}
	if p.Diagnostics == nil {
		p.Diagnostics = []source.Diagnostic{}
	}
	if err := writeJSON(c.out, p.Diagnostics); err != nil {
		return err
	}
	if !p.OK() {
		return errors.New(plural(problems(p.Diagnostics), "error"))
	}
	return nil
}

// treesOf returns the syntax trees of a program by the names of their files.
func treesOf(p *rubric.Program) map[string]*ast.Program {
	out := map[string]*ast.Program{}
	for _, t := range p.Trees {
		out[t.File.Name] = t
	}
	return out
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeCosts prints what each definition costs.
func writeCosts(w io.Writer, p *plan.Program) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "definition\trows\tbytes/reader\tµs/event\tshares")
	line := func(word, name string, c *plan.Cost) {
		fmt.Fprintf(t, "%s %s\t%d\t%d\t%.1f\t%s\n", word, name, c.Rows, c.BytesPerReader, float64(c.NanosPerEvent)/1000, strings.Join(c.Shares, ", "))
	}
	for _, s := range p.Segments {
		line("segment", s.Name, &s.Cost)
	}
	for _, m := range p.Meters {
		line("meter", m.Name, &m.Cost)
	}
	for _, a := range p.Accesses {
		line("access", a.Name, &a.Cost)
	}
	for _, m := range p.Metrics {
		line("metric", m.Name, &m.Cost)
	}
	return t.Flush()
}

// checkedProgram parses the arguments of a command and returns its program, which
// has no errors.
func checkedProgram(ctx context.Context, c console, command, about string, args []string) (*rubric.Program, error) {
	var site siteFlags
	f := newFlags(c, command, "FILE…", about)
	site.add(f)
	rest, err := f.parse(args)
	if err != nil {
		return nil, err
	}
	p, err := site.program(ctx, c, rest)
	if err != nil {
		return nil, err
	}
	return p, refuse(c, p)
}

func rubricTest(ctx context.Context, c console, args []string) error {
	p, err := checkedProgram(ctx, c, "rubric test", "Runs the test blocks of a program and says what was found in place of what was expected, and why.", args)
	if err != nil {
		return err
	}
	failed, expects := 0, 0
	results, err := testblock.Run(ctx, p)
	if err != nil {
		return err
	}
	for _, r := range results {
		word := "ok  "
		if !r.OK() {
			word = "FAIL"
			failed++
		}
		expects += r.Expects
		fmt.Fprintf(c.out, "%s  %s\n%s", word, r.Title, source.Render(r.Failures, p.Files...))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, plural(len(results), "test"))
	}
	fmt.Fprintf(c.out, "%s, %s\n", plural(len(results), "test"), plural(expects, "expectation"))
	return nil
}

func rubricFormat(_ context.Context, c console, args []string) error {
	var check, tree bool
	f := newFlags(c, "rubric fmt", "FILE… [--check] [--ast]", "Writes files in the canonical layout, in place; standard input goes to standard output.")
	f.BoolVar(&check, "check", false, "change nothing, name the files that are laid out otherwise")
	f.BoolVar(&tree, "ast", false, "print the syntax tree of one file as JSON instead")
	rest, err := f.parse(args)
	switch {
	case err != nil:
		return err
	case len(rest) == 0:
		return usagef("name the files to format")
	case tree && (check || len(rest) > 1):
		return usagef("--ast prints the tree of one file, without --check")
	}
	errs, other := 0, 0
	for _, name := range rest {
		file, err := readProgram(c, name)
		if err != nil {
			return err
		}
		if tree {
			return printTree(c, file)
		}
		text, diagnostics := format.Source(file)
		fmt.Fprint(c.err, source.Render(diagnostics, file))
		switch {
		case source.HasErrors(diagnostics):
			errs += problems(diagnostics)
		case check && text != file.Text:
			fmt.Fprintln(c.out, name)
			other++
		case check:
		case name == "-":
			fmt.Fprint(c.out, text)
		case text != file.Text:
			if err := replaceFile(name, text); err != nil {
				return err
			}
		}
	}
	switch {
	case errs > 0:
		return errors.New(plural(errs, "error"))
	case other > 0:
		return fmt.Errorf("%s not in the canonical layout", plural(other, "file"))
	}
	return nil
}

// printTree prints the syntax tree of a file.
func printTree(c console, file *source.File) error {
	program, diagnostics := parse.File(file)
	fmt.Fprint(c.err, source.Render(diagnostics, file))
	if n := problems(diagnostics); n > 0 {
		return errors.New(plural(n, "error"))
	}
	return writeJSON(c.out, program)
}

// replaceFile writes a file anew beside the old one, so that neither is lost,
// and keeps its mode.
func replaceFile(name, text string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(name), ".rubric-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // gone already once it was renamed
	_, err = io.Copy(next, bytes.NewReader([]byte(text)))
	err = errors.Join(err, next.Chmod(info.Mode().Perm()), next.Sync(), next.Close())
	if err != nil {
		return err
	}
	return os.Rename(next.Name(), name)
}

func rubricExplain(ctx context.Context, c console, args []string) error {
	p, err := checkedProgram(ctx, c, "rubric explain", "Says in plain English what a program means.", args)
	if err != nil {
		return err
	}
	fmt.Fprint(c.out, explain.Program(p.Plan))
	return nil
}
