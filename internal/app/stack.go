package app

import (
	"errors"
	"fmt"
)

// stack stops what was started, in reverse.
type stack []stop

type stop struct {
	name string
	do   func() error
}

func (s *stack) add(name string, do func() error) { *s = append(*s, stop{name, do}) }

// unwind stops everything and returns what went wrong.
func (s *stack) unwind() error {
	var errs []error
	for i := len(*s) - 1; i >= 0; i-- {
		if err := (*s)[i].do(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", (*s)[i].name, err))
		}
	}
	*s = nil
	return errors.Join(errs...)
}
