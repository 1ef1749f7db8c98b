package api

import (
	"context"
	"fmt"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// factsOf makes the facts of a list of things; of those with one key the last
// counts. A fault in one refuses all, and the error names all faults. prepare,
// if not nil, changes a value before it is read.
func factsOf[T any](a *API, values []any, fact func(location string, in *T) (event.Fact, *problem.Fault), prepare func(any) any) ([]event.Fact, error) {
	var list []problem.Fault
	places := make(map[string]int, len(values)) // key → its fact
	var facts []event.Fact
	for n, v := range values {
		location := index("body", n)
		if prepare != nil {
			v = prepare(v)
		}
		in, found := decodeInto[T](a, location, v)
		if len(found) == 0 {
			f, fault := fact(location, &in)
			if fault == nil {
				if at, ok := places[f.Key]; ok {
					facts[at] = f
				} else {
					places[f.Key] = len(facts)
					facts = append(facts, f)
				}
				continue
			}
			found = append(found, *fault)
		}
		if list = append(list, found...); len(list) >= problem.MaxFaults {
			break
		}
	}
	if len(list) > 0 {
		return nil, unprocessable(list...)
	}
	return facts, nil
}

// commitMany appends facts to the log, a commit for every itemsPerWrite bytes,
// so that others get in between, and returns when the engine shows them all.
func (a *API) commitMany(ctx context.Context, facts []event.Fact) error {
	c := callOf(ctx)
	for len(facts) > 0 {
		size, n := 0, 0
		for n < len(facts) && (n == 0 || size+len(facts[n].Value) <= itemsPerWrite) {
			size += len(facts[n].Value) + len(facts[n].Key) + 64
			n++
		}
		position, err := a.Committer.CommitFacts(ctx, facts[:n]...)
		if err != nil {
			return fmt.Errorf("commit facts: %w", err)
		}
		c.wrote, c.at = position, max(c.at, position)
		facts = facts[n:]
	}
	return a.await(ctx, c)
}
