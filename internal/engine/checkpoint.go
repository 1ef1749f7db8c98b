package engine

import (
	"context"
)

type checkpointer struct{}

func openCheckpoint(dir string, e *Engine) (*checkpointer, error) { return &checkpointer{}, nil }
func (c *checkpointer) close() error                              { return nil }

// Checkpoint writes the state.
func (e *Engine) Checkpoint(ctx context.Context) error { return nil }
