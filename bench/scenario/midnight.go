package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/bench/harness"
)

// midnightZone is where the day ends.
const midnightZone = "America/Sao_Paulo"

const midnightSite = `{"id":"news","domains":["news.example"],"timezone":"` + midnightZone + `","window":"30d"}`

// midnightProgram has a segment that all readers leave at midnight, one that half
// of them leave, and one that nobody does.
const midnightProgram = `let reads = events |> where type == "page_view"
segment today  = reads |> per day |> any
segment keen   = reads |> per day |> distinct item |> count >= 2
segment lately = reads |> last 7d |> any
meter daily (limit: 3) = burns |> per day |> distinct item
access story {
  allow keen    if keen
  allow metered if daily.left > 0 burns daily
  deny  wall                      offers plans
}
`

// Bounds of what happens at midnight.
const (
	rightWithin = time.Second
	toldWithin  = 30 * time.Second
)

// Midnight lets the readers of a site leave a segment of the day at midnight,
// while decisions are made and memberships asked for: on a server as it is
// released, but for its clock.
func Midnight(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("midnight", flag.ContinueOnError)
	m := midnight{}
	flags.IntVar(&m.readers, "readers", 100_000, "readers who leave")
	flags.DurationVar(&m.lead, "lead", 20*time.Second, "from the server's start to midnight")
	flags.DurationVar(&m.before, "before", 8*time.Second, "load before midnight")
	flags.DurationVar(&m.after, "after", 22*time.Second, "load after midnight")
	flags.Float64Var(&m.bare, "bare", 2_500, "decisions/s without commit")
	flags.Float64Var(&m.commits, "commits", 2_500, "decisions/s with commit")
	flags.Float64Var(&m.asks, "memberships", 5_000, "memberships/s")
	flags.IntVar(&m.connections, "connections", 64, "connections of each load")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stop, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(w, "%s readers with two page views, %s; %s decisions/s, half of them with commit, and %s memberships/s, open loop, since they were due; the generator on the same cores. %s.\n\n",
		thousands(float64(m.readers)), midnightZone, thousands(m.bare+m.commits), thousands(m.asks), Machine())
	if err := m.run(ctx); err != nil {
		return err
	}
	if err := m.report(w); err != nil {
		return err
	}
	return m.server.Stop()
}

// midnight is one run.
type midnight struct {
	readers              int
	lead, before, after  time.Duration
	bare, commits, asks  float64
	connections          int
	server               *harness.Server
	at                   time.Time // midnight by the machine's clock
	ahead                time.Duration
	decided, kept, asked *waits
	others               atomic.Int64    // answers that are none
	fallbacks            [2]atomic.Int64 // decisions by the deadline of the block, before midnight and after
	wrong                atomic.Int64    // memberships
	wrongFor             atomic.Int64    // how long after midnight, nanoseconds
	afterwards           []atomic.Bool
	settled, listed      time.Duration // after midnight the size, the list of members were right
	first, last          time.Duration // exit that was told
	left                 map[string]bool
}

// start starts a server and fills it.
func (m *midnight) start(ctx context.Context) (stop func(), err error) {
	dir, remove, err := tempDir()
	if err != nil {
		return nil, err
	}
	stop = remove
	defer func() {
		if err != nil {
			stop()
		}
	}()
	zone, err := time.LoadLocation(midnightZone)
	if err != nil {
		return nil, err
	}
	binary, err := harness.BuildChanged(ctx, dir, harness.Shifted)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	local := now.In(zone)
	m.ahead = time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone).Sub(now) - m.lead
	m.at = now.Add(m.lead)
	m.server, err = harness.Start(ctx, harness.Options{Binary: binary, Dir: filepath.Join(dir, "data"), Env: []string{harness.Ahead(m.ahead)}})
	if err != nil {
		return nil, err
	}
	stop = func() {
		m.server.Kill()
		remove()
	}
	if _, err := m.server.CreateSite(ctx, midnightSite); err != nil {
		return nil, err
	}
	if err := m.server.Call(ctx, "PUT", "/v1/sites/news/program", map[string]any{"files": map[string]string{"main": midnightProgram}}, nil); err != nil {
		return nil, err
	}
	v, err := m.server.Import(ctx, "news", m.views(now.Add(m.ahead).Add(-time.Hour)))
	if err == nil && v.Accepted != 2*m.readers {
		err = fmt.Errorf("accepted %d of %d page views", v.Accepted, 2*m.readers)
	}
	return stop, err
}

// views are two page views of each reader, of two items by every other.
func (m *midnight) views(from time.Time) io.Reader {
	var b bytes.Buffer
	for n := range 2 * m.readers {
		reader := n % m.readers
		fmt.Fprintf(&b, `{"type":"page_view","device":"r%d","item":"a%d","time":%d}`+"\n", reader, reader%500+n/m.readers*(reader%2), from.UnixMilli()+int64(n%1000))
	}
	return &b
}

