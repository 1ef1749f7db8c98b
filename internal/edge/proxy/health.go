package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// checkTime is the most that a check may take.
	checkTime = 5 * time.Second
	// sickAfter is how many checks in a row must fail.
	sickAfter = 2
)

// watch asks an origin how it is until ctx ends. One good answer makes it well.
func (s *Server) watch(ctx context.Context, o *origin) {
	tick := time.NewTicker(o.key.every)
	defer tick.Stop()
	failed := 0
	for {
		switch err := s.check(ctx, o); {
		case ctx.Err() != nil:
			return
		case err == nil:
			failed = 0
			o.succeeded()
			if o.sick.CompareAndSwap(true, false) {
				o.trouble.Store(nil)
				s.cfg.Logger.Info("origin is well again", "origin", o.key.url)
			}
		default:
			if failed++; failed >= sickAfter && o.sick.CompareAndSwap(false, true) {
				text := err.Error()
				o.trouble.Store(&text)
				s.cfg.Logger.Warn("origin is not well and gets no requests while others are", "origin", o.key.url, "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// check asks once: an answer from 200 to 399 is a good one.
func (s *Server) check(ctx context.Context, o *origin) error {
	ctx, cancel := context.WithTimeout(ctx, min(checkTime, max(o.key.every, time.Second)))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.key.url+o.key.health, nil)
	if err != nil {
		return fmt.Errorf("check %s: %w", o.key.url, err)
	}
	r.Header.Set("User-Agent", "Readership-Health/1")
	answer, err := o.transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("check %s: %w", o.key.health, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be kept
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("check %s: answered %s", o.key.health, answer.Status)
	}
	return nil
}
