package rate

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLimit: each sender has its own bucket, and time fills it again.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimit(2, time.Second, 100, time.Now)
		for range 2 {
			if _, ok := l.Take(1, "a", 1); !ok {
				t.Fatal("refused too early")
			}
		}
		wait, ok := l.Take(1, "a", 1)
		if ok || wait != time.Second/2 {
			t.Fatalf("%v, wait %v", ok, wait)
		}
		l.Refuse()
		if _, ok := l.Take(2, "a", 1); !ok {
			t.Error("another kind of sender is refused")
		}
		time.Sleep(wait)
		if _, ok := l.Take(1, "a", 1); !ok {
			t.Error("refused after the wait")
		}
		l.Give(1, "a", 1)
		if _, ok := l.Take(1, "a", 1); !ok {
			t.Error("refused what was given back")
		}
		if n := l.Refused(); n != 1 {
			t.Errorf("%d were refused", n)
		}
	})
	var none *Limit = NewLimit(0, time.Second, 100, time.Now)
	if _, ok := none.Take(1, "a", 1); !ok || none.Refused() != 0 {
		t.Error("no limit limits")
	}
	for bytes, want := range map[int64]int64{-1: 1, 0: 1, tokenBytes - 1: 1, tokenBytes: 2} {
		if got := Tokens(bytes); got != want {
			t.Errorf("%d bytes are %d tokens", bytes, got)
		}
	}
}