// run lets midnight come.
func (m *midnight) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Until(m.at)+m.after+time.Minute)
	defer cancel()
	for segment, want := range map[string]int{"today": m.readers, "keen": m.readers / 2, "lately": m.readers} {
		if got, err := m.size(ctx, segment); err != nil || got != want {
			return fmt.Errorf("before midnight segment %s has %d members, want %d (%v)", segment, got, want, err)
		}
	}
	if time.Until(m.at) < m.before {
		return fmt.Errorf("loading took until %s before midnight: -lead has to be longer", time.Until(m.at))
	}
	stream, stopStream := context.WithCancel(ctx)
	defer stopStream()
	var all sync.WaitGroup
	errs := make([]error, 6)
	all.Go(func() { errs[0] = m.follow(stream) })
	time.Sleep(time.Until(m.at.Add(-m.before)))
	m.decided, m.kept, m.asked = newWaits(m.bare, m.before+m.after), newWaits(m.commits, m.before+m.after), newWaits(m.asks, m.before+m.after)
	m.afterwards = make([]atomic.Bool, m.readers)
	all.Go(func() { errs[1] = m.load(ctx, m.bare, m.decided, m.question(false), m.verdict) })
	all.Go(func() { errs[2] = m.load(ctx, m.commits, m.kept, m.question(true), m.verdict) })
	all.Go(func() { errs[3] = m.load(ctx, m.asks, m.asked, m.membership, m.answer) })
	all.Go(func() { errs[4] = m.watch(ctx) })
	all.Go(func() {
		time.Sleep(time.Until(m.at.Add(max(m.after, toldWithin))))
		stopStream() // what is not told by now is late
	})
	all.Wait()
	return errors.Join(errs...)
}

// load asks at a rate from before midnight until after it.
func (m *midnight) load(ctx context.Context, rate float64, into *waits, request func([]byte, uint64) []byte, read func(uint64, []byte)) error {
	r, err := harness.Load{Addr: m.server.CollectAddr, Connections: m.connections, Rate: rate, Duration: m.before + m.after, Request: request, Read: read,
		Answered: into.add}.Run(ctx)
	if err == nil {
		m.others.Add(int64(len(r.Refused) + r.Others + r.Broken))
	}
	return err
}

// question builds questions about one reader after another, in another order
// than they are asked about their segments.
func (m *midnight) question(commit bool) func(dst []byte, n uint64) []byte {
	return func(dst []byte, n uint64) []byte {
		body := fmt.Appendf(nil, `{"access":"story","reader":{"device":"r%d"},"item":{"id":"b%d"},"commit":%t}`, n*7919%uint64(m.readers), n%500, commit)
		dst = fmt.Appendf(dst, "POST /v1/sites/news/decisions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", harness.RootKey, len(body))
		return append(dst, body...)
	}
}

func (m *midnight) verdict(_ uint64, body []byte) {
	if bytes.Contains(body, []byte(`"fallback":true`)) {
		if time.Now().Before(m.at) {
			m.fallbacks[0].Add(1)
		} else {
			m.fallbacks[1].Add(1)
		}
	}
}

func (m *midnight) membership(dst []byte, n uint64) []byte {
	return fmt.Appendf(dst, "GET /v1/sites/news/readers/device:r%d/segments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", n%uint64(m.readers), harness.RootKey)
}

// answer checks the segments of a reader: what they are follows from when it is.
func (m *midnight) answer(n uint64, body []byte) {
	reader := n % uint64(m.readers)
	var a struct {
		At       time.Time `json:"at"`
		Segments []string  `json:"segments"`
	}
	if json.Unmarshal(body, &a) != nil {
		m.wrong.Add(1)
		return
	}
	since := a.At.Add(-m.ahead).Sub(m.at).Round(time.Millisecond)
	want := []string{"lately"}
	if since < 0 {
		if want = []string{"today", "lately"}; reader%2 == 1 {
			want = []string{"today", "keen", "lately"}
		}
	}
	if !slices.Equal(a.Segments, want) {
		m.wrong.Add(1)
		if since > time.Duration(m.wrongFor.Load()) {
			m.wrongFor.Store(int64(since))
		}
	} else if since >= 0 {
		m.afterwards[reader].Store(true)
	}
}

func (m *midnight) size(ctx context.Context, segment string) (int, error) {
	var out struct {
		Size int `json:"size"`
	}
	err := m.server.Call(ctx, "GET", "/v1/sites/news/segments/"+segment, nil, &out)
	return out.Size, err
}

