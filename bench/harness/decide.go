package harness

import (
	"context"
	"net/http"
	"time"
)

// Decision is the verdict on a question about a reader and an item.
type Decision struct {
	Decision string `json:"decision"`
	Clause   string `json:"clause"`
	Offer    string `json:"offer"`
	ID       string `json:"decision_id"`
	Reader   string `json:"reader"`
	Version  int    `json:"program_version"`
	TTL      int    `json:"ttl_s"`
	Meter    *struct {
		Name     string     `json:"name"`
		Used     int        `json:"used"`
		Limit    int        `json:"limit"`
		Left     int        `json:"left"`
		ResetsAt *time.Time `json:"resets_at"`
	} `json:"meter"`
	Commit   *string  `json:"commit"`
	Segments []string `json:"segments"`
	Fallback bool     `json:"fallback"`
}

// Committed is what came of the commit; "" without one.
func (d *Decision) Committed() string {
	if d.Commit == nil {
		return ""
	}
	return *d.Commit
}

// Decide asks a question; body is that of POST …/decisions, of one question.
func (s *Server) Decide(ctx context.Context, site string, body any) (*Decision, error) {
	d := new(Decision)
	return d, s.Call(ctx, http.MethodPost, "/v1/sites/"+site+"/decisions", body, d)
}

// Commit commits a decision.
func (s *Server) Commit(ctx context.Context, site, id string) (*Decision, error) {
	d := new(Decision)
	return d, s.Call(ctx, http.MethodPost, "/v1/sites/"+site+"/decisions/"+id+"/commit", nil, d)
}
