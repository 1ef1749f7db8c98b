package api

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/readership/readership/internal/problem"
)

// Health says that the process answers.
type Health struct {
	Status  string `json:"status" example:"ok"`
	Version string `json:"version"`
}

// Ready says that the process is caught up and able to commit.
type Ready struct {
	Status   string    `json:"status" example:"ready"`
	Position string    `json:"position" doc:"Applied by the engine"`
	LogTime  time.Time `json:"log_time"`
	Warnings []string  `json:"warnings"`
}

func (a *API) registerHealth() {
	tags := []string{"Operation"}
	register(a, with(huma.Operation{OperationID: "healthz", Method: http.MethodGet, Path: "/healthz",
		Summary: "Whether the process lives", Tags: tags}, rule{open: true}),
		func(context.Context, *struct{}) (*struct{ Body Health }, error) {
			return &struct{ Body Health }{Health{Status: "ok", Version: a.Version}}, nil
		})
	register(a, with(huma.Operation{OperationID: "readyz", Method: http.MethodGet, Path: "/readyz",
		Summary: "Whether it is caught up and able to commit", Tags: tags, Errors: []int{503}}, rule{open: true}), a.ready)
	handler := promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{})
	register(a, with(huma.Operation{OperationID: "metrics", Method: http.MethodGet, Path: "/metrics",
		Summary: "Metrics for Prometheus", Tags: tags,
		Responses: map[string]*huma.Response{"200": {Description: "Text exposition format", Content: map[string]*huma.MediaType{"text/plain": {Schema: text()}}}},
	}, rule{open: true}), func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(h huma.Context) {
			r, w := humago.Unwrap(h)
			handler.ServeHTTP(w, r)
		}}, nil
	})
}

// readyTime is how far behind the log an engine may be and still be ready.
const readyTime = time.Second

func (a *API) ready(ctx context.Context, _ *struct{}) (*struct{ Body Ready }, error) {
	var reasons []string
	select {
	case <-a.draining:
		reasons = append(reasons, "the server is shutting down")
	default:
	}
	wait, cancel := context.WithTimeout(ctx, readyTime)
	if err := a.Engine.Wait(wait, callOf(ctx).at); err != nil {
		reasons = append(reasons, "the engine has not applied what was acknowledged: "+err.Error())
	}
	cancel()
	if a.Store != nil {
		if err := a.Store.Ping(ctx); err != nil {
			reasons = append(reasons, "the application database does not answer: "+err.Error())
		}
	}
	if a.NotReady != nil {
		reasons = append(reasons, a.NotReady(ctx)...)
	}
	if len(reasons) > 0 {
		p := problem.New(http.StatusServiceUnavailable, strings.Join(reasons, "; ")).WithCode("not_ready").WithRetryAfter(time.Second)
		return nil, p
	}
	out := Ready{Status: "ready", Position: a.Engine.Position().String(), LogTime: stamp(a.Engine.LogTime()), Warnings: []string{}}
	if a.Warnings != nil {
		out.Warnings = append(out.Warnings, a.Warnings(ctx)...)
	}
	return &struct{ Body Ready }{out}, nil
}

// metrics are what the interface counts of itself.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	running  prometheus.Gauge
	streams  prometheus.Gauge
	refused  prometheus.Counter
}

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "readership_http_requests_total",
			Help: "Requests answered, by route, method and status."}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "readership_http_request_seconds",
			Help: "Time to answer, streams left out.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"route"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "readership_http_requests_running", Help: "Requests being answered."}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "readership_http_streams", Help: "Open event streams."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "readership_queries_refused_total", Help: "Queries refused because too many ran."}),
	}
	registry.MustRegister(m.requests, m.seconds, m.running, m.streams, m.refused)
	return m
}

// observe counts an answered request. Unknown routes and methods share one
// name, so that nobody outside can make new series.
func (m *metrics) observe(route, method string, status int, stream bool, took time.Duration) {
	if route == "" {
		route = "other"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	if !stream {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

// describe prepares the OpenAPI description as it is served.
func (a *API) describe() (described, error) {
	for _, schema := range a.huma.OpenAPI().Components.Schemas.Map() {
		for _, p := range schema.Properties {
			if p.Nullable && len(p.Enum) > 0 && !slices.Contains(p.Enum, nil) {
				p.Enum = append(p.Enum, nil) // an enumeration holds whatever the type says
			}
		}
	}
	json, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		return described{}, err
	}
	yaml, err := a.huma.OpenAPI().YAML()
	return described{json: bytes.TrimSpace(json), yaml: yaml}, err
}
