package client

import (
	"context"
	"net/http"
	"net/url"
)

// Query is the body of a question to POST /v1/sites/{site}/query.
type Query struct {
	Metrics    []string `json:"metrics"`
	DateRange  any      `json:"date_range"` // a span, or a pair of times
	Dimensions []string `json:"dimensions,omitempty"`
	Filters    []any    `json:"filters,omitempty"`
	OrderBy    []any    `json:"order_by,omitempty"`
	Limit      int      `json:"limit,omitempty"`
	Offset     int      `json:"offset,omitempty"`
	Timezone   string   `json:"timezone,omitempty"`
	Compare    string   `json:"compare,omitempty"`
	Include    *Include `json:"include,omitempty"`
}

// Include asks for more than the rows.
type Include struct {
	Totals     bool `json:"totals,omitempty"`
	TimeLabels bool `json:"time_labels,omitempty"`
}

// Result is the answer to a Query. A metric is nil where there is none.
type Result struct {
	Results []Row       `json:"results"`
	Totals  []*float64  `json:"totals"`
	TotalsC *Comparison `json:"totals_comparison"`
	Meta    Meta        `json:"meta"`
}

// Row is one group of a Result.
type Row struct {
	Dimensions []string    `json:"dimensions"`
	Metrics    []*float64  `json:"metrics"`
	Comparison *Comparison `json:"comparison"`
}

// Comparison holds the metrics of the period before, and the change as a
// share.
type Comparison struct {
	Metrics []*float64 `json:"metrics"`
	Change  []*float64 `json:"change"`
}

// Meta says what a Result holds for.
type Meta struct {
	AsOf       string   `json:"as_of"`
	Exact      bool     `json:"exact"`
	TookMS     float64  `json:"took_ms"`
	Warnings   []string `json:"warnings"`
	TimeLabels []string `json:"time_labels"`
}

// Query asks a question; the key needs query:read.
func (c *Client) Query(ctx context.Context, site string, q *Query) (*Result, error) {
	var result Result
	if err := c.Do(ctx, http.MethodPost, queryPath(site), nil, q, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// QueryText asks a question given as JSON and returns the answer as it came,
// in the media type that is asked for.
func (c *Client) QueryText(ctx context.Context, site string, question []byte, accept string) ([]byte, error) {
	r, err := c.request(ctx, http.MethodPost, queryPath(site), nil, question, "application/json")
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	var text []byte
	err = c.do(r, &text)
	return text, err
}

func queryPath(site string) string { return "/v1/sites/" + url.PathEscape(site) + "/query" }
