// Command queries asks the reference questions Q1 to Q11 of the engine, of
// DuckDB and, where it is installed, of ClickHouse, in the same run on the same
// events, compares the answers, and prints the times as Markdown.
//
// DuckDB and ClickHouse get the table they like best: narrow integers in time
// order, in memory or page cache. The engine gets what it gets from its log.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/scenario"
)

// system answers questions about one table of clicks.
type system interface {
	name() string
	// ask answers a question; only the time until the answer is complete
	// counts, reading it into rows does not.
	ask(ctx context.Context, q *question) (rows []row, took time.Duration, err error)
	close() error
}

// row is one line of an answer: what it is grouped by (times as Unix
// milliseconds) and its metrics.
type row struct {
	keys    []int64
	metrics []float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "queries:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("queries", flag.ContinueOnError)
	events := flags.Int("events", 1_500_000, "events; beyond the log's own number its days are shifted")
	threads := flags.String("threads", "1,2", "numbers of threads")
	runs := flags.Int("runs", 7, "timed runs of each question, after one that does not count")
	one := flags.Int("one", 0, "measure this number of threads in this process (used by the command itself)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *one > 0 {
		return measure(ctx, w, *events, *one, *runs)
	}
	// Every number of threads is a process of its own: shards and threads are
	// set at its start, and memory is returned at its end.
	for n := range strings.SplitSeq(*threads, ",") {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, self, "-events", strconv.Itoa(*events), "-runs", strconv.Itoa(*runs), "-one", n)
		cmd.Stdout, cmd.Stderr, cmd.Env = w, os.Stderr, append(os.Environ(), "GOMAXPROCS="+n)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s threads: %w", n, err)
		}
	}
	return nil
}

// measure loads the clicks everywhere, asks every question in turn, and
// prints.
func measure(ctx context.Context, w io.Writer, events, threads, runs int) error {
	clicks, source, err := scenario.Clicks(events)
	if err != nil {
		return err
	}
	questions := makeQuestions(clicks)
	systems, err := load(ctx, clicks, threads)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range systems {
			s.close()
		}
	}()
	clicks = nil
	debug.FreeOSMemory()
	fmt.Fprintf(w, "%d thread(s), %s events of %s, %s to %s. %s. Times are the median of %d runs in ms.\n\n", threads, thousands(events), source,
		questions.first, questions.last, scenario.Machine(), runs)
	return compare(ctx, w, systems, questions.list, runs)
}

func load(ctx context.Context, clicks []dataset.Click, threads int) (all []system, err error) {
	defer func() {
		if err != nil {
			for _, s := range all {
				s.close()
			}
		}
	}()
	ours, err := openEngine(ctx, clicks, threads)
	if err != nil {
		return nil, fmt.Errorf("load the engine: %w", err)
	}
	all = append(all, ours)
	duck, err := openDuckDB(ctx, clicks, threads)
	if err != nil {
		return all, fmt.Errorf("load DuckDB: %w", err)
	}
	all = append(all, duck)
	click, err := openClickHouse(ctx, clicks, threads)
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Fprintln(os.Stderr, "ClickHouse is not installed and left out:", err)
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("load ClickHouse: %w", err)
	}
	return append(all, click), nil
}

// compare asks each question of all systems in turn, so that whatever else
// happens on the machine meets them alike.
func compare(ctx context.Context, w io.Writer, systems []system, questions []question, runs int) error {
	fmt.Fprint(w, "| question |")
	rule := "|---|"
	for i, s := range systems {
		fmt.Fprintf(w, " %s |", s.name())
		rule += "---|"
		if i > 0 {
			fmt.Fprint(w, " ÷ |")
			rule += "---|"
		}
	}
	fmt.Fprintf(w, " rows |\n%s---|\n", rule)
	product, slower := make([]float64, len(systems)), []string{}
	for qi := range questions {
		q := &questions[qi]
		took, rows, err := timeQuestion(ctx, systems, q, runs)
		if err != nil {
			return fmt.Errorf("%s: %w", q.id, err)
		}
		fmt.Fprintf(w, "| %s %s | %.2f |", q.id, q.text, took[0])
		for i := 1; i < len(systems); i++ {
			ratio := took[i] / took[0]
			fmt.Fprintf(w, " %.2f | %.1f |", took[i], ratio)
			if !q.extra {
				product[i] += math.Log(ratio)
			}
			if ratio <= 1 {
				slower = append(slower, q.id+" than "+systems[i].name())
			}
		}
		fmt.Fprintf(w, " %d |\n", rows)
	}
	n := 0
	for i := range questions {
		if !questions[i].extra {
			n++
		}
	}
	fmt.Fprintf(w, "| **geometric mean of Q1 to Q%d** | |", n)
	for i := 1; i < len(systems); i++ {
		fmt.Fprintf(w, " | **%.1f** |", math.Exp(product[i]/float64(n)))
	}
	fmt.Fprint(w, " |\n\nThe answers of all systems to every question are equal.")
	if len(slower) > 0 {
		fmt.Fprintf(w, " Slower: %s.", strings.Join(slower, ", "))
	}
	fmt.Fprint(w, "\n\n")
	return nil
}

func timeQuestion(ctx context.Context, systems []system, q *question, runs int) (took []float64, rows int, err error) {
	times := make([][]float64, len(systems))
	var first []row
	for r := range runs + 1 {
		for i, s := range systems {
			runtime.GC()
			answer, t, err := s.ask(ctx, q)
			if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", s.name(), err)
			}
			switch {
			case r > 0:
				times[i] = append(times[i], t.Seconds()*1e3)
			case i == 0:
				first, rows = answer, len(answer)
			default:
				if err := equal(first, answer, q.ranked); err != nil {
					return nil, 0, fmt.Errorf("%s and %s differ: %w", systems[0].name(), s.name(), err)
				}
			}
		}
	}
	for _, t := range times {
		slices.Sort(t)
		took = append(took, t[len(t)/2])
	}
	return took, rows, nil
}

// equal compares two answers. Of ranked ones the keys are compared only where
// no other row has the same first metric, since ties may be cut anywhere.
func equal(a, b []row, ranked bool) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d rows and %d", len(a), len(b))
	}
	if !ranked {
		for _, rows := range [][]row{a, b} {
			slices.SortFunc(rows, func(x, y row) int { return slices.Compare(x.keys, y.keys) })
		}
	}
	for i := range a {
		tied := ranked && (i+1 == len(a) || i > 0 && a[i-1].metrics[0] == a[i].metrics[0] || a[i+1].metrics[0] == a[i].metrics[0])
		if tied {
			if a[i].metrics[0] != b[i].metrics[0] {
				return fmt.Errorf("row %d: %v and %v", i, a[i], b[i])
			}
			continue
		}
		if !slices.Equal(a[i].keys, b[i].keys) {
			return fmt.Errorf("row %d: %v and %v", i, a[i], b[i])
		}
		for k := range a[i].metrics {
			if math.Abs(a[i].metrics[k]-b[i].metrics[k]) > 1e-9 {
				return fmt.Errorf("row %d: %v and %v", i, a[i], b[i])
			}
		}
	}
	return nil
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
