package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/collect"
)

// TestCommitsAreTriedAgain: what finds nobody to take it is taken later, once.
func TestCommitsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var mu sync.Mutex
		var took []string
		c := newCommits(func(_ context.Context, k kept) bool {
			mu.Lock()
			defer mu.Unlock()
			if !away.Load() {
				took = append(took, k.id)
			}
			return away.Load()
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.run(ctx) }()
		away.Store(true)
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint(i))
			c.begin(kept{id: fmt.Sprint(i)})
		}
		time.Sleep(time.Minute)
		if waiting, settled, _ := c.counts(); waiting != 20 || settled != 0 || len(took) != 0 {
			t.Errorf("%d wait, %d are settled, %d were taken while nobody was there", waiting, settled, len(took))
		}
		away.Store(false)
		time.Sleep(2 * time.Second)
		cancel()
		<-done
		slices.Sort(took)
		slices.Sort(want)
		if waiting, settled, lost := c.counts(); waiting != 0 || settled != 20 || lost != 0 || !slices.Equal(took, want) {
			t.Errorf("%d wait, %d are settled, %d lost, taken are %v", waiting, settled, lost, took)
		}
	})
}

// TestCommitsNeverWait: beyond what runs at once they are kept for later.
func TestCommitsNeverWait(t *testing.T) {
	block := make(chan struct{})
	c := newCommits(func(context.Context, kept) bool { <-block; return false })
	for i := range maxRunning + maxWaiting + 3 {
		c.begin(kept{id: fmt.Sprint(i)})
	}
	if waiting, _, dropped := c.counts(); waiting != maxWaiting || dropped != 3 {
		t.Errorf("%d wait, %d are dropped", waiting, dropped)
	}
	close(block)
	c.running.Wait()
}

func TestSpeculation(t *testing.T) {
	for header, want := range map[string]bool{
		"Sec-Purpose: prefetch": true, "Sec-Purpose: prefetch;prerender": true, "Sec-Purpose: prefetch;anonymous-client-ip": true, "Purpose: prefetch": true,
		"X-Moz: prefetch": true, "X-Purpose: preview": true, "Purpose: prefetching": false, "Accept: prefetch": false, "Sec-Purpose: ": false,
	} {
		name, value, _ := strings.Cut(header, ": ")
		if got := speculative(collect.HTTPHeader{name: {value}}); got != want {
			t.Errorf("%s: %t", header, got)
		}
	}
}

func TestReadQuery(t *testing.T) {
	for raw, want := range map[string]query{
		"access=story&mode=forward&key=k":                        {"story", "forward", "k", ""},
		"access=story&access=open":                               {"story", "", "", ""},
		"access=story&uri=/a?access=open&mode=forward&uri=/free": {"story", "", "", "/a?access=open&mode=forward&uri=/free"},
		"": {}, "&&=": {}, "access": {},
	} {
		if got := readQuery(raw); got != want {
			t.Errorf("%q reads %+v, want %+v", raw, got, want)
		}
	}
}

func FuzzEscaped(f *testing.F) {
	for _, s := range []string{"device:d1", "account:a b", "x\r\nSet-Cookie: y", "ä%41,;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := escaped(text)
		for _, c := range []byte(got) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("%q is escaped as %q", text, got)
			}
		}
	})
}
