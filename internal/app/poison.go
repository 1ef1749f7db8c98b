package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/store"
)

// poison keeps the log messages that the engine could not apply. After the
// first failure at a position the engine starts again from its checkpoint;
// after the second the message is skipped, and a fact in the log says so: every
// replay leaves its events out, also one that could apply them.
type poison struct {
	failures map[event.Position]int
	skips    map[event.Position]string // with the cause
}

// skipAfter is how many failures it takes.
const skipAfter = 2

func newPoison() *poison {
	return &poison{failures: map[event.Position]int{}, skips: map[event.Position]string{}}
}

// failed counts a failure and says whether the position is skipped from now
// on. Position 0 is no message, but something else that the engine did.
func (p *poison) failed(position event.Position, cause error) bool {
	p.failures[position]++
	if position == 0 || p.failures[position] < skipAfter {
		return false
	}
	p.skips[position] = cause.Error()
	return true
}

// positions are those that the engine leaves out.
func (p *poison) positions() map[event.Position]bool {
	out := make(map[event.Position]bool, len(p.skips))
	for position := range p.skips {
		out[position] = true
	}
	return out
}

// errSkipped says that the log skips messages that were applied: the engine has
// to start again, without them and without a checkpoint.
var errSkipped = errors.New("the log skips messages that were applied")

// staleMark is the file that says that the checkpoint holds what is skipped.
const staleMark = "checkpoint-is-stale"

// agree brings together what the log and this process skip. It runs before the
// first request is answered.
func (n *node) agree(ctx context.Context) error {
	said := map[event.Position]string{}
	err := n.engine.EachFact(func(f event.Fact) error {
		if f.Kind != event.FactSkip {
			return nil
		}
		var skip event.Skip
		position, err := event.ParsePosition(f.Key)
		if err == nil {
			err = json.Unmarshal(f.Value, &skip)
		}
		if err != nil {
			return fmt.Errorf("fact %s %q: %w", f.Kind, f.Key, err)
		}
		said[position] = skip.Cause
		return nil
	})
	if err != nil {
		return err
	}
	again := false
	for position, cause := range said {
		if _, known := n.poison.skips[position]; !known && position > n.checkpoint {
			n.poison.skips[position], again = cause, true
		}
	}
	if again {
		if err := os.WriteFile(n.path(staleMark), nil, 0o600); err != nil {
			return err
		}
		return errSkipped
	}
	for _, position := range slices.Sorted(maps.Keys(n.poison.skips)) {
		if _, ok := said[position]; ok {
			continue
		}
		said[position] = n.poison.skips[position]
		value, err := json.Marshal(event.Skip{Cause: said[position]})
		if err != nil {
			return err
		}
		if err := n.mustWrite(ctx, event.Fact{Kind: event.FactSkip, Key: position.String(), Value: value}); err != nil {
			return fmt.Errorf("skip %s: %w", position, err)
		}
	}
	for _, position := range slices.Sorted(maps.Keys(said)) {
		if position >= n.log.First() {
			n.quarantine = append(n.quarantine, api.Quarantined{Position: position.String(), Cause: said[position]})
		} else if err := n.mustWrite(ctx, event.Fact{Kind: event.FactSkip, Key: position.String()}); err != nil {
			return fmt.Errorf("forget that %s was skipped: %w", position, err)
		}
	}
	return nil
}

// dropStale removes a checkpoint that holds what is skipped.
func (n *node) dropStale(dir string) error {
	if _, err := os.Stat(n.path(staleMark)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Remove(n.path(staleMark))
}

// quarantine implements api.Quarantine.
type quarantine struct{ node *node }

// List implements api.Quarantine.
func (q quarantine) List() []api.Quarantined { return q.node.quarantine }

// Message implements api.Quarantine.
func (q quarantine) Message(ctx context.Context, position event.Position) (message []byte, err error) {
	found := errors.New("found")
	err = q.node.log.Read(ctx, position-1, func(at event.Position, m []byte) error {
		if at == position {
			message = m
		}
		return found
	})
	switch {
	case err != nil && !errors.Is(err, found):
		return nil, err
	case message == nil:
		return nil, store.ErrNotFound
	}
	return message, nil
}
