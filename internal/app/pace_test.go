package app

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: of work that can wait, a third of the time is spent on it, in spells
// of a millisecond.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := pace(time.Now)()
		begun, worked := time.Now(), time.Duration(0)
		for range 10_000 {
			const step = 50 * time.Microsecond
			time.Sleep(step)
			worked += step
			if rest := next(); rest != nil {
				before := time.Now()
				<-rest
				if took := time.Since(before); took != paceRest*paceWork {
					t.Fatalf("a rest of %s", took)
				}
			}
		}
		if part := float64(worked) / float64(time.Since(begun)); part < .3 || part > .4 {
			t.Errorf("%.2f of the time is work", part)
		}
		for step, want := range map[time.Duration]time.Duration{7 * time.Millisecond: 14 * time.Millisecond, time.Hour: paceRest * paceMost} {
			next := pace(time.Now)()
			if next() != nil {
				t.Fatal("a rest before any work")
			}
			time.Sleep(step)
			begun := time.Now()
			if <-next(); time.Since(begun) != want {
				t.Errorf("after %s of work a rest of %s, want %s", step, time.Since(begun), want)
			}
		}
	})
}
