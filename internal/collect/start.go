package collect

import (
	"context"

	"github.com/readership/readership/internal/problem"
)

// MaxWhole is the largest body in bytes that Start takes.
const MaxWhole = 64 << 10

// Pending is a request that waits for its commit.
type Pending struct{ x *exchange }

// Start is Collect for transports that have the body at hand, in q.Whole, and
// one goroutine for many requests: it does not wait. If it returns false the
// answer is made. Else committed is called once, by the committer, which must
// not be held up, and then Finish makes the answer, after Start has returned. q
// and its bytes stay as they are until then. The body, MaxWhole bytes at most,
// is committed in one piece.
func (c *Collector) Start(q *Request, out *Response, committed func()) (p Pending, waits bool) {
	x := c.begin(q, out)
	defer func() {
		if !x.waits { // also of a request that panicked
			c.end(x)
		}
	}()
	x.committed = committed
	x.serve(context.Background())
	return Pending{x}, x.waits
}

// Finish makes the answer of a request whose commit has ended.
func (p Pending) Finish() {
	x := p.x
	defer x.c.end(x)
	x.waits = false
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
	x.waits = true
	return nil, ""
}

// settled is called by the committer.
func (x *exchange) settled(err error) {
	x.part.err = err
	x.committed()
}
