package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Question is a query as it arrived.
type Question struct {
	Site string
	At   event.Position // the answer includes it
	Wall int64          // the wall clock, Unix milliseconds
	Body []byte         // JSON, valid UTF-8
}

// Result is an answered query.
type Result interface {
	Position() event.Position
	WriteJSON(w io.Writer) error
	WriteCSV(w io.Writer) error
	WriteNDJSON(w io.Writer) error
}

// Queries answers what is asked about a site's rows. Faults of a question are
// *problem.Problem.
type Queries interface {
	Query(ctx context.Context, q Question) (Result, error)
	// Forget drops what is kept for questions about a site that is gone.
	Forget(site string)
}

// QueryRequest describes a question; the query package reads it.
type QueryRequest struct {
	Metrics    []string      `json:"metrics" minItems:"1" doc:"What to count" example:"[\"page_views\",\"visitors\"]"`
	DateRange  DateRange     `json:"date_range"`
	Dimensions []string      `json:"dimensions,omitempty" doc:"Columns, properties, time:5min|hour|day|week|month"`
	Filters    []any         `json:"filters,omitempty" doc:"[operator, column, values], [\"and\"|\"or\", filters], [\"not\", filter], [\"segment\", name]"`
	OrderBy    [][]string    `json:"order_by,omitempty" doc:"Pairs of a metric or dimension and asc or desc"`
	Limit      int           `json:"limit,omitempty" minimum:"1" maximum:"10000" default:"100"`
	Offset     int           `json:"offset,omitempty" minimum:"0"`
	Timezone   string        `json:"timezone,omitempty" doc:"Instead of the site's"`
	Compare    string        `json:"compare,omitempty" enum:"previous_period,previous_week,year"`
	Include    *QueryInclude `json:"include,omitempty"`
}

// QueryInclude asks for more than the rows.
type QueryInclude struct {
	Totals     bool `json:"totals,omitempty" doc:"The metrics over all rows that match"`
	TimeLabels bool `json:"time_labels,omitempty" doc:"All buckets of the range, empty ones too"`
}

// DateRange describes a span of time.
type DateRange struct{}

// Schema implements huma.SchemaProvider.
func (DateRange) Schema(r huma.Registry) *huma.Schema {
	two := 2
	return &huma.Schema{
		Description: "A pair of times (start ≤ t < end), a span up to now such as 24h or 7d, or day, week, month, year",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeArray, Items: Time{}.Schema(r), MinItems: &two, MaxItems: &two}},
		Examples:    []any{"24h"},
	}
}

// Measure describes a number of an answer.
type Measure struct{}

// Schema implements huma.SchemaProvider.
func (Measure) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "null where there is none"}
}

// QueryAnswer describes an answer.
type QueryAnswer struct {
	Results          []QueryRow       `json:"results"`
	Totals           []Measure        `json:"totals,omitempty" doc:"Over all rows that match, uniques counted once"`
	TotalsComparison *QueryComparison `json:"totals_comparison,omitempty"`
	Meta             QueryMeta        `json:"meta"`
	Query            map[string]any   `json:"query" doc:"The question as it was understood"`
}

// QueryRow is one group.
type QueryRow struct {
	Dimensions []string         `json:"dimensions"`
	Metrics    []Measure        `json:"metrics"`
	Comparison *QueryComparison `json:"comparison,omitempty"`
}

// QueryComparison holds the metrics of the period compared with.
type QueryComparison struct {
	Metrics []Measure `json:"metrics"`
	Change  []Measure `json:"change" doc:"As a share; null where there is nothing to compare with"`
}

// QueryMeta says what an answer holds for.
type QueryMeta struct {
	AsOf       time.Time `json:"as_of" doc:"The site's now"`
	Position   string    `json:"position" doc:"What the answer includes"`
	Exact      bool      `json:"exact"`
	TookMS     float64   `json:"took_ms"`
	Warnings   []string  `json:"warnings"`
	TimeLabels []string  `json:"time_labels,omitempty"`
}

type queryInput struct {
	SitePath
	RawBody []byte `contentType:"application/json"`
}

func (a *API) registerQuery() {
	ru := rule{scope: auth.QueryRead, maxBody: 1 << 20, often: asks}
	answers := map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf[QueryAnswer](a)}, mediaCSV: {Schema: text()}, mediaNDJSON: {Schema: text()}}
	register(a, with(huma.Operation{
		OperationID: "query", Method: http.MethodPost, Path: "/v1/sites/{site}/query", SkipValidateBody: true,
		Summary: "Ask about a site's rows", Tags: []string{"Querying"}, Errors: problems(404, 413, 415, 422, 429),
		Description: "Answers JSON, CSV or NDJSON, by Accept.",
		Responses:   map[string]*huma.Response{"200": {Description: "The answer", Content: answers}},
	}, ru), a.query)
	a.describeBody("/v1/sites/{site}/query", http.MethodPost, mediaJSON, schemaOf[QueryRequest](a), mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "query-stream", Method: http.MethodPost, Path: "/v1/sites/{site}/query/stream", SkipValidateBody: true,
		Summary: "Ask, and be told when the answer changes", Tags: []string{"Querying"}, Errors: problems(404, 413, 415, 422, 429),
		Description: "Server-sent events: `event: result` with the answer, at most once a second.",
		Responses:   streamed("Events with answers"),
	}, ru), a.queryStream)
	a.describeBody("/v1/sites/{site}/query/stream", http.MethodPost, mediaJSON, schemaOf[QueryRequest](a), mediaJSON)
}

