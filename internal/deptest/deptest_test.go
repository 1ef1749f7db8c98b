// Package deptest keeps the arrows between packages pointing inward:
// app → roles → domains → engine, query → event. Each rule names its reason.
package deptest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/readership/readership/"

// rules list what a package and everything below it must not depend on, also
// not through others. Names are relative to the module; "…" alone stands for
// the whole module.
var rules = []struct {
	pkg, reason string
	forbidden   []string
}{
	{"internal/event", "everybody imports it, so it imports nobody",
		[]string{"…"}},
	{"internal/engine", "its state is a function of the log: it knows neither how messages are stored nor who asks",
		[]string{"internal/eventlog", "internal/query", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/query", "it reads immutable views: it must not reach the writer's side or a listener",
		[]string{"internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/eventlog", "the log outlives every engine that is fed from it",
		[]string{"internal/engine", "internal/query", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/cluster", "it carries what roles say to each other and knows none of them",
		[]string{"internal/engine", "internal/query", "internal/access", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/collect", "it turns bytes into events; facts and keys come through its own interfaces",
		[]string{"internal/query", "internal/edge", "internal/api", "internal/store", "internal/app"}},
	{"internal/enrich", "what it says follows from a request alone: whose site and which event, others know",
		[]string{"…"}},
	{"internal/jsontext", "texts are written alike wherever JSON leaves: it knows no place",
		[]string{"…"}},
	{"internal/rate", "it counts by key and by a clock that is passed in: whose key it is, others know",
		[]string{"…"}},
	{"internal/catalog", "it fetches pages and makes entries: who is told of a page, and where entries are kept, is not its question",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/store", "the application database knows no events",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/app"}},
	{"internal/auth", "keys are checked before anything else is known of a request",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/app"}},
	{"internal/identity", "it proves who a reader is from the request alone; what it is proof of, others keep",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/rubric", "a program means the same in a server, on the command line and in an editor",
		[]string{"internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/program", "it reads facts and makes plans: who may store a program is not its question",
		[]string{"internal/eventlog", "internal/query", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/segment", "what it keeps follows from the log and a program: who asks is not its question",
		[]string{"internal/eventlog", "internal/query", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/simulate", "it reads immutable views: it must not reach the writer's side or a listener",
		[]string{"internal/eventlog", "internal/query", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/access", "it decides from facts and proof: keys are checked and answers are written before and behind it",
		[]string{"internal/query", "internal/edge", "internal/api", "internal/store", "internal/app"}},
	{"internal/rubric/source", "every phase speaks of places in a text, so it knows no phase",
		[]string{"internal/rubric/token", "internal/rubric/lexer", "internal/rubric/ast", "internal/rubric/parse"}},
	{"internal/rubric/value", "evaluators, plans and the checker share it, so it knows none of them",
		[]string{"internal/rubric/source", "internal/rubric/ast", "internal/rubric/plan"}},
	{"internal/rubric/plan", "what runs a program must not depend on how it was written",
		[]string{"internal/rubric/lexer", "internal/rubric/ast", "internal/rubric/parse", "internal/rubric/format", "internal/rubric/check"}},
	{"internal/rubric/check", "editors ask the checker: it must not know what they are",
		[]string{"internal/rubric/lsp", "internal/rubric/format"}},
	{"internal/rubric/repl", "a conversation is text in, text out: who types, and where readers come from, is not its question",
		[]string{"internal/client", "internal/engine", "internal/query", "internal/rubric/lsp"}},
	{"internal/client", "commands talk to a running server over HTTP, as any client does",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/store", "internal/app", "internal/rubric/lsp"}},
	{"internal/rubric/ast", "a tree is what later phases read: they must not depend on how it was parsed",
		[]string{"internal/rubric/lexer", "internal/rubric/parse", "internal/rubric/format"}},
	{"internal/api", "roles meet in app, not each other",
		[]string{"internal/app"}},
	{"internal/edge", "roles meet in app, not each other",
		[]string{"internal/api", "internal/app"}},
	{"internal/edge/route", "tables are checked by who stores them and asked by who serves them: it knows neither",
		[]string{"internal/engine", "internal/eventlog", "internal/collect", "internal/access", "internal/edge/proxy", "internal/edge/gate", "internal/store"}},
	{"internal/edge/wire", "bytes of heads mean the same in every part of the edge: it knows none",
		[]string{"…"}},
	{"internal/edge/handover", "a connection is handed on whatever it is for",
		[]string{"…"}},
	{"internal/edge/downstream", "it serves a handler that it is given: what requests are for is not its question",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/access", "internal/edge/proxy", "internal/edge/route", "internal/edge/gate", "internal/store"}},
	{"internal/edge/upstream", "it asks whom it is told to ask: which origin, how often and for whom are not its questions",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/access", "internal/edge/proxy", "internal/edge/route", "internal/edge/gate", "internal/store"}},
	{"internal/edge/proxy", "it passes requests on: who decides about them and what is counted come through its own interfaces",
		[]string{"internal/query", "internal/edge/gate", "internal/store"}},
	{"internal/importer", "commands talk to a running server over HTTP, as any client does",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/store", "internal/app"}},
	{"internal/pagecheck", "it looks at a page from outside, as browsers and search engines do",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/collect", "internal/edge", "internal/api", "internal/store", "internal/auth", "internal/app"}},
	{"internal/load", "commands talk to a running server over HTTP, as any client does",
		[]string{"internal/engine", "internal/query", "internal/eventlog", "internal/store", "internal/app"}},
}

func TestArrowsPointInward(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Deps " "}}`, module+"internal/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		for _, rule := range rules {
			if !within(pkg, rule.pkg) {
				continue
			}
			seen[rule.pkg] = true
			for _, dep := range fields[1:] {
				name, ours := strings.CutPrefix(dep, module)
				for _, f := range rule.forbidden {
					if ours && (f == "…" && !within(name, rule.pkg) || within(name, f)) {
						t.Errorf("%s depends on %s: %s", pkg, name, rule.reason)
					}
				}
			}
		}
	}
	for _, rule := range rules {
		if !seen[rule.pkg] {
			t.Errorf("the rule for %s matches no package: take it out or mend it", rule.pkg)
		}
	}
}

func within(pkg, folder string) bool {
	return pkg == folder || strings.HasPrefix(pkg, folder+"/")
}

// Time is an input that comes from the log: two engines at one position answer
// the same, so nothing that makes their state or their answers may look at a
// clock of its own.
func TestEngineReadsNoClock(t *testing.T) {
	clock := map[string]bool{"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true, "Sleep": true}
	files := token.NewFileSet()
	for _, folder := range []string{"../engine", "../segment"} {
		readsNoClock(t, files, clock, folder)
	}
}

func readsNoClock(t *testing.T, files *token.FileSet, clock map[string]bool, folder string) {
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && clock[s.Sel.Name] {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "time" {
					t.Errorf("%s: time.%s", files.Position(s.Pos()), s.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
