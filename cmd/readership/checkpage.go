package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/readership/readership/internal/pagecheck"
)

const checkPageUsage = "URL [--json]"

const checkPageAbout = `Fetches a page of yours as a browser does and says what is found in it, and
what is wrong: tags, what it says of its article, how readers are known again,
walls, and whether search engines are told of them. If it carries the tag, the
server that the tag names is asked what it would store of a view; nothing is
stored. No key is needed. The exit code is 1 if there is a fault.`

// errPage says that faults were found; each was printed.
var errPage = errors.New("the page has faults")

func checkPage(ctx context.Context, c console, args []string) error {
	var o pagecheck.Options
	f := newFlags(c, "check-page", checkPageUsage, checkPageAbout)
	f.StringVar(&o.Agent, "agent", pagecheck.DefaultAgent, "`TEXT` that the User-Agent is")
	asJSON := f.Bool("json", false, "print the report as JSON")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("say which page: one address")
	}
	report, err := pagecheck.Check(ctx, rest[0], o)
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		if err := e.Encode(report); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	} else {
		printReport(c.out, report)
	}
	if report.Count(pagecheck.Fault) > 0 {
		return errPage
	}
	return nil
}

func printReport(w io.Writer, r *pagecheck.Report) {
	fmt.Fprintln(w, r.URL)
	part := ""
	for _, f := range r.Findings {
		if f.Part != part {
			part = f.Part
			fmt.Fprintf(w, "\n%s\n", part)
		}
		fmt.Fprintf(w, "  %-8s %s\n", f.Level, f.Text)
	}
	count := func(n int, noun string) string {
		if n == 1 {
			return "1 " + noun
		}
		return fmt.Sprintf("%d %ss", n, noun)
	}
	fmt.Fprintf(w, "\n%s, %s\n", count(r.Count(pagecheck.Fault), "fault"), count(r.Count(pagecheck.Warning), "warning"))
}
