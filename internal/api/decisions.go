package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// AskBody is a question about a reader and an item.
type AskBody struct {
	Access string `json:"access" maxLength:"64" doc:"Access block of the active program" example:"story"`
	Reader *struct {
		Device  *string `json:"device,omitempty" nullable:"true" maxLength:"512" example:"d1"`
		Account *string `json:"account,omitempty" nullable:"true" maxLength:"512"`
	} `json:"reader,omitempty" doc:"With an API key: who asks. An account is proven by that, on the device where one is named. With a write key it is who sends the request"`
	Item *struct {
		ID string `json:"id" maxLength:"512" example:"a1"`
	} `json:"item,omitempty" doc:"If absent: the one of request.canonical or request.url, as with events"`
	Request *struct {
		URL         string `json:"url,omitempty" maxLength:"2048"`
		Canonical   string `json:"canonical,omitempty" maxLength:"2048"`
		Referrer    string `json:"referrer,omitempty" maxLength:"2048"`
		Title       string `json:"title,omitempty" maxLength:"512"`
		Link        string `json:"link,omitempty" maxLength:"2048" doc:"Token of a signed link; if absent the rs of the url"`
		IP          string `json:"ip,omitempty" doc:"This and what follows with an API key only"`
		UserAgent   string `json:"user_agent,omitempty"`
		Country     string `json:"country,omitempty"`
		Region      string `json:"region,omitempty"`
		City        string `json:"city,omitempty"`
		DeviceClass string `json:"device_class,omitempty"`
		Browser     string `json:"browser,omitempty"`
		OS          string `json:"os,omitempty"`
		Language    string `json:"language,omitempty"`
		Channel     string `json:"channel,omitempty"`
		UTMSource   string `json:"utm_source,omitempty"`
		UTMMedium   string `json:"utm_medium,omitempty"`
		UTMCampaign string `json:"utm_campaign,omitempty"`
	} `json:"request,omitempty" doc:"What a row of the request would have"`
	Commit bool  `json:"commit,omitempty" doc:"Decide and commit at once"`
	At     *Time `json:"at,omitempty" nullable:"true" doc:"Without commit: the instant that is asked about; now if absent"`
	Time   *Time `json:"time,omitempty" nullable:"true" doc:"With commit, in a site with clock event: when it happens"`
}

// KeptDecisions are committed decisions, the newest first.
type KeptDecisions struct {
	Decisions []access.Listed `json:"decisions"`
}

// DecisionPath is the id of a decision.
type DecisionPath struct {
	ID string `path:"id" maxLength:"1024" doc:"decision_id of the verdict"`
}

