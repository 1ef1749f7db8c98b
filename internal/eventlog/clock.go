package eventlog

import (
	"encoding/binary"
	"math"
	"strings"
)

// clockForgotten stands in the journal for a site that was removed.
const clockForgotten = math.MinInt64

// clock is the now of a site whose clock is "event": the greatest event time.
type clock struct {
	site    string
	now     int64 // with what the open commits change
	known   bool
	touched bool // by the open commit
	durable siteState
}

// siteState is a clock's value as of the last durable commit.
type siteState struct {
	now   int64
	known bool
}

// durableClock is the state that a clock's line in the journal stands for.
func durableClock(now int64) siteState {
	if now == clockForgotten {
		return siteState{}
	}
	return siteState{now, true}
}

// set makes now, or clockForgotten, the durable value.
func (k *clock) set(now int64) {
	k.durable = durableClock(now)
	k.undo()
}

// undo returns to the durable value.
func (k *clock) undo() { k.now, k.known = k.durable.now, k.durable.known }

// clockOf returns the clock of a site, made if need be.
func (c *Committer) clockOf(site string) *clock {
	k := c.clocks[site]
	if k == nil {
		k = &clock{site: strings.Clone(site)}
		c.clocks[k.site] = k
	}
	return k
}

func leUint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
