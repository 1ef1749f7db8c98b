package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// tally is what one connection, or all of them, saw in a step.
type tally struct {
	offered    uint64 // requests that were sent
	unsent     uint64 // requests that were due and could not be sent in time
	ok         Histogram
	refused    Histogram // 429 and 503, from being sent
	service    Histogram // 200, from being sent
	lag        Histogram // how late our own timer was
	statuses   map[int]uint64
	failures   map[string]uint64
	redials    uint64
	accepted   uint64 // events
	duplicates uint64
	noRetry    uint64 // refusals without Retry-After
}

func (t *tally) answered(a *answer, due, sent time.Duration) {
	if t.statuses == nil {
		t.statuses = make(map[int]uint64)
	}
	t.statuses[a.status]++
	t.accepted += uint64(a.accepted)
	t.duplicates += uint64(a.duplicates)
	switch a.status {
	case 200, 204:
		t.ok.Record(due)
		t.service.Record(sent)
	case 429, 503:
		t.refused.Record(sent)
		if !a.retryAfter {
			t.noRetry++
		}
	}
}

func (t *tally) failed(err error) {
	if t.failures == nil {
		t.failures = make(map[string]uint64)
	}
	text := "connection lost"
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		text = "timed out"
	} else if errors.Is(err, errAnswer) {
		text = errAnswer.Error()
	}
	t.failures[text]++
}

func (t *tally) add(o *tally) {
	t.offered += o.offered
	t.unsent += o.unsent
	t.redials += o.redials
	t.accepted += o.accepted
	t.duplicates += o.duplicates
	t.noRetry += o.noRetry
	t.ok.Add(&o.ok)
	t.refused.Add(&o.refused)
	t.service.Add(&o.service)
	t.lag.Add(&o.lag)
	for status, n := range o.statuses {
		if t.statuses == nil {
			t.statuses = make(map[int]uint64)
		}
		t.statuses[status] += n
	}
	for text, n := range o.failures {
		if t.failures == nil {
			t.failures = make(map[string]uint64)
		}
		t.failures[text] += n
	}
}

// Latency are percentiles in milliseconds.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

func latency(h *Histogram) Latency {
	ms := func(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }
	return Latency{Count: h.Count(), Mean: ms(h.Mean()), P50: ms(h.Quantile(.5)), P90: ms(h.Quantile(.9)),
		P99: ms(h.Quantile(.99)), P999: ms(h.Quantile(.999)), Max: ms(h.Max())}
}

// StepReport is what was measured at one rate. Rates are per second.
type StepReport struct {
	Rate       float64           `json:"rate"` // asked for, requests; 0: as fast as possible
	Seconds    float64           `json:"seconds"`
	Sent       uint64            `json:"sent"`
	Unsent     uint64            `json:"unsent"` // due, but the connections were all busy
	Answered   float64           `json:"answered_rate"`
	Events     float64           `json:"accepted_event_rate"`
	Accepted   uint64            `json:"accepted_events"`
	Duplicates uint64            `json:"duplicate_events"`
	Latency    Latency           `json:"latency"`            // of 200s, from when each was due
	Service    Latency           `json:"service"`            // of 200s, from when each was sent
	Refused    Latency           `json:"refused"`            // of 429 and 503, from when each was sent
	Lag        Latency           `json:"generator_lag"`      // how late the generator's own timers were
	NoRetry    uint64            `json:"no_retry_after"`     // refusals without Retry-After
	Statuses   map[int]uint64    `json:"statuses"`           // requests by status
	Failures   map[string]uint64 `json:"failures,omitempty"` // requests without an answer
	Redials    uint64            `json:"failed_connects"`
}

func (t *tally) report(s Step, took time.Duration, batch int) StepReport {
	seconds := max(took.Seconds(), 1e-9)
	answered := uint64(0)
	for _, n := range t.statuses {
		answered += n
	}
	return StepReport{Rate: s.Rate, Seconds: seconds, Sent: t.offered, Unsent: t.unsent,
		Answered: float64(answered) / seconds, Events: float64(t.accepted) / seconds,
		Accepted: t.accepted, Duplicates: t.duplicates,
		Latency: latency(&t.ok), Service: latency(&t.service), Refused: latency(&t.refused), Lag: latency(&t.lag),
		NoRetry: t.noRetry, Statuses: t.statuses, Failures: t.failures, Redials: t.redials}
}

// Report is what a run measured.
type Report struct {
	Connections int          `json:"connections"`
	Batch       int          `json:"batch"`
	Seed        uint64       `json:"seed"`
	Run         string       `json:"run"`
	Steps       []StepReport `json:"steps"`

	acked map[event]bool
}

// Failed says whether nothing at all was accepted.
func (r *Report) Failed() bool {
	for _, s := range r.Steps {
		if s.Latency.Count > 0 {
			return false
		}
	}
	return true
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s a request, seed %d; latency from when a request was due, in ms\n\n",
		count(r.Connections, "connection"), count(r.Batch, "event"), r.Seed)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "asked/s\tanswered/s\tevents/s\tp50\tp90\tp99\tp99.9\tmax\trefused\tp99\tfailed\tnot sent\t")
	for _, s := range r.Steps {
		asked := "max"
		if s.Rate > 0 {
			asked = fmt.Sprintf("%.0f", s.Rate)
		}
		failed := uint64(0)
		for _, n := range s.Failures {
			failed += n
		}
		l := s.Latency
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%.2f\t%d\t%d\t\n", asked, s.Answered, s.Events,
			l.P50, l.P90, l.P99, l.P999, l.Max, s.Refused.Count, s.Refused.P99, failed, s.Unsent)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, s := range r.Steps {
		var notes []string
		for _, status := range sortedKeys(s.Statuses) {
			if status != 200 && status != 204 {
				notes = append(notes, fmt.Sprintf("status %d: %d", status, s.Statuses[status]))
			}
		}
		for text, n := range s.Failures {
			notes = append(notes, fmt.Sprintf("%s: %d", text, n))
		}
		if s.NoRetry > 0 {
			notes = append(notes, fmt.Sprintf("refusals without Retry-After: %d", s.NoRetry))
		}
		if s.Duplicates > 0 {
			notes = append(notes, fmt.Sprintf("duplicate events: %d", s.Duplicates))
		}
		if s.Lag.P99 > 5 {
			notes = append(notes, fmt.Sprintf("the generator itself was late, p99 %.1f ms: give it a core of its own", s.Lag.P99))
		}
		if len(notes) > 0 {
			sort.Strings(notes)
			fmt.Fprintf(w, "\nstep %d: %s", i+1, strings.Join(notes, "; "))
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sortedKeys(m map[int]uint64) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	return keys
}
