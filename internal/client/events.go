package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/readership/readership/internal/problem"
)

// Receipt is the answer to a body of events.
type Receipt struct {
	Accepted      int        `json:"accepted"`
	Duplicates    int        `json:"duplicates"`
	Rejected      []Rejected `json:"rejected"` // the first 1,000
	RejectedTotal int        `json:"rejected_total"`
}

// Rejected is one event that was not taken, by its index in the body.
type Rejected struct {
	Index   int    `json:"index"`
	Code    string `json:"code"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// SendOptions say where events or items go and how long a refusal is borne.
type SendOptions struct {
	Site     string
	Advance  bool          // events may move an event clock by more than 7 days
	Patience time.Duration // how long refusals and lost connections are retried
	Wait     func(ctx context.Context, d time.Duration) error
	OnRetry  func(err error, wait time.Duration)
}

// Send posts an NDJSON body and returns what became of each event. A refusal
// for overload or a full disk and a lost connection are tried again, with the
// same body: its ids make what was stored before duplicates, and the receipt
// counts as accepted what an answered part of a refused try had stored.
func (c *Client) Send(ctx context.Context, body []byte, o SendOptions) (*Receipt, error) {
	query := url.Values{"site": {o.Site}}
	if o.Advance {
		query.Set("advance", "1")
	}
	stored := 0
	var receipt *Receipt
	err := o.patiently(ctx, func() (err error) {
		if receipt, err = c.send(ctx, query, body); err != nil && receipt != nil {
			stored += receipt.Accepted
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	before := min(stored, receipt.Duplicates)
	receipt.Accepted += before
	receipt.Duplicates -= before
	return receipt, nil
}

// patiently tries again what a server that is busy or away did not do.
func (o *SendOptions) patiently(ctx context.Context, try func() error) error {
	waited := time.Duration(0)
	for n := 0; ; n++ {
		err := try()
		if err == nil {
			return nil
		}
		wait, again := retry(err, n)
		if !again || ctx.Err() != nil || waited+wait > o.Patience {
			return err
		}
		if o.OnRetry != nil {
			o.OnRetry(err, wait)
		}
		if err := o.wait(ctx, wait); err != nil {
			return err
		}
		waited += wait
	}
}

func (o *SendOptions) wait(ctx context.Context, d time.Duration) error {
	if o.Wait != nil {
		return o.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// send posts once. With an error the receipt says what was stored all the
// same, where the answer told.
func (c *Client) send(ctx context.Context, query url.Values, body []byte) (*Receipt, error) {
	r, err := c.request(ctx, http.MethodPost, "/v1/events", query, body, "application/x-ndjson")
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, unwrap(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	var receipt Receipt
	told := json.Unmarshal(text, &receipt) == nil
	if receipt.RejectedTotal < len(receipt.Rejected) {
		receipt.RejectedTotal = len(receipt.Rejected)
	}
	switch {
	case answer.StatusCode == http.StatusOK && told:
		return &receipt, nil
	case answer.StatusCode == http.StatusOK:
		return nil, fmt.Errorf("answer is not a receipt: %s", firstLine(text))
	case answer.StatusCode == http.StatusBadRequest && receipt.RejectedTotal > 0:
		return &receipt, nil // every event was rejected: a verdict, not a failure
	case told:
		return &receipt, asProblem(answer, text)
	}
	return nil, asProblem(answer, text)
}

// retry says whether a failed try is worth another and when.
func retry(err error, try int) (time.Duration, bool) {
	backoff := min(30*time.Second, 250*time.Millisecond<<min(try, 10))
	p, ok := problem.As(err)
	switch {
	case !ok:
		return backoff, !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	case p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable ||
		p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout:
		if seconds, err := strconv.Atoi(p.Header.Get("Retry-After")); err == nil && seconds >= 0 && seconds <= 3600 {
			return max(time.Duration(seconds)*time.Second, 50*time.Millisecond), true
		}
		return backoff, true
	}
	return 0, false
}

// Rows returns the stored rows of a span as NDJSON; the key needs events:read.
// The caller closes it.
func (c *Client) Rows(ctx context.Context, site string, from, to time.Time) (io.ReadCloser, error) {
	query := url.Values{"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.UTC().Format(time.RFC3339Nano)}}
	r, err := c.request(ctx, http.MethodGet, "/v1/sites/"+url.PathEscape(site)+"/events", query, nil, "")
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/x-ndjson")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, unwrap(err)
	}
	if answer.StatusCode >= 400 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		return nil, asProblem(answer, text)
	}
	return answer.Body, nil
}
