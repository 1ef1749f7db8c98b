package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/event"
)

func balanced(weights ...int) *balancer {
	b := &balancer{rule: &route.Rule{}}
	for i, w := range weights {
		b.members = append(b.members, member{origin: &origin{key: originKey{url: fmt.Sprint(i)}, url: &url.URL{}}, weight: w})
	}
	return b
}

// Of every sum of the weights, each origin gets exactly its weight, and nobody
// waits longer than its share demands.
func TestSharesByWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 6).Draw(t, "weights")
		sum := 0
		for _, w := range weights {
			sum += w
		}
		b, now := balanced(weights...), time.Unix(1, 0)
		for round := range 3 {
			got := map[string]int{}
			for range sum {
				o, bit := b.pick(0, now, 1)
				if o == nil || bit == 0 {
					t.Fatal("nobody was picked")
				}
				got[o.key.url]++
			}
			for i, w := range weights {
				if got[fmt.Sprint(i)] != w {
					t.Fatalf("round %d of %v: %v", round, weights, got)
				}
			}
		}
	})
}

// Whatever is tried, full or unwell: an origin is picked if one could be, and a
// well one before others.
func TestPicksWhoCan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "origins")
		b, now := balanced(make([]int, n)...), time.Unix(100, 0)
		var tried uint64
		well, able := 0, 0
		for i := range b.members {
			m := &b.members[i]
			m.weight = 1 + i
			isTried, isFull, isSick, rests := rapid.Bool().Draw(t, "tried"), rapid.Bool().Draw(t, "full"), rapid.Bool().Draw(t, "sick"), rapid.Bool().Draw(t, "rests")
			if isTried {
				tried |= 1 << i
			}
			if isFull {
				m.origin.flying.Store(5)
			}
			m.origin.sick.Store(isSick)
			if rests {
				m.origin.until.Store(now.Add(time.Second).UnixNano())
			}
			if !isTried && !isFull {
				able++
				if !isSick && !rests {
					well++
				}
			}
		}
		if b.another(tried, now, 5) != (well > 0) {
			t.Fatalf("another: %v, with %d well", b.another(tried, now, 5), well)
		}
		o, bit := b.pick(tried, now, 5)
		switch {
		case able == 0 && o != nil:
			t.Fatal("one was picked that cannot")
		case able > 0 && (o == nil || tried&bit != 0 || o.flying.Load() >= 5):
			t.Fatal("nobody was picked, or the wrong one")
		case well > 0 && !o.well(now):
			t.Fatal("one that is not well was picked before one that is")
		}
	})
}

func TestRestsAfterFailures(t *testing.T) {
	o, now := &origin{}, time.Unix(1000, 0)
	refused := &dialError{errors.New("refused")}
	for i, rest := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		rest *= time.Second
		o.failed(now, refused)
		if o.admits(now.Add(rest - 1)) {
			t.Errorf("failure %d: asked before %s", i+1, rest)
		}
		now = now.Add(rest)
		if first, second := o.admits(now), o.admits(now); !first || second {
			t.Errorf("failure %d: after %s not exactly one may try", i+1, rest)
		}
	}
	o.succeeded()
	for range 2 {
		if !o.admits(now) {
			t.Error("one that answers is left alone")
		}
	}
	// A reset now and then is nothing.
	for range toRest - 1 {
		o.failed(now, errors.New("reset"))
	}
	if !o.admits(now) {
		t.Error("a few resets made it rest")
	}
	if o.failed(now, errors.New("reset")); o.admits(now) {
		t.Error("many did not")
	}
}

// pipes is a network in memory: one server, whatever the address.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.conns) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Two bad answers make an origin sick, one good one well; nobody asks any more
// once no table names it.
func TestChecksOrigins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{conns: make(chan net.Conn)}
		var status, asked atomic.Int32
		status.Store(200)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/up" {
				t.Errorf("asked for %s", r.URL.Path)
			}
			asked.Add(1)
			w.WriteHeader(int(status.Load()))
		})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(network) })
		r := to("http://a")
		r.Health = &event.Health{Path: "/up", Interval: "10s"}
		source := &tables{sites: []*event.Site{{ID: "news", Domains: []string{"news.example"}}}, byOwner: map[string][]event.Route{}}
		source.set("news", r)
		s := New(Config{Source: source, Dial: network.dial})
		s.Refresh()
		o := s.pool.origins[originKey{"http://a", route.DefaultTimeout, "/up", 10 * time.Second}]
		step := func(answer int32, sick bool) {
			t.Helper()
			status.Store(answer)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if o.sick.Load() != sick {
				t.Errorf("after %d it is sick: %v, want %v", answer, o.sick.Load(), sick)
			}
		}
		synctest.Wait()
		step(503, false)
		step(500, true)
		if w := s.Warnings(); len(w) != 1 {
			t.Errorf("warnings: %q", w)
		}
		step(302, false)
		step(404, false)
		step(200, false)
		step(404, false)
		if n := asked.Load(); n != 7 {
			t.Errorf("asked %d times in 60 s", n)
		}
		r.Path = "/other*" // a change that keeps the origin keeps what is known of it
		source.set("news", r)
		s.Refresh()
		if s.pool.origins[o.key] != o {
			t.Error("the origin was made anew")
		}
		source.set("news")
		s.Refresh()
		time.Sleep(time.Hour)
		if n := asked.Load(); n != 7 {
			t.Errorf("asked %d times, though no table names it", n)
		}
		_ = s.Shutdown(context.Background())
		_ = server.Close()
		serving.Wait()
	})
}
