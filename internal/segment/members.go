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
	return each(ctx, p, s, view, at, func(reader string, in bool) error {
		if !in {
			return nil
		}
		return emit(reader)
	})
}

// Size counts the members of a segment, and all readers that could be. Like
// Members it counts a person once.
func Size(ctx context.Context, p *plan.Program, s *plan.Segment, view *engine.View, at int64) (members, readers int, err error) {
	err = each(ctx, p, s, view, at, func(_ string, in bool) error {
		readers++
		if in {
			members++
		}
		return nil
	})
	return members, readers, err
}

// each calls emit with each reader, a person once, and whether it is in a segment.
func each(ctx context.Context, p *plan.Program, s *plan.Segment, view *engine.View, at int64, emit func(reader string, in bool) error) error {
	n := 0
	return view.EachReader(func(name string) error {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return fmt.Errorf("find the members of segment %s: %w", s.Name, ctx.Err())
		}
		r, ok := view.Reader(name)
		if !ok || r.Away(at) {
			return nil
		}
		return emit(name, View(p, &r, at).Segment(s.ID))
	})
}
