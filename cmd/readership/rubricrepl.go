package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/peterh/liner"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/repl"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

const replAbout = `Talks about a program and a reader: type an expression and see its value, type,
reason and cost; type steps of a test and see what they come to; type definitions.

  readership rubric repl home.rubric
  readership rubric repl --site news --reader device:59
  readership rubric repl home.rubric < conversation.txt

With --site and without FILE the program is the one that is active there. What
happens in a conversation stays in it: nothing is sent to the server.

Environment:
  READERSHIP_API_KEY   with --site: a key with program:read; sites:read for the
                       site's time; readers:read and catalog:read with --reader`

// rubricTalk runs a conversation.
func rubricTalk(ctx context.Context, c console, args []string) error {
	var site siteFlags
	var reader string
	f := newFlags(c, "rubric repl", "[FILE…] [--server URL --site SITE [--reader READER] | --timezone ZONE --window SPAN]", replAbout)
	site.add(f)
	f.StringVar(&reader, "reader", "", "`READER` of the site to begin with: device:ID or account:ID")
	names, err := f.parse(args)
	if err != nil {
		return err
	}
	live, err := site.live()
	switch {
	case err != nil:
		return err
	case reader != "" && !live:
		return usagef("--reader needs --site")
	case slices.Contains(names, "-"):
		return usagef("standard input is the conversation: name files")
	}
	config := repl.Config{Now: time.Now().Truncate(time.Second).UnixMilli(), Files: func(name string) ([]*source.File, error) { return programFiles(c, []string{name}) }}
	if config.Schema, _, err = site.schema(ctx, c); err != nil {
		return err
	}
	program, err := programOf(c, names, config.Schema)
	if err != nil {
		return err
	}
	if live {
		server, err := site.connect(c)
		if err != nil {
			return err
		}
		defer server.Close()
		if err := talkWith(ctx, server, site.site, &config); err != nil {
			return err
		}
		if program == nil {
			if program, err = activeProgram(ctx, server, site.site, config.Schema); err != nil {
				return err
			}
		}
	}
	if program != nil {
		if err := refuse(c, program); err != nil {
			return err
		}
	}
	session := repl.New(config, program)
	if reader != "" {
		met := session.Enter(ctx, ":reader "+reader, true)
		if met.Failed {
			return errors.New(strings.TrimPrefix(strings.TrimSpace(met.Text), "error: "))
		}
		fmt.Fprint(c.out, met.Text)
	}
	return talk(ctx, c, session)
}

// programOf checks the program of some files, nil for none.
func programOf(c console, names []string, s *schema.Schema) (*rubric.Program, error) {
	if len(names) == 0 {
		return nil, nil
	}
	files, err := programFiles(c, names)
	if err != nil {
		return nil, err
	}
	return rubric.Check(files, s), nil
}

// talkWith lets a conversation ask a server.
func talkWith(ctx context.Context, server *client.Client, site string, config *repl.Config) error {
	asked := func(what string, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("ask %s about %s: %w", server.Server(), what, errors.New(client.Explain(err)))
	}
	config.Reader = func(ctx context.Context, name string) (*memory.Reader, error) {
		r, err := server.Reader(ctx, site, name)
		if err != nil {
			return nil, asked("the reader "+name, err)
		}
		return r.Rubric()
	}
	config.Item = func(ctx context.Context, id string) (*event.Item, error) {
		i, err := server.Item(ctx, site, id)
		return i, asked("the item "+id, err)
	}
	s, err := server.Site(ctx, site)
	if err != nil {
		return asked("the site "+site, err)
	}
	config.Now = s.Now.UnixMilli()
	return nil
}

// activeProgram checks the program that is active at a site.
func activeProgram(ctx context.Context, server *client.Client, site string, s *schema.Schema) (*rubric.Program, error) {
	texts, err := server.Program(ctx, site)
	if err != nil {
		return nil, fmt.Errorf("ask %s about the program of %s: %w", server.Server(), site, errors.New(client.Explain(err)))
	}
	return rubric.CheckText(texts, s), nil
}

// talk asks for lines and prints what a session says to them. Read from a file
// or pipe, a conversation fails if something in it was wrong.
func talk(ctx context.Context, c console, session *repl.Session) error {
	in, close := prompter(c)
	defer close()
	wrong, pending := 0, ""
	for {
		line, err := nextLine(ctx, func() (string, error) { return in.ask(pending != "") })
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			pending = ""
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		ended := err != nil
		text := pending + line
		r := session.Enter(ctx, text, ended || pending != "" && strings.TrimSpace(line) == "")
		if pending = ""; r.Open {
			pending = text + "\n"
			continue
		}
		if in.keep(text); r.Failed {
			wrong++
		}
		fmt.Fprint(c.out, r.Text)
		if r.Quit || ended {
			break
		}
	}
	if wrong > 0 && !in.terminal {
		return errors.New(plural(wrong, "input") + " failed")
	}
	return nil
}

// nextLine waits for a line, or for ctx to end: then the reading is left behind,
// as the process ends.
func nextLine(ctx context.Context, ask func() (string, error)) (string, error) {
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := ask()
		read <- answer{line, err}
	}()
	select {
	case a := <-read:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// lines are what a person or a file says.
type lines struct {
	terminal bool
	ask      func(goesOn bool) (string, error) // a line without its end
	keep     func(text string)                 // in the history
}

// prompter reads lines: at a terminal with editing and a history that is kept.
func prompter(c console) (in lines, close func()) {
	if c.in != os.Stdin || !isTerminal() {
		r := bufio.NewReader(c.in)
		return lines{keep: func(string) {}, ask: func(bool) (string, error) {
			line, err := r.ReadString('\n')
			return strings.TrimRight(line, "\r\n"), err
		}}, func() {}
	}
	fmt.Fprintln(c.out, "Type an expression, a step or a definition; :help says more, :quit leaves.")
	state := liner.NewLiner()
	state.SetCtrlCAborts(true)
	history := historyFile()
	if f, err := os.Open(history); err == nil {
		_, _ = state.ReadHistory(f) // what cannot be read is no history
		f.Close()
	}
	in = lines{terminal: true, ask: func(goesOn bool) (string, error) {
		if goesOn {
			return state.Prompt("    … ")
		}
		return state.Prompt("rubric> ")
	}, keep: func(text string) {
		if text = strings.Join(strings.Fields(text), " "); text != "" && !strings.Contains(text, "--") {
			state.AppendHistory(text)
		}
	}}
	return in, func() {
		if err := errors.Join(state.Close(), writeHistory(history, state)); err != nil {
			fmt.Fprintf(c.err, "the history is not kept: %v\n", err)
		}
		fmt.Fprintln(c.out)
	}
}

// historyFile is where lines are kept for the next conversation, "" for nowhere.
func historyFile() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "readership", "rubric-history")
}

func writeHistory(name string, state *liner.State) error {
	if name == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = state.WriteHistory(f)
	return errors.Join(err, f.Close())
}

// isTerminal tells whether a person types and reads.
func isTerminal() bool {
	_, err := liner.TerminalMode() // of standard input
	info, failed := os.Stdout.Stat()
	return err == nil && failed == nil && info.Mode()&os.ModeCharDevice != 0 && liner.TerminalSupported()
}
