package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/collect"
)

// EventInput describes an event; the collector reads it.
type EventInput struct {
	Type           string         `json:"type" maxLength:"64" doc:"With a meaning: page_view, engagement, click, impression, conversion, identify, request, wall_shown, plans_opened, checkout_started, subscribed" example:"page_view"`
	ID             string         `json:"id,omitempty" maxLength:"128" doc:"Idempotency key, unique per site for 48 h"`
	Time           *Time          `json:"time,omitempty" doc:"When it happened; the server's time if absent"`
	Device         string         `json:"device,omitempty"`
	Account        string         `json:"account,omitempty"`
	URL            string         `json:"url,omitempty"`
	Canonical      string         `json:"canonical,omitempty"`
	Referrer       string         `json:"referrer,omitempty"`
	Title          string         `json:"title,omitempty"`
	Item           string         `json:"item,omitempty"`
	View           string         `json:"view,omitempty" doc:"Page-view id that engagement refers to"`
	EngagedSeconds float64        `json:"engaged_seconds,omitempty" minimum:"0"`
	ScrollPercent  float64        `json:"scroll_percent,omitempty" minimum:"0" maximum:"100"`
	Value          float64        `json:"value,omitempty"`
	Currency       string         `json:"currency,omitempty"`
	Properties     map[string]any `json:"properties,omitempty" doc:"Flat; strings, numbers, booleans; up to 64"`
	Traits         map[string]any `json:"traits,omitempty" doc:"For identify: claims"`
	Consent        map[string]any `json:"consent,omitempty" doc:"{\"analytics\":true} or {\"tcf\":\"…\"}"`
	IP             string         `json:"ip,omitempty" doc:"With an API key only"`
	UserAgent      string         `json:"user_agent,omitempty" doc:"With an API key only"`
}

// CollectAnswer says what became of the events of a request.
type CollectAnswer struct {
	Accepted      int               `json:"accepted"`
	Duplicates    int               `json:"duplicates"`
	Rejected      []CollectRejected `json:"rejected" doc:"The first 1,000"`
	RejectedTotal int               `json:"rejected_total"`
	NoConsent     int               `json:"no_consent,omitempty" doc:"Counted in the ledger, not stored"`
	Cut           []map[string]any  `json:"cut,omitempty" doc:"Texts that were cut, by event and path"`
	Events        []map[string]any  `json:"events,omitempty" doc:"With debug=1: what would be stored, the first 1,000"`
}

// CollectRejected is an event that was not taken.
type CollectRejected struct {
	Index   int    `json:"index" doc:"Of the event in the body, from 0"`
	Code    string `json:"code" enum:"missing_field,wrong_type,unknown_field,too_long,too_many,bad_time,time_too_old,time_in_future,time_jump,outside_window,host_not_allowed,forbidden,malformed_json"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// FirstParty says whether an address is one that pages call: it may be reached
// through the sites' own hosts, where the rest of the interface is not.
func FirstParty(path string) bool {
	if collect.Serves(path) {
		return true
	}
	rest, ok := strings.CutPrefix(path, "/v1/sites/")
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, "/")
	area, _, _ := strings.Cut(rest, "/")
	return area == "decisions" || area == "devices" || area == "recommendations"
}

// registerCollect mounts the collector and describes it.
func (a *API) registerCollect() {
	if a.Collect != nil {
		for _, pattern := range []string{"POST /v1/events", "OPTIONS /v1/events", "GET /v1/pixel.gif", "OPTIONS /v1/pixel.gif"} {
			a.mux.Handle(pattern, a.Collect)
		}
		a.registerDialects()
	}
	event := schemaOf[EventInput](a)
	query := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: about, Schema: text()}
	}
	body := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		mediaJSON:    {Schema: &huma.Schema{OneOf: []*huma.Schema{event, {Type: huma.TypeArray, Items: event}}}},
		mediaNDJSON:  {Schema: text()},
		"text/plain": {Schema: text()},
	}}
	problem := a.huma.OpenAPI().Paths["/v1/sites"].Post.Responses["400"]
	responses := map[string]*huma.Response{"200": {Description: "Stored, durably", Content: map[string]*huma.MediaType{
		mediaJSON: {Schema: schemaOf[CollectAnswer](a)}}}}
	for _, status := range []string{"400", "401", "403", "404", "413", "415", "429", "503"} {
		responses[status] = &huma.Response{Description: status, Content: problem.Content}
	}
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "collect", Method: http.MethodPost, Path: "/v1/events", Summary: "Send events", Tags: []string{"Collecting"},
		Description: "One object, an array, or NDJSON, optionally gzip or zstd, up to 5 MB (NDJSON with an API key up to 1 GB). " +
			"The site follows from the write key; an API key needs `events:import` and names it with `site`.",
		Security: []map[string][]string{{"key": {}}},
		Parameters: []*huma.Param{query("key", "The write key, where headers cannot be set"), query("site", "With an API key: the site"),
			query("sent_at", "The sender's clock"), query("debug", "1: answer what would be stored, without storing it"),
			query("advance", "1: events may move an event clock by more than 7 days")},
		RequestBody: body, Responses: responses,
	})
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "pixel", Method: http.MethodGet, Path: "/v1/pixel.gif", Summary: "Send a page view as an image", Tags: []string{"Collecting"},
		Description: "Fields of the event as query parameters.", Security: []map[string][]string{{"key": {}}},
		Parameters: []*huma.Param{query("key", "The write key"), query("type", "page_view if absent"), query("url", "The page; the Referer header if absent")},
		Responses:  map[string]*huma.Response{"200": {Description: "A transparent pixel", Content: map[string]*huma.MediaType{"image/gif": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}},
	})
}

// registerTracker mounts the scripts that pages load.
func (a *API) registerTracker() {
	if a.Tracker == nil {
		return
	}
	for _, path := range a.Tracker.Paths() {
		a.mux.Handle("GET "+path, a.Tracker)
	}
}

// registerDialects mounts what foreign trackers send to. Their wire formats are
// theirs, so the description leaves them out; docs/dialects.md names them.
func (a *API) registerDialects() {
	preflights := map[string]bool{}
	for _, p := range collect.Patterns() {
		a.mux.Handle(p.Method+" "+p.Path, a.Collect)
		if !preflights[p.Path] {
			preflights[p.Path] = true
			a.mux.Handle(http.MethodOptions+" "+p.Path, a.Collect)
		}
	}
}
