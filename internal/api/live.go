package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
)

// Live is who reads at this moment. A reader is a device with an open page: a
// view or a sign of attention within the last 60 s; idle ones were last seen
// within 5 min and are not counted as readers.
type Live struct {
	AsOf      time.Time   `json:"as_of" doc:"The site's now"`
	Position  string      `json:"position" doc:"What the answer includes"`
	Readers   int         `json:"readers" doc:"Devices seen within the last 60 s"`
	Idle      int         `json:"idle" doc:"Devices last seen 60 s to 5 min ago"`
	PageViews int         `json:"page_views" doc:"Page views of the last 60 s"`
	Items     []LiveItem  `json:"items" doc:"By readers, descending; at most 100"`
	Channels  []LiveCount `json:"channels"`
	Countries []LiveCount `json:"countries"`
	Referrers []LiveCount `json:"referrers" doc:"By host; at most 100"`

	At event.Position `json:"-"`
}

// LiveItem is what is being read.
type LiveItem struct {
	Item    string `json:"item"`
	Title   string `json:"title,omitempty" doc:"Of the catalogue, else of the newest page view"`
	URL     string `json:"url,omitempty"`
	Section string `json:"section,omitempty"`
	Readers int    `json:"readers"`
	Idle    int    `json:"idle"`
}

// LiveCount is a number of readers with something in common.
type LiveCount struct {
	Name    string `json:"name" doc:"(none) where it is not known"`
	Readers int    `json:"readers"`
}

func (a *API) registerLive() {
	register(a, with(huma.Operation{
		OperationID: "live", Method: http.MethodGet, Path: "/v1/sites/{site}/live",
		Summary: "Who reads at this moment", Tags: []string{"Querying"}, Errors: problems(404, 429),
		Description: "With `Accept: text/event-stream` as server-sent events: `event: result` whenever it changes.",
		Responses: map[string]*huma.Response{"200": {Description: "Readers", Content: map[string]*huma.MediaType{
			mediaJSON: {Schema: schemaOf[Live](a)}, mediaSSE: {Schema: text()}}}},
	}, rule{scope: auth.QueryRead, often: asks}), a.liveNow)
}

// liveEvery is how often a stream looks: news are out in under a second.
const liveEvery = 500 * time.Millisecond

func (a *API) liveNow(ctx context.Context, in *struct {
	SitePath
	Accept      string `header:"Accept"`
	LastEventID string `header:"Last-Event-ID" doc:"Goes on after this event"`
}) (*huma.StreamResponse, error) {
	if wantsStream(in.Accept) {
		return a.stream(ctx, liveEvery, func(ctx context.Context) (snapshot, error) {
			e, err := a.liveAt(ctx)
			if err != nil {
				return snapshot{}, err
			}
			return snapshot{id: e.position, data: e.data, same: e.same}, nil
		})
	}
	e, err := a.liveAt(ctx)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		callOf(ctx).at = max(callOf(ctx).at, e.position)
		w.Header().Set("Content-Type", mediaJSON)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Accept")
		_, _ = w.Write(e.data)
	}}, nil
}

// liveCache shares one look at a site among all that watch it.
type liveCache struct {
	mu    sync.Mutex // guards sites
	sites map[string]*liveSite
}

type liveSite struct {
	mu    sync.Mutex // held while the site is looked at
	entry liveEntry
}

type liveEntry struct {
	taken    time.Time
	position event.Position
	data     []byte
	same     string
}

// liveFresh is how long a look is shared.
const liveFresh = 250 * time.Millisecond

func (c *liveCache) site(id string) *liveSite {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sites == nil {
		c.sites = map[string]*liveSite{}
	}
	s := c.sites[id]
	if s == nil {
		s = &liveSite{}
		c.sites[id] = s
	}
	return s
}

// forget drops what is kept of a site.
func (c *liveCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sites, id)
}

// liveAt returns the live numbers of the call's site, including its position.
func (a *API) liveAt(ctx context.Context) (liveEntry, error) {
	c := callOf(ctx)
	s := a.live.site(c.site.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := a.Now()
	if age := now.Sub(s.entry.taken); s.entry.data != nil && age >= 0 && age < liveFresh && s.entry.position >= c.at {
		return s.entry, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.Limits.QueryTime)
	defer cancel()
	view, err := a.Engine.View(ctx, c.site.ID, c.at)
	if err != nil {
		return liveEntry{}, err
	}
	live := board(view, a.Engine.SiteNow(c.site.ID, now.UnixMilli()))
	live.Position = live.At.String()
	data, err := json.Marshal(live)
	if err != nil {
		return liveEntry{}, err
	}
	counted := *live
	counted.AsOf, counted.Position = time.Time{}, ""
	same, err := json.Marshal(counted)
	if err != nil {
		return liveEntry{}, err
	}
	s.entry = liveEntry{taken: now, position: live.At, data: data, same: string(same)}
	return s.entry, nil
}
