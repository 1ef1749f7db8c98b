package main

import (
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"go.lsp.dev/jsonrpc2"
)

// process is a program whose standard input and output are a stream.
type process struct {
	io.WriteCloser
	io.Reader
}

// A conversation with the program itself, over its standard input and output.
func TestLanguageServer(t *testing.T) {
	cmd := exec.Command("readership", "rubric", "lsp", "--stdio", "--timezone", "Europe/Berlin")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 10)
	conn := jsonrpc2.NewConn(jsonrpc2.NewStream(process{in, out}))
	conn.Go(t.Context(), func(_ context.Context, r *jsonrpc2.Request) (any, error) {
		said <- r.Method() + " " + string(r.Params())
		return nil, nil
	})
	call := func(method, params string) string {
		t.Helper()
		var result json.RawMessage
		if _, err := conn.Call(t.Context(), method, json.RawMessage(params), &result); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		return string(result)
	}
	notify := func(method, params string) {
		t.Helper()
		if err := conn.Notify(t.Context(), method, json.RawMessage(params)); err != nil {
			t.Fatal(err)
		}
	}
	if got := call("initialize", `{"processId":null,"rootUri":null,"capabilities":{}}`); !strings.Contains(got, `"positionEncoding":"utf-16"`) {
		t.Errorf("initialize: %s", got)
	}
	notify("initialized", `{}`)
	const doc = `"textDocument":{"uri":"untitled:one"}`
	notify("textDocument/didOpen", `{"textDocument":{"uri":"untitled:one","languageId":"rubric","version":1,"text":"let smile = \"😀\" == \"\" or nothing\n"}}`)
	if got := <-said; !strings.Contains(got, "unknown name `nothing`") || !strings.Contains(got, `"start":{"line":0,"character":26}`) {
		t.Errorf("diagnostics: %s", got)
	}
	notify("textDocument/didChange", `{"textDocument":{"uri":"untitled:one","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":13},"end":{"line":0,"character":15}},"text":"é"},{"text":"segment a = events |> any\n"}]}`)
	if got := <-said; !strings.Contains(got, `"diagnostics":[]`) || !strings.Contains(got, `"version":2`) {
		t.Errorf("diagnostics: %s", got)
	}
	if got := call("textDocument/completion", `{`+doc+`,"position":{"line":0,"character":22}}`); !strings.Contains(got, `"label":"where"`) {
		t.Errorf("completion: %s", got)
	}
	if got := call("textDocument/hover", `{`+doc+`,"position":{"line":0,"character":8}}`); !strings.Contains(got, "µs an event") {
		t.Errorf("hover: %s", got)
	}
	call("shutdown", "null")
	notify("exit", "null")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ends with %v", err)
	}
}
