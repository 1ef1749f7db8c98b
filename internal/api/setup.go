package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"html"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// SetupState says whether the first run is still to be done.
type SetupState struct {
	Needed bool `json:"needed" doc:"There are no people yet"`
	Valid  bool `json:"valid" doc:"The token is the one that was printed, and has not expired"`
}

// SetupInput creates the first person, and the first site if there is none.
type SetupInput struct {
	Token    string     `json:"token" minLength:"1" maxLength:"200" writeOnly:"true"`
	Email    string     `json:"email" maxLength:"254"`
	Name     string     `json:"name,omitempty" maxLength:"200"`
	Password string     `json:"password" maxLength:"256" writeOnly:"true" doc:"At least 10 characters"`
	Site     *SiteInput `json:"site,omitempty" doc:"The first site"`
}

// Resolve implements huma.ResolverWithPath.
func (s *SetupInput) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	checkPerson(f, s.Email, s.Password, nil)
	if s.Password == "" {
		f.add("password", "bad_value", auth.CheckPassword(""), nil)
	}
	if s.Email == "" {
		f.add("email", "bad_value", "is not an e-mail address", "")
	}
	return f.errors()
}

// SetupDone is the result of the first run. The answer also signs in.
type SetupDone struct {
	Person  SessionInfo `json:"person"`
	Site    *NewSite    `json:"site,omitempty"`
	Snippet string      `json:"snippet,omitempty" doc:"HTML for the site's pages"`
}

// Snippet is what a site's pages carry.
type Snippet struct {
	WriteKey string `json:"write_key"`
	HTML     string `json:"html"`
}

// FirstView says whether a page view has arrived.
type FirstView struct {
	Seen bool            `json:"seen"`
	View json.RawMessage `json:"view,omitempty" doc:"The row as stored: a reader's, or a robot's (bot_class) while no reader came"`
	// robot says that only robots came.
	robot bool
}

func (a *API) registerSetup() {
	tags := []string{"Dashboard"}
	register(a, with(huma.Operation{OperationID: "setup-state", Method: http.MethodGet, Path: "/v1/setup",
		Summary: "Whether the first run is to be done", Tags: tags, Errors: problems(422)}, rule{open: true}), a.setupState)
	register(a, with(huma.Operation{OperationID: "setup", Method: http.MethodPost, Path: "/v1/setup", DefaultStatus: http.StatusCreated,
		Summary: "Create the first person and site, and sign in", Tags: tags, Errors: problems(409, 410, 413, 415, 422)}, rule{open: true}), a.setup)
	register(a, with(huma.Operation{OperationID: "snippet", Method: http.MethodGet, Path: "/v1/sites/{site}/snippet",
		Summary: "What the site's pages carry", Tags: []string{"Sites"}, Errors: problems(404)}, rule{scope: auth.SitesRead}), a.snippet)
	register(a, with(huma.Operation{OperationID: "first-view", Method: http.MethodGet, Path: "/v1/sites/{site}/first-view",
		Summary: "Whether a page view has arrived", Tags: tags, Errors: problems(404),
		Description: "With `Accept: text/event-stream` as server-sent events: `event: result` at once, and again when the first view is there; after a reader's, the stream ends.",
		Responses: map[string]*huma.Response{"200": {Description: "Whether, and which", Content: map[string]*huma.MediaType{
			mediaJSON: {Schema: schemaOf[FirstView](a)}, mediaSSE: {Schema: text()}}}}}, rule{scope: auth.QueryRead}), a.firstView)
}

func (a *API) setupState(ctx context.Context, in *struct {
	Token string `query:"token" maxLength:"200"`
}) (*struct{ Body SetupState }, error) {
	people, err := a.Store.CountPeople(ctx)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := SetupState{Needed: people == 0}
	if out.Needed && in.Token != "" {
		if out.Valid, err = a.Store.SetupToken(ctx, sha256.Sum256([]byte(in.Token)), a.Now().UnixMilli()); err != nil {
			return nil, a.failed(ctx, err)
		}
	}
	return &struct{ Body SetupState }{out}, nil
}

