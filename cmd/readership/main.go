// Command readership serves the sites of a publisher and holds the commands
// that talk to a running server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

// version is set when a release is linked.
var version = ""

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

func main() {
	os.Exit(run(os.Args[1:], terminal()))
}

// console is what a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	tty      bool // err is a terminal
	getenv   func(string) string
}

func terminal() console {
	info, err := os.Stderr.Stat()
	return console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		tty: err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"}
}

// command is one word after the program's name.
type command struct {
	name, about string
	run         func(ctx context.Context, c console, args []string) error
}

// commands are in the order of the help.
func commands() []command {
	return []command{
		{"serve", "collect, keep and answer", serve},
		{"import", "send access logs, files of events or a catalogue to a server", importFiles},
		{"query", "ask a server and print a table", query},
		{"load", "offer a server a rate of events and report its latency", generate},
		{"check-page", "say what is found in a page of yours, and what is wrong", checkPage},
		{"rubric", "check, test, format, explain and try programs", rubricWord},
		{"version", "print the version", printVersion},
		{"help", "print this", help},
	}
}

// usageError is what a command was called wrongly with.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func run(args []string, c console) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // the next signal ends the process at once
	}()
	if len(args) == 0 {
		overview(c.err)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-version", "--version":
		name = "version"
	}
	for _, cmd := range commands() {
		if cmd.name == name {
			return exitCode(c, name, cmd.run(ctx, c, args[1:]))
		}
	}
	fmt.Fprintf(c.err, "readership: there is no command %q\n\n", args[0])
	overview(c.err)
	return exitUsage
}

// exitCode says what went wrong and turns it into the exit code.
func exitCode(c console, name string, err error) int {
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(c.err, "readership %s: %s\nSee readership %s --help\n", name, wrong.text, name)
		return exitUsage
	default:
		fmt.Fprintf(c.err, "readership %s: %v\n", name, err)
		return exitFail
	}
}

func overview(w io.Writer) {
	fmt.Fprint(w, "Readership collects what readers do and answers what happened and what happens now.\n\nUsage: readership COMMAND [flags]\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", cmd.name, cmd.about)
	}
	fmt.Fprint(w, "\nreadership COMMAND --help describes the flags of a command.\nTo begin: readership serve --demo\n")
}

func help(ctx context.Context, c console, args []string) error {
	if len(args) > 0 {
		for _, cmd := range commands() {
			if cmd.name == args[0] && cmd.name != "help" {
				return cmd.run(ctx, c, append(args[1:], "--help"))
			}
		}
		return usagef("there is no command %q", args[0])
	}
	overview(c.out)
	return nil
}

func printVersion(_ context.Context, c console, args []string) error {
	flags := newFlags(c, "version", "", "Prints the version of the program.")
	if rest, err := flags.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("unexpected %q", rest[0])
	}
	fmt.Fprintf(c.out, "readership %s %s %s/%s\n", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// programVersion is what the release was linked with, else what the build
// knows of its source.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return strings.ToLower(s.Value[:min(12, len(s.Value))])
		}
	}
	return "devel"
}
