package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/readership/readership/bench/harness"
)

// hotLimit is how many times their usual p99 others may wait.
const hotLimit = 2

// HotDevice has a device with very many page views send more and be decided about,
// while other readers send events, are decided about and asked for their segments:
// it measures what the others notice of it.
func HotDevice(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("hot-device", flag.ContinueOnError)
	h := hot{}
	flags.IntVar(&h.rows, "rows", 1_000_000, "page views of the device")
	flags.IntVar(&h.readers, "readers", 40_000, "other readers, with five page views each")
	flags.Float64Var(&h.rate, "rate", 1_000, "events/s of the device")
	flags.Float64Var(&h.own, "own", 20, "decisions/s with commit, and memberships/s, of the device itself")
	flags.Float64Var(&h.events, "events", 5_000, "events/s of others")
	flags.Float64Var(&h.decisions, "decisions", 1_000, "decisions/s about others, with commit")
	flags.Float64Var(&h.asks, "memberships", 2_000, "memberships/s of others")
	flags.IntVar(&h.rounds, "rounds", 5, "how often it is measured without and with the device")
	flags.DurationVar(&h.span, "span", 4*time.Second, "a run")
	flags.IntVar(&h.connections, "connections", 32, "connections of each load")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stop, err := h.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(w, "A device with %s page views in 25 days, %s others with five; 100 segments and a meter. Others: %s events/s, %s decisions with commit/s, %s memberships/s; %d runs of %s of each kind by turns, open loop, since they were due; the generator on the same cores. %s.\n\n",
		thousands(float64(h.rows)), thousands(float64(h.readers)), thousands(h.events), thousands(h.decisions), thousands(h.asks), h.rounds, h.span, Machine())
	if err := h.run(ctx); err != nil {
		return err
	}
	if err := h.report(w); err != nil {
		return err
	}
	return h.server.Stop()
}

// hot is one run.
type hot struct {
	rows, readers, rounds, connections int
	rate, own, events, decisions, asks float64
	span                               time.Duration

	server *harness.Server
	key    string
	kinds  [3]hotKind
	others int // answers that are none

	ownDecided, ownAsked []time.Duration // how long the device's own were waited for
}

// hotKind is what happens beside the load of the others, with the p99 of each of
// its loads, by round.
type hotKind struct {
	name     string
	device   string // that sends more; "": nobody, "n": one after another
	p50, p99 [3][]float64
	sent     uint64
}

// hotProgram has segments of all windows, some over distinct items, and a meter.
func hotProgram() string {
	var b strings.Builder
	b.WriteString("let reads = events |> where type == \"page_view\"\n")
	for i := range 100 {
		distinct := []string{"", " |> distinct item"}[i%2]
		where := []string{"", " |> where properties.section == \"s" + strconv.Itoa(i%20) + "\""}[i/2%2]
		fmt.Fprintf(&b, "segment s%d = reads%s |> last %dd%s |> count >= %d\n", i, where, 1+i%25, distinct, 1+i/7)
	}
	return b.String() + `meter monthly (limit: 5) = burns |> last 30d |> distinct item
access story {
  allow keen    if s99
  allow metered if monthly.left > 0 burns monthly
  deny  wall                        offers plans
}
`
}