func (a *API) setup(ctx context.Context, in *struct {
	origin
	Body SetupInput
}) (*struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      SetupDone
}, error) {
	hash, now := store.Hash(sha256.Sum256([]byte(in.Body.Token))), a.Now().UnixMilli()
	// Who does not hold the token shall not make us hash passwords.
	if valid, err := a.Store.SetupToken(ctx, hash, now); err != nil {
		return nil, a.failed(ctx, err)
	} else if !valid {
		return nil, setupGone()
	}
	if in.Body.Site != nil {
		if _, ok := a.Engine.Site(in.Body.Site.ID); ok {
			return nil, problem.Newf(http.StatusConflict, "there is a site %q already", in.Body.Site.ID).WithCode("exists")
		}
	}
	p, err := a.newPerson(ctx, in.Body.Email, in.Body.Name, auth.RoleAdmin, in.Body.Password, nil)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	switch err := a.Store.FinishSetup(ctx, hash, now, p); {
	case errors.Is(err, store.ErrNotFound):
		return nil, setupGone()
	case errors.Is(err, store.ErrExists):
		return nil, problem.New(http.StatusConflict, "there are people already; sign in").WithCode("exists")
	case err != nil:
		return nil, a.failed(ctx, err)
	}
	token, err := a.Sessions.Start(ctx, p.ID, in.userAgent)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
		Body      SetupDone
	}{SetCookie: *credentials.Cookie(token, in.secure)}
	out.Body.Person = info(credentials.PersonPrincipal(p))
	if in.Body.Site == nil {
		return out, nil
	}
	// The person stands by now: a site that cannot be made is asked for again,
	// signed in.
	site, key, err := a.makeSite(ctx, *in.Body.Site)
	if err != nil {
		a.Logger.Error("setup could not create the site", "request", callOf(ctx).id, "site", in.Body.Site.ID, "error", err)
		return out, nil
	}
	out.Body.Site = &NewSite{Site: a.site(site), WriteKey: key}
	out.Body.Snippet = a.snippetHTML(in.base, in.Body.Site.ID, key)
	return out, nil
}

func setupGone() *problem.Problem {
	return problem.New(http.StatusGone, "this setup link is not valid, was used, or has expired; restart the server for another").WithCode("setup_gone")
}

// snippetHTML loads the tracker; without scripts a pixel counts the page view.
func (a *API) snippetHTML(base, site, key string) string {
	if a.PublicURL != "" {
		base = a.PublicURL
	}
	script := ""
	if a.Tracker != nil {
		script = `<script defer src="` + html.EscapeString(base+"/"+a.Tracker.Name()) + `" data-site="` + html.EscapeString(site) + `" data-key="` + html.EscapeString(key) + `"></script>
`
	}
	pixel := html.EscapeString(base + "/v1/pixel.gif?key=" + url.QueryEscape(key))
	return script + `<noscript><img src="` + pixel + `" alt="" width="1" height="1" referrerpolicy="no-referrer-when-downgrade"></noscript>
`
}

func (a *API) snippet(ctx context.Context, in *struct {
	SitePath
	origin
}) (*struct{ Body Snippet }, error) {
	keys, err := a.Store.ListWriteKeys(ctx, in.Site, store.Page{Limit: 1})
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if len(keys) == 0 {
		return nil, problem.New(http.StatusNotFound, "the site has no write key; create one")
	}
	return &struct{ Body Snippet }{Snippet{WriteKey: keys[0].Key, HTML: a.snippetHTML(in.base, in.Site, keys[0].Key)}}, nil
}

var errFound = errors.New("found")

// seen looks for a reader's page view of the call's site, or else a robot's.
func (a *API) seen(ctx context.Context) (FirstView, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Limits.QueryTime)
	defer cancel()
	var out FirstView
	c := callOf(ctx)
	view, err := a.Engine.View(ctx, c.site.ID, c.at)
	if err != nil {
		return out, err
	}
	err = eachRow(view, math.MinInt64, math.MaxInt64, func(row []byte) error {
		if !bytes.Contains(row, []byte(`"type":"page_view"`)) {
			return nil // most rows are told apart without reading them
		}
		var columns struct {
			Type  string `json:"type"`
			Robot string `json:"bot_class"`
		}
		if err := json.Unmarshal(row, &columns); err != nil || columns.Type != event.TypePageView {
			return err
		}
		if columns.Robot == "" {
			out = FirstView{Seen: true, View: bytes.Clone(row)}
			return errFound
		}
		if !out.Seen {
			out = FirstView{Seen: true, View: bytes.Clone(row), robot: true}
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return out, err
}

func (a *API) firstView(ctx context.Context, in *struct {
	SitePath
	Accept string `header:"Accept"`
}) (*huma.StreamResponse, error) {
	if wantsStream(in.Accept) {
		var looked event.Position
		var last snapshot
		return a.stream(ctx, 250*time.Millisecond, func(ctx context.Context) (snapshot, error) {
			// Nothing new, no new look: the log has not moved.
			if at := callOf(ctx).at; at == looked && last.data != nil {
				return last, nil
			}
			at := callOf(ctx).at
			found, err := a.seen(ctx)
			if err != nil {
				return snapshot{}, err
			}
			data, err := json.Marshal(found)
			looked, last = at, snapshot{id: at, data: data, same: string(data), last: found.Seen && !found.robot}
			return last, err
		})
	}
	found, err := a.seen(ctx)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		w.Header().Set("Content-Type", mediaJSON)
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(found) // the reader may have gone
	}}, nil
}