// watch asks for the size and the members of the segment from midnight on.
func (m *midnight) watch(ctx context.Context) error {
	time.Sleep(time.Until(m.at))
	for m.settled == 0 && ctx.Err() == nil {
		n, err := m.size(ctx, "today")
		if err != nil {
			return err
		}
		if n == 0 {
			m.settled = time.Since(m.at)
		}
	}
	members := 0
	if err := m.server.Lines(ctx, "/v1/sites/news/segments/today/members", func([]byte) error { members++; return nil }); err != nil {
		return err
	}
	m.listed = time.Since(m.at)
	if members > 0 {
		return fmt.Errorf("%d members are listed after midnight", members)
	}
	return nil
}

// follow takes note of who is told to have left, until all have.
func (m *midnight) follow(ctx context.Context) error {
	m.left = map[string]bool{}
	name := ""
	done := errors.New("all have left")
	err := m.server.Lines(ctx, "/v1/sites/news/segment-changes?segment=today", func(line []byte) error {
		field, value, _ := strings.Cut(string(line), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			var c struct{ Reader string }
			if err := json.Unmarshal([]byte(value), &c); err != nil || name != "left" {
				return fmt.Errorf("the stream of changes tells %s %s", name, value)
			}
			if m.last = time.Since(m.at); len(m.left) == 0 {
				m.first = m.last
			}
			if m.left[c.Reader] {
				return fmt.Errorf("%s has left twice", c.Reader)
			}
			if m.left[c.Reader] = true; len(m.left) == m.readers {
				return done
			}
		}
		return nil
	})
	if errors.Is(err, done) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// report prints what came of it.
func (m *midnight) report(w io.Writer) error {
	fmt.Fprint(w, "| | p50, p99 of the ")
	fmt.Fprintf(w, "%s before | of the second after | of the %s after |\n|---|---|---|---|\n", m.before, m.after)
	for _, row := range []struct {
		name  string
		rate  float64
		waits *waits
	}{{"decide", m.bare, m.decided}, {"decide and commit", m.commits, m.kept}, {"segments of a reader", m.asks, m.asked}} {
		fmt.Fprintf(w, "| %s, %s/s |", row.name, thousands(row.rate))
		for _, span := range [][2]time.Duration{{-m.before, 0}, {0, time.Second}, {0, m.after}} {
			sorted := row.waits.between(m.at.Add(span[0]), m.at.Add(span[1]))
			fmt.Fprintf(w, " %s, **%s** |", millis(sorted, .5), millis(sorted, .99))
		}
		fmt.Fprintln(w)
	}
	right := 0
	for i := range m.afterwards {
		if m.afterwards[i].Load() {
			right++
		}
	}
	fmt.Fprintf(w, "\nReaders whose segments were asked for after midnight and were right: %s; wrong: **%d**, until %s after midnight (limit %s). ",
		thousands(float64(right)), m.wrong.Load(), time.Duration(m.wrongFor.Load()), rightWithin)
	fmt.Fprintf(w, "The size of the segment was right **%s** after midnight, the list of its members at %s. Exits told: %s, the first after %s, the last after **%s** (limit %s). Fallbacks: %d before, %d after; other answers: %d.\n",
		m.settled.Round(time.Millisecond), m.listed.Round(time.Millisecond), thousands(float64(len(m.left))), m.first.Round(time.Millisecond), m.last.Round(time.Millisecond), toldWithin,
		m.fallbacks[0].Load(), m.fallbacks[1].Load(), m.others.Load())
	switch {
	case time.Duration(m.wrongFor.Load()) > rightWithin, m.settled > rightWithin, m.listed > rightWithin:
		return fmt.Errorf("memberships are not right within %s", rightWithin)
	case len(m.left) != m.readers || m.last > toldWithin:
		return fmt.Errorf("%d of %d exits were told within %s", len(m.left), m.readers, toldWithin)
	case m.others.Load() > 0:
		return errors.New("not every question was answered")
	}
	return nil
}

// waits are how long answers were waited for, by the number of the question.
type waits struct {
	due    []time.Time
	waited []time.Duration
}

func newWaits(rate float64, d time.Duration) *waits {
	n := int(rate*d.Seconds()) + 1
	return &waits{due: make([]time.Time, n), waited: make([]time.Duration, n)}
}

func (w *waits) add(n uint64, a harness.Answer) {
	if n < uint64(len(w.due)) && a.Status == 200 {
		w.due[n], w.waited[n] = time.Now().Add(-a.Waited), a.Waited
	}
}

// between returns what was due in a span, sorted.
func (w *waits) between(from, to time.Time) (out []time.Duration) {
	for i, due := range w.due {
		if !due.IsZero() && !due.Before(from) && due.Before(to) {
			out = append(out, w.waited[i])
		}
	}
	slices.Sort(out)
	return out
}