func (a *API) question(ctx context.Context, body []byte) Question {
	c := callOf(ctx)
	return Question{Site: c.site.ID, At: c.at, Wall: a.Now().UnixMilli(), Body: body}
}

// run answers a question within the limits on queries.
func (a *API) run(ctx context.Context, body []byte) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Limits.QueryTime)
	defer cancel()
	if err := a.queries.enter(ctx); err != nil {
		a.metrics.refused.Inc()
		return nil, err
	}
	defer a.queries.leave()
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, finish(newError(http.StatusBadRequest, noBody))
	}
	result, err := a.Queries.Query(ctx, a.question(ctx, body))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, problem.Newf(http.StatusServiceUnavailable, "the query took longer than %v; ask for less", a.Limits.QueryTime).
			WithCode("timeout").WithRetryAfter(5 * time.Second)
	}
	return result, err
}

func (a *API) query(ctx context.Context, in *queryInput) (*huma.StreamResponse, error) {
	result, err := a.run(ctx, in.RawBody)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		r, w := humago.Unwrap(h)
		var out bytes.Buffer
		media := negotiate(r.Header.Get("Accept"), mediaJSON, mediaCSV, mediaNDJSON)
		write := map[string]func(io.Writer) error{mediaJSON: result.WriteJSON, mediaCSV: result.WriteCSV, mediaNDJSON: result.WriteNDJSON}[media]
		if err := write(&out); err != nil {
			p, _ := problem.As(a.failed(ctx, err))
			p.Respond(w)
			return
		}
		c := callOf(ctx)
		c.at = max(c.at, result.Position())
		if media == mediaCSV {
			media += "; charset=utf-8"
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Accept")
		_, _ = w.Write(out.Bytes()) // the reader may have gone
	}}, nil
}

func (a *API) queryStream(ctx context.Context, in *queryInput) (*huma.StreamResponse, error) {
	body := bytes.Clone(in.RawBody)
	first, err := a.run(ctx, body)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return a.stream(ctx, time.Second, func(ctx context.Context) (snapshot, error) {
		result := first
		if first = nil; result == nil {
			var err error
			if result, err = a.run(ctx, body); err != nil {
				return snapshot{}, err
			}
		}
		var out bytes.Buffer
		if err := result.WriteJSON(&out); err != nil {
			return snapshot{}, err
		}
		return snapshot{id: result.Position(), data: out.Bytes(), same: withoutMeta(out.Bytes())}, nil
	})
}

// withoutMeta is the part of an answer that counts as a change.
func withoutMeta(answer []byte) string {
	var parts struct {
		Results json.RawMessage `json:"results"`
		Totals  json.RawMessage `json:"totals"`
		Before  json.RawMessage `json:"totals_comparison"`
	}
	if err := json.Unmarshal(answer, &parts); err != nil {
		return string(answer)
	}
	return string(parts.Results) + "\n" + string(parts.Totals) + "\n" + string(parts.Before)
}

// gate bounds what runs at once and what waits for it.
type gate struct {
	slots   chan struct{}
	waiting chan struct{}
}

// enter takes a slot or waits for one; it refuses when too many wait already.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	busy := problem.New(http.StatusServiceUnavailable, "too many queries at once").WithCode("overloaded").WithRetryAfter(time.Second)
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return busy
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return busy
		}
		return ctx.Err()
	}
}

func (g *gate) leave() { <-g.slots }

// negotiate picks the first of the offered media types that Accept ranks
// highest; the first offer where it says nothing of them.
func negotiate(accept string, offers ...string) string {
	best, bestQuality := offers[0], 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, parameters, _ := strings.Cut(part, ";")
		quality := 1.0
		for p := range strings.SplitSeq(parameters, ";") {
			if q, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
				if err := json.Unmarshal([]byte(q), &quality); err != nil {
					quality = 0
				}
			}
		}
		media = strings.ToLower(strings.TrimSpace(media))
		for _, offer := range offers {
			kind, _, _ := strings.Cut(offer, "/")
			if (media == offer || media == "*/*" || media == kind+"/*") && quality > bestQuality {
				best, bestQuality = offer, quality
				break
			}
		}
	}
	return best
}
