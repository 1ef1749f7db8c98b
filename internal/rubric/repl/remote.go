package repl

import (
	"context"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// remote is the catalogue of a running site: an item is read when it is first
// asked for.
type remote struct {
	read  func(ctx context.Context, id string) (*event.Item, error)
	known map[string]*event.Item
	ctx   context.Context // of the text that is answered
	err   error           // the first of it
}

// during lets an answer look up items. An item that could not be read makes it
// fail.
func (r *remote) during(ctx context.Context, answer func() Reply) Reply {
	r.ctx, r.err = ctx, nil
	out := answer()
	if r.err != nil {
		return wrong("%v", r.err)
	}
	return out
}

// mostKnown bounds the items that are kept.
const mostKnown = 10_000

func (r *remote) item(id string) *event.Item {
	i, known := r.known[id]
	if known || r.err != nil {
		return i
	}
	i, r.err = r.read(r.ctx, id)
	if r.err != nil {
		return nil
	}
	if len(r.known) >= mostKnown {
		clear(r.known)
	}
	r.known[id] = i
	return i
}

// Field implements fold.Catalogue.
func (r *remote) Field(item string, f plan.Field) value.Value { return fold.ItemField(r.item(item), f) }

// Attribute implements fold.Catalogue.
func (r *remote) Attribute(item, name string) value.Value {
	return fold.ItemAttribute(r.item(item), name)
}
