package harness

import (
	"context"
	"fmt"
	"time"
)

// Simulation is the answer of a simulation.
type Simulation struct {
	ID             string         `json:"id"`
	State          string         `json:"state"`
	Decisions      int            `json:"decisions"`
	Allowed        int            `json:"allowed"`
	Denied         int            `json:"denied"`
	ReadersDenied  int            `json:"readers_denied"`
	ByClause       map[string]int `json:"by_clause"`
	NewlyDenied    int            `json:"newly_denied"`
	NoLongerDenied int            `json:"no_longer_denied"`
	Error          string         `json:"error"`
}

// MeterProgram is a program whose access block story allows so many articles in
// a period of the calendar.
func MeterProgram(limit int, period string) string {
	return fmt.Sprintf(`meter articles (limit: %d) = burns |> per %s |> distinct item
access story {
  allow again   if item in articles
  allow metered if articles.left > 0 burns articles
  deny  wall
}`, limit, period)
}

// Simulate asks for a simulation of a site and waits for what comes of it.
func (s *Server) Simulate(ctx context.Context, site string, body any) (out Simulation, err error) {
	path := "/v1/sites/" + site + "/simulations"
	if err := s.Call(ctx, "POST", path, body, &out); err != nil {
		return out, err
	}
	for out.State == "queued" || out.State == "running" {
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		out = Simulation{ID: out.ID}
		if err := s.Call(ctx, "GET", path+"/"+out.ID, nil, &out); err != nil {
			return out, err
		}
	}
	if out.State != "done" {
		return out, fmt.Errorf("simulation %s: %s %s", out.ID, out.State, out.Error)
	}
	return out, nil
}
