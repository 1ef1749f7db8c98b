package simulate

import (
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
	"github.com/readership/readership/internal/segment"
)

// reader is the reader that decisions are about. It is fold.Profile and
// incremental.Reader at the instant of the decision, and fold.Request as its row
// asks.
type reader struct {
	segment.Reader
	ordinal uint32
	shard   *shardFacts
	asking  int // row
}

var _ incremental.Reader = (*reader)(nil)

func (r *reader) load(of engine.Reader, ordinal uint32, shard *shardFacts) {
	r.Reader.Load(of)
	r.ordinal, r.shard = ordinal, shard
}

// FirstSubject implements fold.Profile.
func (r *reader) FirstSubject() string {
	if r.Account != "" {
		if device, ok := r.shard.firsts()[r.ordinal]; ok {
			return device
		}
	}
	return r.Name
}

// Rows implements incremental.Reader. A row is named by its place among the
// reader's events; those that an account did on a device are not the device's.
func (r *reader) Rows(dst []incremental.Entry, from int64, most int) []incremental.Entry {
	for i := r.Events.Len() - 1; i >= 0 && len(dst) < most; i-- {
		t := r.Events.Time(i)
		if t < from {
			break
		}
		if r.Account != "" || !r.Events.Proven(i) {
			dst = append(dst, incremental.Entry{Time: t, Sequence: uint64(i), Row: incremental.Row(i)})
		}
	}
	return dst
}

// Late implements incremental.Reader: the rows are in order.
func (r *reader) Late() int64 { return 0 }

// Changes implements incremental.Reader: nobody asks how long an answer holds.
func (r *reader) Changes(now int64) int64 { return now + 1 }

// Column implements fold.Request.
func (r *reader) Column(c plan.Column) value.Value {
	return segment.Row{Of: &r.Reader, I: r.asking}.Column(c)
}

// Flag implements fold.Request: page views do not say which links were followed.
func (r *reader) Flag(plan.Flag) bool { return false }

// BotVerified implements fold.Request: robots are left out.
func (r *reader) BotVerified() bool { return false }

// BotClass implements fold.Request.
func (r *reader) BotClass() value.Value { return r.Column(plan.Column(event.ColBotClass)) }

// BotOperator implements fold.Request.
func (r *reader) BotOperator() value.Value { return r.Column(plan.Column(event.ColBotOperator)) }