func (a *API) registerDecisions() {
	const path = "/v1/sites/{site}/decisions"
	tags := []string{"Decisions"}
	verdict := schemaOf[access.Verdict](a)
	answers := map[string]*huma.Response{"200": {Description: "The verdict; of an array an array", Content: map[string]*huma.MediaType{
		mediaJSON: {Schema: &huma.Schema{OneOf: []*huma.Schema{verdict, {Type: huma.TypeArray, Items: verdict}}}}}}}
	open := rule{signedIn: true, detached: true, idempotent: true, maxBody: 1 << 20, often: decides}
	register(a, with(huma.Operation{
		OperationID: "decide", Method: http.MethodPost, Path: path, SkipValidateBody: true,
		Summary: "Decide what a reader may read", Tags: tags, Errors: problems(403, 404, 413, 415, 422, 429), Responses: answers,
		Description: "One question, or an array of up to 100. With `commit` the answer is what came of it where it was applied. A write key decides for the reader who sends the request; " +
			"an API key needs `decisions:read`, and `decisions:write` to commit, and may send an `Idempotency-Key`. When the access block's deadline has passed, its policy answers, marked `fallback`.",
	}, open), a.decide)
	one := schemaOf[AskBody](a)
	a.huma.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		mediaJSON: {Schema: &huma.Schema{OneOf: []*huma.Schema{one, {Type: huma.TypeArray, Items: one, MaxItems: new(ask.MaxAsks)}}}}}}
	register(a, with(huma.Operation{
		OperationID: "commit-decision", Method: http.MethodPost, Path: path + "/{id}/commit", SkipValidateBody: true,
		Summary: "Commit a decision that was shown", Tags: tags, Errors: problems(403, 404, 410, 415, 429), Responses: answers,
		Description: "Up to 10 minutes after the decision, by the version of the program that made it. A second commit answers as the first did.",
	}, open), a.commitDecision)
	reads := rule{scope: auth.DecisionsRead}
	register(a, with(huma.Operation{
		OperationID: "explain-decision", Method: http.MethodGet, Path: path + "/{id}",
		Summary: "Explain a decision", Tags: tags, Errors: problems(404),
		Description: "From what was recorded when it was made: a bare decision for 10 minutes, then 404 `decision_not_kept`; a committed one for 30 days, the site's window if that is shorter.",
	}, reads), a.explainDecision)
	register(a, with(huma.Operation{
		OperationID: "find-decisions", Method: http.MethodGet, Path: path,
		Summary: "Find committed decisions by the end of their id", Tags: tags, Errors: problems(404, 422),
	}, reads), a.findDecisions)
	register(a, with(huma.Operation{
		OperationID: "list-reader-decisions", Method: http.MethodGet, Path: "/v1/sites/{site}/readers/{reader}/decisions",
		Summary: "List the last 50 committed decisions of a reader", Tags: tags, Errors: problems(404, 422),
	}, rule{scope: auth.ReadersRead}), a.readerDecisions)
	register(a, with(huma.Operation{
		OperationID: "empty-meter", Method: http.MethodDelete, Path: "/v1/sites/{site}/readers/{reader}/meters/{meter}",
		Summary: "Empty a reader's meter", Tags: tags, Errors: problems(404, 422),
		Description: "Who did it last, why and when are kept.",
	}, rule{scope: auth.ReadersRead | auth.ReadersWrite}), a.emptyMeter)
	a.mux.Handle("OPTIONS "+path, http.HandlerFunc(preflight))
	a.mux.Handle("OPTIONS "+path+"/{id}/commit", http.HandlerFunc(preflight))
}

// preflight lets pages of any origin ask with a write key: it proves nothing that
// an origin could take.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Allow", "POST, OPTIONS")
	if r.Header.Get("Origin") != "" {
		cors(h, r)
		h.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
		if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
			h.Set("Access-Control-Allow-Headers", headers)
		}
		h.Set("Access-Control-Max-Age", "86400")
	}
	w.WriteHeader(http.StatusNoContent)
}

func cors(h http.Header, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "X-Request-Id, X-Readership-Position, Retry-After")
		h.Set("Vary", "Origin")
	}
}

// asking returns the call of a request for decisions.
func (a *API) asking(c *call) (*ask.Call, error) {
	out := &ask.Call{Site: c.site, Request: collect.Headed(c.http), Position: c.at, Any: c.principal.Kind != auth.KindWrite, Commits: true}
	if out.Any {
		if !c.principal.Scopes.Has(auth.DecisionsRead) {
			return nil, a.lacking(c, auth.DecisionsRead)
		}
		out.Commits = c.principal.Scopes.Has(auth.DecisionsRead | auth.DecisionsWrite)
	}
	return out, nil
}

func (a *API) decide(ctx context.Context, in *struct {
	SitePath
	RawBody []byte `contentType:"application/json"`
}) (*huma.StreamResponse, error) {
	c := callOf(ctx)
	asked, err := a.asking(c)
	if err != nil {
		return nil, err
	}
	answer, err := a.Decisions.Decide(ctx, asked, in.RawBody)
	return a.verdicts(ctx, asked, answer, err)
}

func (a *API) commitDecision(ctx context.Context, in *struct {
	SitePath
	DecisionPath
}) (*huma.StreamResponse, error) {
	c := callOf(ctx)
	asked, err := a.asking(c)
	if err != nil {
		return nil, err
	}
	if !asked.Commits {
		return nil, a.lacking(c, auth.DecisionsRead|auth.DecisionsWrite)
	}
	answer, err := a.Decisions.Commit(ctx, asked, in.ID)
	return a.verdicts(ctx, asked, answer, err)
}

