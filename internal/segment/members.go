package segment

import (
	"context"
	"fmt"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/rubric/plan"
)

// Members calls emit with each reader that is in a segment at an instant of the
// site's clock that lies in the view's window, in no order. A person counts once:
// a device whose newest row is an account's is no member, the account may be. An
// error of emit, or ctx, ends it.
func Members(ctx context.Context, p *plan.Program, s *plan.Segment, view *engine.View, at int64, emit func(reader string) error) error {
	n := 0
	return view.EachReader(func(name string) error {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return fmt.Errorf("find the members of segment %s: %w", s.Name, ctx.Err())
		}
		r, ok := view.Reader(name)
		if !ok || r.Away(at) {
			return nil
		}
		v, ok := newView(p, view, name, at)
		if !ok || !v.Segment(s.ID) {
			return nil
		}
		return emit(name)
	})
}