// start starts a server and fills it.
func (h *hot) start(ctx context.Context) (stop func(), err error) {
	h.kinds = [3]hotKind{{name: "without it"}, {name: "as many events of others", device: "n"}, {name: "with it", device: "hot"}}
	h.server, stop, err = clickServer(ctx, clickSite, nil)
	if err != nil {
		return nil, err
	}
	fill := func() error {
		if h.key, err = h.server.CreateSite(ctx, newsSite); err != nil {
			return err
		}
		v, err := h.server.Import(ctx, "news", h.past())
		if err == nil && v.Accepted != h.rows+5*h.readers {
			err = fmt.Errorf("accepted %d of %d page views", v.Accepted, h.rows+5*h.readers)
		}
		if err != nil {
			return err
		}
		return h.server.Call(ctx, "PUT", "/v1/sites/news/program", map[string]any{"files": map[string]string{"main": hotProgram()}}, nil)
	}
	if err := fill(); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// past streams the page views that there are, in order of time.
func (h *hot) past() io.Reader {
	r, w := io.Pipe()
	go func() {
		const days = 25 * 24 * time.Hour
		from := time.Now().Add(-days - time.Minute).UnixMilli()
		var line []byte
		total := h.rows + 5*h.readers
		other := 0
		for n := range total {
			device := "hot"
			if (n+1)*5*h.readers/total > other {
				device = "r" + strconv.Itoa(other*7919%h.readers)
				other++
			}
			line = fmt.Appendf(line[:0], `{"type":"page_view","device":%q,"item":"a%d","time":%d,"properties":{"section":"s%d"}}`+"\n",
				device, n%5000, from+int64(n)*days.Milliseconds()/int64(total), n%20)
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		w.Close()
	}()
	return r
}

// run measures the kinds by turns, after a run that counts for nothing.
func (h *hot) run(ctx context.Context) error {
	warm := h.kinds[2]
	if err := h.measure(ctx, &warm); err != nil {
		return err
	}
	h.ownDecided, h.ownAsked = nil, nil
	for range h.rounds {
		for i := range h.kinds {
			if err := h.measure(ctx, &h.kinds[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure has the others do what they do, beside what a kind says.
func (h *hot) measure(ctx context.Context, k *hotKind) error {
	loads := []harness.Load{
		{WriteKey: h.key, Rate: h.events, Body: h.view("r")},
		{Rate: h.decisions, Request: h.question(h.other(6007))},
		{Rate: h.asks, Request: h.membership(h.other(5003))},
	}
	if k.device != "" {
		loads = append(loads, harness.Load{WriteKey: h.key, Rate: h.rate, Body: h.view(k.device)})
	}
	if k.device == "hot" && h.own > 0 {
		itself := func(uint64) string { return "hot" }
		loads = append(loads, harness.Load{Rate: h.own, Request: h.question(itself)}, harness.Load{Rate: h.own, Request: h.membership(itself)})
	}
	reports, errs := make([]*harness.LoadReport, len(loads)), make([]error, len(loads))
	var all sync.WaitGroup
	for i, l := range loads {
		l.Addr, l.Connections, l.Duration = h.server.CollectAddr, h.connections, h.span
		all.Go(func() { reports[i], errs[i] = l.Run(ctx) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, r := range reports {
		h.others += len(r.Refused) + r.Others + r.Broken
		switch i {
		default:
			k.p50[i] = append(k.p50[i], float64(harness.Quantile(r.Due, .5)))
			k.p99[i] = append(k.p99[i], float64(harness.Quantile(r.Due, .99)))
		case len(k.p99):
			k.sent += uint64(len(r.Accepted))
		case len(k.p99) + 1:
			h.ownDecided = append(h.ownDecided, r.Due...)
		case len(k.p99) + 2:
			h.ownAsked = append(h.ownAsked, r.Due...)
		}
	}
	return nil
}

// view builds page views of a device; "r" are other readers, "n" ones that were
// not there.
func (h *hot) view(device string) func([]byte, uint64, int) []byte {
	return func(dst []byte, n uint64, _ int) []byte {
		name := device
		switch device {
		case "r":
			name += strconv.FormatUint(n*7919%uint64(h.readers), 10)
		case "n":
			name += strconv.FormatUint(n%uint64(h.readers), 10)
		}
		return fmt.Appendf(dst, `{"type":"page_view","device":%q,"item":"a%d","properties":{"section":"s%d"}}`, name, n%5000, n%20)
	}
}

// other returns one other reader after another, in an order of its own.
func (h *hot) other(step uint64) func(n uint64) string {
	return func(n uint64) string { return "r" + strconv.FormatUint(n*step%uint64(h.readers), 10) }
}

func (h *hot) question(device func(uint64) string) func([]byte, uint64) []byte {
	return func(dst []byte, n uint64) []byte {
		body := fmt.Appendf(nil, `{"access":"story","reader":{"device":%q},"item":{"id":"a%d"},"commit":true}`, device(n), n%5000)
		dst = fmt.Appendf(dst, "POST /v1/sites/news/decisions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", harness.RootKey, len(body))
		return append(dst, body...)
	}
}

func (h *hot) membership(device func(uint64) string) func([]byte, uint64) []byte {
	return func(dst []byte, n uint64) []byte {
		return fmt.Appendf(dst, "GET /v1/sites/news/readers/device:%s/segments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", device(n), harness.RootKey)
	}
}

// report prints the medians of the rounds, and how many times as long others wait.
func (h *hot) report(w io.Writer) error {
	fmt.Fprintln(w, "| p50, p99 of the others | events | decide and commit | segments of a reader |\n|---|---|---|---|")
	var usual [3]float64
	worst := 0.0
	for i := range h.kinds {
		k := &h.kinds[i]
		fmt.Fprintf(w, "| %s |", k.name)
		for j := range k.p99 {
			p50, p99 := median(k.p50[j]), median(k.p99[j])
			fmt.Fprintf(w, " %.2f ms, **%.2f ms**", p50/1e6, p99/1e6)
			if i == 0 {
				usual[j] = p99
			} else {
				fmt.Fprintf(w, " (%.2f ×)", p99/usual[j])
			}
			if fmt.Fprint(w, " |"); k.device == "hot" {
				worst = max(worst, p99/usual[j])
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nEvents of the device: %s of %s that were due. The p99 of the others is **%.2f** times the usual (limit %d). Other answers: %d.\n",
		thousands(float64(h.kinds[2].sent)), thousands(h.rate*h.span.Seconds()*float64(h.rounds)), worst, hotLimit, h.others)
	slices.Sort(h.ownDecided)
	slices.Sort(h.ownAsked)
	fmt.Fprintf(w, "The device's own, %s/s each: decide and commit %s, **%s**, its segments %s, **%s** (p50, p99).\n",
		thousands(h.own), millis(h.ownDecided, .5), millis(h.ownDecided, .99), millis(h.ownAsked, .5), millis(h.ownAsked, .99))
	switch {
	case h.others > 0:
		return errors.New("not every request was answered")
	case worst > hotLimit:
		return fmt.Errorf("others wait %.2f times as long", worst)
	}
	return nil
}
