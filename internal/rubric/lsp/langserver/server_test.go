package langserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/rubric/schema"
)

// editor is a client that speaks the protocol byte by byte, so that it can speak
// it wrongly too.
type editor struct {
	t    *testing.T
	conn net.Conn
	in   chan map[string]any // what the server says
	done chan error          // of Run
	id   int
}

// start serves an editor in a bubble of synctest.
func start(t *testing.T, c Config) *editor {
	t.Helper()
	ours, theirs := net.Pipe()
	e := &editor{t: t, conn: ours, in: make(chan map[string]any, 100), done: make(chan error, 1)}
	if c.Schema == nil {
		c.Schema = schema.Default()
	}
	go func() { e.done <- Run(t.Context(), theirs, c) }()
	go e.read()
	return e
}

func (e *editor) read() {
	defer close(e.in)
	r := bufio.NewReader(e.conn)
	for {
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			return
		}
		n, _ := strconv.Atoi(header.Get("Content-Length"))
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			m = map[string]any{"unreadable": string(body)}
		}
		e.in <- m
	}
}

func (e *editor) raw(body string) {
	e.t.Helper()
	if _, err := fmt.Fprintf(e.conn, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) notify(method, params string) {
	e.t.Helper()
	e.raw(`{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`)
}

// call returns the answer to a request, with what came before it left in place.
func (e *editor) call(method, params string) map[string]any {
	e.t.Helper()
	e.id++
	e.raw(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, e.id, method, params))
	for m := range e.in {
		if m["id"] == float64(e.id) {
			return m
		}
		if m["method"] == nil {
			e.t.Fatalf("unexpected %v", m)
		}
	}
	e.t.Fatalf("no answer to %s", method)
	return nil
}

// code returns the code of an error.
func code(m map[string]any) float64 {
	err, _ := m["error"].(map[string]any)
	c, _ := err["code"].(float64)
	return c
}

// end leaves as the protocol says and waits for the server.
func (e *editor) end() {
	e.t.Helper()
	if m := e.call("shutdown", "null"); m["error"] != nil {
		e.t.Errorf("shutdown: %v", m)
	}
	e.notify("exit", "null")
	if err := <-e.done; err != nil {
		e.t.Errorf("the server ends with %v", err)
	}
}

const uri = `"uri":"file:///p/main.rubric"`

func opened(version int, text string) string {
	q, _ := json.Marshal(text)
	return fmt.Sprintf(`{"textDocument":{%s,"languageId":"rubric","version":%d,"text":%s}}`, uri, version, q)
}

// diagnostics waits until nothing happens and returns the newest diagnostics.
func (e *editor) diagnostics() (version float64, messages []string, times int) {
	e.t.Helper()
	time.Sleep(time.Second) // of the bubble
	synctest.Wait()
	for {
		select {
		case m := <-e.in:
			p, _ := m["params"].(map[string]any)
			if m["method"] != "textDocument/publishDiagnostics" {
				e.t.Fatalf("unexpected %v", m)
			}
			version, _ = p["version"].(float64)
			messages, times = []string{}, times+1
			for _, d := range p["diagnostics"].([]any) {
				messages = append(messages, d.(map[string]any)["message"].(string))
			}
		default:
			return version, messages, times
		}
	}
}

func TestConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Config{Version: "1"})
		m := e.call("initialize", `{"capabilities":{"general":{"positionEncodings":["utf-7","utf-8","utf-16"]}}}`)
		if got := m["result"].(map[string]any)["capabilities"].(map[string]any)["positionEncoding"]; got != "utf-8" {
			t.Errorf("counts in %v", got)
		}
		e.notify("initialized", "{}")
		e.notify("textDocument/didOpen", opened(1, "segment a = nothing and nobody\n"))
		if v, got, _ := e.diagnostics(); v != 1 || len(got) != 2 {
			t.Errorf("version %v: %q", v, got)
		}
		// A burst of typing is checked once, at its end.
		for i, letter := range []string{"e", "v", "e", "n", "t", "s", " |> any"} {
			from := i + 12
			e.notify("textDocument/didChange", fmt.Sprintf(`{"textDocument":{%s,"version":%d},"contentChanges":[{"range":{"start":{"line":0,"character":%d},"end":{"line":0,"character":%d}},"text":%q}]}`,
				uri, i+2, from, map[bool]int{true: 30, false: from}[i == 0], letter))
		}
		if v, got, times := e.diagnostics(); v != 8 || len(got) != 0 || times != 1 {
			t.Errorf("version %v: %q, %d times", v, got, times)
		}
		m = e.call("textDocument/completion", `{"textDocument":{`+uri+`},"position":{"line":0,"character":12}}`)
		if text, _ := json.Marshal(m["result"]); !strings.Contains(string(text), `"label":"reader"`) {
			t.Errorf("%s", text)
		}
		m = e.call("textDocument/hover", `{"textDocument":{`+uri+`},"position":{"line":0,"character":9}}`)
		if text, _ := json.Marshal(m["result"]); !strings.Contains(string(text), "Cost:") {
			t.Errorf("%s", text)
		}
		for _, method := range []string{"textDocument/documentSymbol", "textDocument/formatting", "textDocument/definition", "textDocument/references"} {
			if m := e.call(method, `{"textDocument":{`+uri+`},"position":{"line":0,"character":9},"context":{"includeDeclaration":true}}`); m["error"] != nil || m["result"] == nil {
				t.Errorf("%s: %v", method, m)
			}
		}
		if m := e.call("textDocument/rename", `{"textDocument":{`+uri+`},"position":{"line":0,"character":9},"newName":"item"}`); code(m) != -32803 {
			t.Errorf("%v", m)
		}
		e.notify("textDocument/didClose", `{"textDocument":{`+uri+`}}`)
		if _, got, times := e.diagnostics(); times != 1 || len(got) != 0 {
			t.Errorf("closed: %q", got)
		}
		e.end()
	})
}