// verdicts sends what was decided.
func (a *API) verdicts(ctx context.Context, asked *ask.Call, answer *ask.Answer, err error) (*huma.StreamResponse, error) {
	c := callOf(ctx)
	var body []byte
	if err == nil {
		body = answer.AppendBody(nil)
	}
	if err != nil {
		err = a.failed(ctx, err)
		if p, ok := problem.As(err); ok && !asked.Any && c.http.Header.Get("Origin") != "" {
			p = p.With(p.Extra) // prepared ones are shared
			p.Header = p.Header.Clone()
			if p.Header == nil {
				p.Header = http.Header{}
			}
			cors(p.Header, c.http)
			return nil, p
		}
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		w.Header().Set("Content-Type", mediaJSON)
		w.Header().Set("Cache-Control", "no-store")
		if !asked.Any {
			cors(w.Header(), c.http)
		}
		for _, cookie := range answer.Cookies {
			w.Header().Add("Set-Cookie", cookie)
		}
		_, _ = w.Write(body) // who is gone need not be told
	}}, nil
}

func (a *API) explainDecision(ctx context.Context, in *struct {
	SitePath
	DecisionPath
}) (*struct{ Body access.Explanation }, error) {
	x, err := a.Decisions.Service.Explain(ctx, callOf(ctx).site, in.ID)
	if err != nil {
		return nil, a.failed(ctx, ask.Problem(err))
	}
	return &struct{ Body access.Explanation }{*x}, nil
}

func (a *API) findDecisions(ctx context.Context, in *struct {
	SitePath
	Code string `query:"code" required:"true" minLength:"8" maxLength:"16" pattern:"^[A-Za-z0-9_-]+$" doc:"The last 8 characters of the decision's id, as a wall shows them"`
}) (*struct{ Body KeptDecisions }, error) {
	c := callOf(ctx)
	ctx, cancel := context.WithTimeout(ctx, a.Limits.QueryTime)
	defer cancel()
	if err := a.queries.enter(ctx); err != nil {
		return nil, a.failed(ctx, err)
	}
	defer a.queries.leave()
	view, err := a.Engine.View(ctx, c.site.ID, c.at)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	list, err := a.Decisions.Service.ByCode(ctx, c.site, view, in.Code)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body KeptDecisions }{KeptDecisions{list}}, nil
}

func (a *API) readerDecisions(ctx context.Context, in *struct {
	SitePath
	ReaderPath
}) (*struct{ Body KeptDecisions }, error) {
	if _, ok := engine.SubjectName(in.Reader); !ok {
		return nil, errReader(in.Reader)
	}
	list, err := a.Decisions.Service.Of(ctx, callOf(ctx).site, in.Reader)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body KeptDecisions }{KeptDecisions{list}}, nil
}

func (a *API) emptyMeter(ctx context.Context, in *struct {
	SitePath
	ReaderPath
	Meter string `path:"meter" maxLength:"64" example:"monthly"`
	Why   string `query:"why" maxLength:"512" doc:"Kept with who did it"`
}) (*struct{}, error) {
	c := callOf(ctx)
	name, ok := engine.SubjectName(in.Reader)
	if !ok {
		return nil, errReader(in.Reader)
	}
	active, err := a.Programs.Active(c.site)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if active.Plan.Meter(in.Meter) == nil {
		var known []string
		for _, m := range active.Plan.Meters {
			known = append(known, m.Name)
		}
		return nil, notFound("meter", in.Meter, known)
	}
	why, err := json.Marshal(event.Emptied{By: c.principal.Name, Why: in.Why, At: a.siteNow(in.Site)})
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	key := event.MeterKey(engine.ReaderName(name), in.Meter)
	return nil, a.failed(ctx, a.commit(ctx, event.Fact{Kind: event.FactEmpty, Site: in.Site, Key: key, Value: []byte("{}")},
		event.Fact{Kind: event.FactEmptied, Site: in.Site, Key: key, Value: why}))
}
