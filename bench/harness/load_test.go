package harness

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAskHasOneRequestUnderWayOnEachConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const connections = 4
		var busy [connections]atomic.Bool
		l := Load{Connections: connections, Duration: 99500 * time.Microsecond}
		l.Ask = func(i int, n uint64) error {
			if busy[i].Swap(true) {
				t.Errorf("connection %d is asked twice at once", i)
			}
			time.Sleep(time.Millisecond)
			busy[i].Store(false)
			if n%10 == 9 {
				return errors.New("no answer")
			}
			return nil
		}
		r, err := l.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Offered != 400 || r.Broken != 40 || len(r.Accepted) != 360 {
			t.Errorf("offered %d, broken %d, accepted %d; want 400, 40, 360", r.Offered, r.Broken, len(r.Accepted))
		}
		if p50 := Quantile(r.Accepted, .5); p50 != time.Millisecond {
			t.Errorf("p50 is %s, want 1ms", p50)
		}
	})
}
