package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
)

// Ledger is what arrived for a site; Total is the sum of Verdicts.
type Ledger struct {
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Total    uint64         `json:"total"`
	Verdicts []LedgerLine   `json:"verdicts" doc:"By verdict and reason"`
	Series   []LedgerBucket `json:"series,omitempty" doc:"With resolution: the same by time"`
	// Afterwards is of what was stored, so it is no part of Total.
	Afterwards []LedgerLine `json:"afterwards" doc:"What became of stored events later: orphan, left, quarantined"`
}

// LedgerLine counts events with one verdict and reason.
type LedgerLine struct {
	Verdict string `json:"verdict" example:"rejected"`
	Reason  string `json:"reason" doc:"Empty for stored" example:"time_too_old"`
	Count   uint64 `json:"count"`
}

// LedgerBucket is a line in one span of log time.
type LedgerBucket struct {
	Time time.Time `json:"time" doc:"Start of the span"`
	LedgerLine
}

func (a *API) registerLedger() {
	register(a, with(huma.Operation{
		OperationID: "ledger", Method: http.MethodGet, Path: "/v1/sites/{site}/ledger",
		Summary: "What arrived, by verdict and reason", Tags: []string{"Collecting"}, Errors: problems(404, 422),
		Description: "Time is that of arrival, in spans of 5 minutes that begin in from ≤ t < to; everything known without them.",
	}, rule{scope: auth.QueryRead}), a.ledger)
}

var resolutions = map[string]time.Duration{"5min": 5 * time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

func (a *API) ledger(ctx context.Context, in *struct {
	SitePath
	Span
	Resolution string `query:"resolution" enum:"5min,hour,day" doc:"Adds the numbers over time, in UTC"`
}) (*struct{ Body Ledger }, error) {
	from, to, err := in.read(0, max(a.Now().UnixMilli(), a.Engine.LogTime())+1)
	if err != nil {
		return nil, err
	}
	type key struct {
		bucket          int64
		verdict, reason string
	}
	sums, series := map[key]uint64{}, map[key]uint64{}
	step := resolutions[in.Resolution].Milliseconds()
	out := Ledger{From: stamp(from), To: stamp(to), Verdicts: []LedgerLine{}, Afterwards: []LedgerLine{}}
	for _, l := range a.Engine.Ledger(in.Site, from, to) {
		out.Total += l.N
		sums[key{0, l.Verdict, l.Reason}] += l.N
		if step > 0 {
			series[key{l.Time - l.Time%step, l.Verdict, l.Reason}] += l.N
		}
	}
	after := map[key]uint64{}
	for _, l := range a.Engine.Losses(in.Site, from, to) {
		after[key{0, l.Verdict, l.Reason}] += l.N
	}
	for k, n := range after {
		out.Afterwards = append(out.Afterwards, LedgerLine{k.verdict, k.reason, n})
	}
	slices.SortFunc(out.Afterwards, compareLines)
	for k, n := range sums {
		out.Verdicts = append(out.Verdicts, LedgerLine{k.verdict, k.reason, n})
	}
	slices.SortFunc(out.Verdicts, compareLines)
	for k, n := range series {
		out.Series = append(out.Series, LedgerBucket{stamp(k.bucket), LedgerLine{k.verdict, k.reason, n}})
	}
	slices.SortFunc(out.Series, func(x, y LedgerBucket) int {
		if c := x.Time.Compare(y.Time); c != 0 {
			return c
		}
		return compareLines(x.LedgerLine, y.LedgerLine)
	})
	return &struct{ Body Ledger }{out}, nil
}

func compareLines(x, y LedgerLine) int {
	if c := strings.Compare(x.Verdict, y.Verdict); c != 0 {
		return c
	}
	return strings.Compare(x.Reason, y.Reason)
}