// What is wrong with a request is answered, and the conversation goes on.
func TestWrongRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Config{})
		if m := e.call("textDocument/hover", `{}`); code(m) != -32002 {
			t.Errorf("before initialize: %v", m)
		}
		e.notify("textDocument/didOpen", opened(1, "x")) // nobody hears
		e.call("initialize", `{}`)
		if m := e.call("initialize", `{}`); code(m) != -32600 {
			t.Errorf("twice: %v", m)
		}
		for _, c := range []struct {
			method, params string
			code           float64
		}{
			{"textDocument/hover", `[]`, -32602}, {"textDocument/hover", `{"position":{"line":-1}}`, -32602}, {"textDocument/completion", `{"textDocument":7}`, -32602},
			{"textDocument/hover", `{}`, 0}, {"textDocument/completion", `{"textDocument":{"uri":"file:///nowhere"},"position":{"line":4000000000,"character":4000000000}}`, 0},
			{"workspace/symbol", `{}`, -32601}, {"$/unknown", `{}`, -32601}, {"", `{}`, -32601},
		} {
			if m := e.call(c.method, c.params); code(m) != c.code {
				t.Errorf("%s %s: %v", c.method, c.params, m)
			}
		}
		e.notify("textDocument/didChange", `{"textDocument":{"uri":"file:///nowhere"},"contentChanges":[{"text":"x"}]}`)
		e.notify("textDocument/didChange", `[[]]`)
		e.notify("$/cancelRequest", `{"id":1}`)
		for _, broken := range []string{`{`, `[]`, `7`, `{"jsonrpc":"1.0","id":1,"method":"x"}`, "\xff"} {
			e.raw(broken)
			select {
			case m, ok := <-e.in:
				if !ok || code(m) != -32700 && code(m) != -32600 {
					t.Fatalf("%s: %v, %v", broken, m, ok)
				}
			case <-time.After(time.Minute):
				t.Errorf("%s is not answered", broken)
			}
		}
		e.end()
	})
}

func TestLeavingWithoutShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Config{})
		e.call("initialize", `{}`)
		e.notify("exit", "null")
		if err := <-e.done; !errors.Is(err, ErrNoShutdown) {
			t.Errorf("%v", err)
		}
		e = start(t, Config{})
		e.call("initialize", `{}`)
		e.conn.Close()
		if err := <-e.done; err == nil {
			t.Error("no error")
		}
	})
}

// Names of a running server come once it answers; until then the default counts.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		e := start(t, Config{Live: func(context.Context) (*schema.Schema, map[string][]string, error) {
			if asked++; asked == 1 {
				return nil, nil, errors.New("nobody is there")
			}
			s := schema.Default()
			s.Properties = []string{"mood"}
			return s, map[string][]string{"properties.mood": {"good"}}, nil
		}})
		if m := <-e.in; m["method"] != "window/logMessage" {
			t.Errorf("%v", m)
		}
		e.call("initialize", `{}`)
		e.notify("textDocument/didOpen", opened(1, "segment a = events |> where properties.mood == \"\" or properties.mod == \"\" |> any"))
		if _, got, _ := e.diagnostics(); len(got) != 0 {
			t.Errorf("%q", got)
		}
		time.Sleep(LiveEvery)
		if _, got, _ := e.diagnostics(); len(got) != 1 || !strings.Contains(got[0], "properties.mood") {
			t.Errorf("%q", got)
		}
		m := e.call("textDocument/completion", `{"textDocument":{`+uri+`},"position":{"line":0,"character":48}}`)
		if text, _ := json.Marshal(m["result"]); !strings.Contains(string(text), `"label":"good"`) {
			t.Errorf("%s", text)
		}
		e.end()
	})
}
