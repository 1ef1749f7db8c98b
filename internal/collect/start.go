package collect

import (
	"context"

	"github.com/readership/readership/internal/problem"
)

// MaxWhole is the largest body in bytes that Start takes.
const MaxWhole = 64 << 10

// Pending is a request that has not been answered.
type Pending struct{ x *exchange }

// Stage is how far a request has come.
type Stage uint8

const (
	// Answered requests are over: the answer is made.
	Answered Stage = iota
	// Admitted requests have a place among those that are worked on. Next is
	// Work, or Drop.
	Admitted
	// Waiting requests wait for their commit. Next is Finish, once committed has
	// been called.
	Waiting
)

// Start is Collect for transports that have the body at hand, in q.Whole, and
// one goroutine for many requests: it does not wait, nor look at the body. So
// whoever has many requests at hand starts them all, which answers those that
// are refused, before the first is worked on.
//
// committed is called once, by the committer, which must not be held up. q and
// its bytes stay as they are until the request is answered. The body, MaxWhole
// bytes at most, is committed in one piece.
func (c *Collector) Start(q *Request, out *Response, committed func()) (Pending, Stage) {
	x := c.begin(q, out)
	x.committed = committed
	return Pending{x}, x.run((*exchange).serve)
}

// Work reads the body of an admitted request and hands its events to the
// committer.
func (p Pending) Work() Stage { return p.x.run((*exchange).work) }

// Drop ends an admitted request whose sender has gone.
func (p Pending) Drop() { p.x.c.end(p.x) }

// run does a step of a request that Start began and ends it with its answer.
func (x *exchange) run(step func(*exchange, context.Context)) Stage {
	x.stage = Answered
	defer func() {
		if x.stage == Answered { // also of a request that panicked
			x.c.end(x)
		}
	}()
	step(x, context.Background())
	return x.stage
}

// Finish makes the answer of a request whose commit has ended.
func (p Pending) Finish() {
	x := p.x
	defer x.c.end(x)
	x.stage = Answered
	if fault, reason := x.tallied(x.part.err); fault != nil {
		x.refuse(fault, reason)
	} else {
		x.answer()
	}
}

// submit hands the part to the committer.
func (x *exchange) submit() (*problem.Problem, string) {
	if x.settle == nil {
		x.settle = x.settled
	}
	if err := x.c.committer.Submit(x.part.submission(), x.settle); err != nil {
		return x.tallied(err)
	}
	x.stage = Waiting
	return nil, ""
}

// settled is called by the committer.
func (x *exchange) settled(err error) {
	x.part.err = err
	x.committed()
}
