package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/readership/readership/internal/app"
	"github.com/readership/readership/internal/client"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"readership": main})
}

const rootKey = "root-key-of-the-tests"

// TestScripts runs the commands of testdata/script. Beside testscript's own
// there are
//
//	server           starts a server on the folder data; $SERVER is its address
//	stop             drains it
//	site JSON        creates a site; $WRITE_KEY is its key
//	put PATH JSON    puts what belongs to the site news
//	get PATH         prints what belongs to the site news, as the server answers it
//	compress A B     writes A to B with gzip
//	append A B       writes what A holds to the end of B
//	truncate A       empties A
//	pages FOLDER     serves the files of a folder, in which $SERVER and $WRITE_KEY are
//	                 put in; $PAGES is their address
//	events N         waits until the site logs holds N events
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("READERSHIP_API_KEY", rootKey)
			env.Setenv("SHARED", os.Getenv("READERSHIP_SHARED"))
			env.Values[serverKey{}] = new(server)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"server": startServer, "stop": stopServer, "site": createSite, "put": put, "get": get, "compress": compress,
			"append": appendFile, "truncate": truncate, "events": awaitEvents, "pages": servePages,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "shared" {
				_, err := os.Stat(filepath.Join(os.Getenv("READERSHIP_SHARED"), "data", "README.md"))
				return os.Getenv("READERSHIP_SHARED") != "" && err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

type serverKey struct{}

// server is the one of a script.
type server struct {
	stop context.CancelFunc
	done chan error
}

func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: server")
	}
	s := ts.Value(serverKey{}).(*server)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan error, 1)
	started := make(chan net.Addr, 1)
	go func() {
		s.done <- app.Run(ctx, app.Config{Data: ts.MkAbs("data"), Listen: "127.0.0.1:0", RootKey: rootKey, Now: time.Now, Random: rand.Reader,
			Started: func(a, _ net.Addr) { started <- a }})
	}()
	select {
	case a := <-started:
		ts.Setenv("SERVER", "http://"+a.String())
	case err := <-s.done:
		ts.Fatalf("server: %v", err)
	}
	ts.Defer(func() {
		cancel()
		if s.done != nil {
			<-s.done
		}
	})
}

func stopServer(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	s.stop()
	err := <-s.done
	s.done = nil
	ts.Check(err)
}

func createSite(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: site JSON")
	}
	c, err := client.New(ts.Getenv("SERVER"), rootKey)
	ts.Check(err)
	defer c.Close()
	var out struct {
		WriteKey string `json:"write_key"`
	}
	if err := c.Do(context.Background(), "POST", "/v1/sites", nil, json.RawMessage(args[0]), &out); err != nil {
		ts.Fatalf("site: %s", client.Explain(err))
	}
	ts.Setenv("WRITE_KEY", out.WriteKey)
}

func put(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: put PATH JSON")
	}
	c, err := client.New(ts.Getenv("SERVER"), rootKey)
	ts.Check(err)
	defer c.Close()
	if err := c.Do(context.Background(), "PUT", "/v1/sites/news/"+args[0], nil, json.RawMessage(args[1]), nil); err != nil {
		ts.Fatalf("put %s: %s", args[0], client.Explain(err))
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get PATH")
	}
	c, err := client.New(ts.Getenv("SERVER"), rootKey)
	ts.Check(err)
	defer c.Close()
	var body []byte
	if err := c.Do(context.Background(), "GET", "/v1/sites/news/"+args[0], nil, nil, &body); err != nil {
		ts.Fatalf("get %s: %s", args[0], client.Explain(err))
	}
	_, err = fmt.Fprintln(ts.Stdout(), string(bytes.TrimSpace(body)))
	ts.Check(err)
}

func compress(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: compress A B")
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}

func appendFile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: append A B")
	}
	f, err := os.OpenFile(ts.MkAbs(args[1]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(f.Close())
}

func servePages(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: pages FOLDER")
	}
	pages := make(map[string]string)
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		pages["/"+e.Name()] = os.Expand(ts.ReadFile(filepath.Join(args[0], e.Name())), ts.Getenv)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, page)
	}))
	ts.Defer(web.Close)
	ts.Setenv("PAGES", web.URL)
}

func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: truncate A")
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), 0))
}

// awaitEvents asks again and again, for a minute at most: what the command that
// sends them prints does not tell when.
func awaitEvents(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: events N")
	}
	c, err := client.New(ts.Getenv("SERVER"), rootKey)
	ts.Check(err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	question := json.RawMessage(`{"metrics":["events"],"date_range":"30d"}`)
	for last := ""; ; {
		var out struct {
			Results []struct {
				Metrics []json.Number `json:"metrics"`
			} `json:"results"`
		}
		if err := c.Do(ctx, "POST", "/v1/sites/logs/query", nil, question, &out); err != nil {
			ts.Fatalf("%s events were asked for, there are %s: %s", args[0], last, client.Explain(err))
		}
		if len(out.Results) > 0 {
			last = out.Results[0].Metrics[0].String()
		}
		if last == args[0] {
			return
		}
	}
}
