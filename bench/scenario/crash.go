package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/bench/harness"
)

// Crash kills the server at random moments under load and checks by id that no
// acknowledged event is missing and none is there twice, sent again or not.
func Crash(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	rounds := flags.Int("rounds", 50, "kills")
	connections := flags.Int("connections", 16, "connections; every second one sends batches of 20")
	seed := flags.Uint64("seed", 1, "of the moments")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer func() { s.Kill() }()
	key, err := s.CreateSite(ctx, newsSite)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(*seed, 0x0b0e))
	var sum crashRound
	var slowest time.Duration
	for round := range *rounds {
		begin := time.Now()
		sent, err := crashLoad(ctx, s, key, round, *connections, time.Duration(50+r.IntN(1500))*time.Millisecond)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if s, err = s.Restart(ctx); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		slowest = max(slowest, s.ReadyIn)
		one, err := checkCrash(ctx, s, sent, round, begin)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		sum.add(one)
	}
	fmt.Fprintf(w, "kill -9 at %d random moments under load (%d connections, single events and batches of 20), each followed by a restart and a check by id. %s.\n\n", *rounds, *connections, Machine())
	fmt.Fprintf(w, "| acknowledged | of them missing | without an answer | of them stored | sent again | stored twice | slowest restart |\n|---|---|---|---|---|---|---|\n| %s | **%d** | %s | %s | %s | **%d** | %.2f s |\n",
		thousands(float64(sum.acked)), sum.missing, thousands(float64(sum.open)), thousands(float64(sum.openStored)),
		thousands(float64(sum.acked+sum.open)), sum.twice, slowest.Seconds())
	if sum.missing+sum.twice > 0 {
		return errors.New("events were lost or doubled")
	}
	return s.Stop()
}

// crashRound counts events.
type crashRound struct{ acked, missing, open, openStored, twice int }

func (c *crashRound) add(o crashRound) {
	c.acked += o.acked
	c.missing += o.missing
	c.open += o.open
	c.openStored += o.openStored
	c.twice += o.twice
}

// crashSent is what a round sent: the ids of answered and of unanswered
// requests.
type crashSent struct {
	mu          sync.Mutex
	acked, open []string
}

// crashLoad sends events until it kills the server after some time. An answer that
// does not take all of its request's events is an error.
func crashLoad(ctx context.Context, s *harness.Server, key string, round, connections int, after time.Duration) (*crashSent, error) {
	sent := &crashSent{}
	var wg sync.WaitGroup
	var other atomic.Pointer[string] // an answer that took other than all
	for c := range connections {
		wg.Go(func() {
			batch := 1
			if c%2 == 1 {
				batch = 20
			}
			var acked, open []string
			// The id of an event is also its item, which queries can list.
			ids := func(n uint64) (all []string) {
				for i := range batch {
					all = append(all, fmt.Sprintf("r%d-c%d-n%d-%d", round, c, n, i))
				}
				return all
			}
			load := harness.Load{Addr: s.CollectAddr, WriteKey: key, Connections: 1, Duration: time.Hour,
				Body: func(dst []byte, n uint64, _ int) []byte { return appendCrashEvents(dst, ids(n)) },
				Read: func(_ uint64, body []byte) {
					var a struct{ Accepted int }
					if json.Unmarshal(body, &a) != nil || a.Accepted != batch {
						text := string(body)
						other.Store(&text)
					}
				},
				Answered: func(n uint64, a harness.Answer) {
					if a.Status == http.StatusOK {
						acked = append(acked, ids(n)...)
					} else {
						open = append(open, ids(n)...)
					}
				}}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() {
				<-s.Done()
				cancel()
			}()
			load.Run(ctx) // ends with an error when the server is gone
			sent.mu.Lock()
			defer sent.mu.Unlock()
			sent.acked, sent.open = append(sent.acked, acked...), append(sent.open, open...)
		})
	}
	time.Sleep(after) // the random moment
	s.Kill()
	wg.Wait()
	if body := other.Load(); body != nil {
		return nil, fmt.Errorf("answered %s", *body)
	}
	return sent, nil
}

func appendCrashEvents(dst []byte, ids []string) []byte {
	dst = append(dst, '[')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fmt.Appendf(dst, `{"type":"page_view","id":%q,"item":%q,"device":%q}`, id, id, "of "+id) // none is bounded by its rate
	}
	return append(dst, ']')
}

// checkCrash looks for every id, sends all of them again, and looks once more:
// afterwards each must be stored exactly once.
func checkCrash(ctx context.Context, s *harness.Server, sent *crashSent, round int, begin time.Time) (crashRound, error) {
	c := crashRound{acked: len(sent.acked), open: len(sent.open)}
	stored, err := itemCounts(ctx, s, "", fmt.Sprintf("r%d-", round), begin)
	if err != nil {
		return c, err
	}
	for _, id := range sent.acked {
		if stored[id] == 0 {
			c.missing++
		}
	}
	for _, id := range sent.open {
		if stored[id] > 0 {
			c.openStored++
		}
	}
	var lines strings.Builder
	for _, id := range append(append([]string{}, sent.acked...), sent.open...) {
		fmt.Fprintf(&lines, `{"type":"page_view","id":%q,"item":%q,"device":%q}`+"\n", id, id, "of "+id)
	}
	v, err := s.Import(ctx, "news", strings.NewReader(lines.String()))
	if err != nil {
		return c, err
	}
	if want := c.acked - c.missing + c.openStored; v.Duplicates != want {
		return c, fmt.Errorf("sent again, %d events were named duplicates, want %d", v.Duplicates, want)
	}
	if stored, err = itemCounts(ctx, s, "", fmt.Sprintf("r%d-", round), begin); err != nil {
		return c, err
	}
	for _, n := range stored {
		if n > 1 {
			c.twice++
		}
	}
	if len(stored) != c.acked+c.open {
		return c, fmt.Errorf("%d ids are stored in the end, want %d", len(stored), c.acked+c.open)
	}
	return c, nil
}

// itemCounts returns the page views since begin of each item with a prefix, those up to
// a position of the log among them; "" for what the server has acknowledged.
func itemCounts(ctx context.Context, s *harness.Server, after, prefix string, begin time.Time) (map[string]int, error) {
	counts := map[string]int{}
	from, to := stamp(begin.Add(-time.Second).UnixMilli()), stamp(time.Now().Add(time.Minute).UnixMilli())
	for offset := 0; ; offset += 10_000 {
		res, err := s.QueryAfter(ctx, after, "news", `{"metrics":["page_views"],"dimensions":["item"],"date_range":["`+from+`","`+to+`"],"limit":10000,"offset":`+strconv.Itoa(offset)+`}`)
		if err != nil {
			return nil, err
		}
		for _, row := range res.Results {
			if item := row.Dimensions[0]; strings.HasPrefix(item, prefix) {
				counts[item] += int(*row.Metrics[0])
			}
		}
		if len(res.Results) < 10_000 {
			return counts, nil
		}
	}
}
