package rate

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plain is a bucket as one would explain it: it holds tokens, of which one comes
// back each every, and never more than it can hold.
type plain struct {
	every, holds, missing, at int64 // nanoseconds; missing is what it takes to be full
}

func (p *plain) take(tokens, now int64) bool {
	p.missing = max(0, p.missing-(now-p.at))
	p.at = now
	cost := min(tokens*p.every, p.holds)
	if p.missing+cost > p.holds {
		return false
	}
	p.missing += cost
	return true
}

// TestLikePlainBuckets compares with plain buckets while there is room for all
// keys.
func TestLikePlainBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Of(rapid.IntRange(1, 2000).Draw(t, "per second"), time.Duration(rapid.IntRange(1, 5000).Draw(t, "span"))*time.Millisecond)
		b := New(1024)
		want := map[uint64]*plain{}
		now := int64(1_772_600_767_089_000_000)
		for range rapid.IntRange(1, 200).Draw(t, "takes") {
			now += rapid.Int64Range(0, 2*r.holds).Draw(t, "later")
			key := b.Key('a', strconv.Itoa(rapid.IntRange(0, 2).Draw(t, "key")))
			tokens := rapid.Int64Range(1, 50).Draw(t, "tokens")
			p := want[key]
			if p == nil {
				p = &plain{every: r.every, holds: r.holds, at: now}
				want[key] = p
			}
			wait, ok := b.Take(key, r, tokens, now)
			if should := p.take(tokens, now); ok != should {
				t.Fatalf("took %v, want %v", ok, should)
			}
			if ok {
				continue
			}
			if _, early := b.Take(key, r, tokens, now+int64(wait)-1); early {
				t.Fatalf("there was enough before %s had passed", wait)
			}
			now += int64(wait)
			if _, ok := b.Take(key, r, tokens, now); !ok || !p.take(tokens, now) {
				t.Fatalf("there is not enough after %s", wait)
			}
		}
	})
}

// TestNothing allows all where there is no rate.
func TestNothing(t *testing.T) {
	b := New(1)
	for range 1000 {
		if _, ok := b.Take(1, Of(0, time.Second), 1<<40, 1); !ok {
			t.Fatal("refused")
		}
	}
}

// TestClockSetBack locks nobody out for longer than a bucket takes to fill.
func TestClockSetBack(t *testing.T) {
	r, b := Of(10, time.Second), New(1)
	now := int64(1_772_600_767_089_000_000)
	for range 10 {
		if _, ok := b.Take(7, r, 1, now); !ok {
			t.Fatal("refused")
		}
	}
	now -= int64(time.Hour)
	if wait, ok := b.Take(7, r, 1, now); ok || wait > 100*time.Millisecond {
		t.Errorf("%v after %s", ok, wait)
	}
	if _, ok := b.Take(7, r, 10, now+int64(time.Second)); !ok {
		t.Error("still locked out a second later")
	}
}

// TestManyKeys forgives rather than refuses: whatever the number of keys, each
// has at least what its rate allows.
func TestManyKeys(t *testing.T) {
	r, b := Of(1000, time.Second), New(64)
	now := int64(1_772_600_767_089_000_000)
	for round := range 50 {
		for key := range 10_000 {
			if _, ok := b.Take(b.Key('k', strconv.Itoa(key)), r, 1, now); !ok {
				t.Fatalf("key %d is refused in round %d", key, round)
			}
		}
		now += int64(time.Millisecond)
	}
	if n := len(b.sets) * ways; n > 256 {
		t.Errorf("%d buckets", n)
	}
}

// TestKinds keeps apart what is spelled alike.
func TestKinds(t *testing.T) {
	b := New(1)
	if b.Key('a', "x") == b.Key('b', "x") || b.Key('a', "x") != b.KeyOf('a', []byte("x")) {
		t.Error("keys are mixed up")
	}
}

func BenchmarkTake(b *testing.B) {
	r, buckets := Of(1_000_000, time.Second), New(64<<10)
	now := int64(1_772_600_767_089_000_000)
	b.ReportAllocs()
	for b.Loop() {
		now += 1000
		if _, ok := buckets.Take(buckets.Key('k', "w_0123456789abcdef0123456789abcdef"), r, 1, now); !ok {
			b.Fatal("refused")
		}
	}
}
