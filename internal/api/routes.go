package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Routing is what the interface asks of the edge that serves routes.
type Routing interface {
	// Fixed returns the table of a site that the configuration names: it is served
	// instead of the stored one and cannot be written.
	Fixed(site string) ([]event.Route, bool)
	// Serving returns once requests meet the routes that have been applied.
	Serving(ctx context.Context) error
}

// maxRoutesBytes bounds the table of a site.
const maxRoutesBytes = 200 << 10

// Route says which origins answer for a part of a site.
type Route struct {
	Host         string        `json:"host" doc:"One of the site's domains, or below one; without port" example:"news.example"`
	Path         string        `json:"path,omitempty" doc:"/exact, or /beginning* ; /* if absent. The longest wins" example:"/politik/*"`
	Origins      []RouteOrigin `json:"origins" minItems:"1"`
	Access       string        `json:"access,omitempty" doc:"Name of the access block that decides about each request" example:"story"`
	OnDeny       string        `json:"on_deny,omitempty" enum:"teaser,offer" doc:"teaser: the origin is asked, with X-Readership-Decision: deny. offer: the offer's page is served; that is the default"`
	Health       *RouteHealth  `json:"health,omitempty" doc:"Ask the origins whether they are well"`
	Timeout      string        `json:"timeout,omitempty" doc:"For the head of the answer; 30s if absent" example:"30s"`
	Retries      *int          `json:"retries,omitempty" doc:"Further attempts of a request that can be repeated (GET, HEAD, OPTIONS without body), at other origins; 2 if absent"`
	StripPrefix  string        `json:"strip_prefix,omitempty" doc:"Beginning of the path that the origins do not know" example:"/shop"`
	PreserveHost *bool         `json:"preserve_host,omitempty" doc:"false: the origins are asked by their own name, not by the reader's"`
}

// RouteOrigin is a server of the publisher's.
type RouteOrigin struct {
	URL    string `json:"url" doc:"http or https; a path stands before the request's" example:"http://10.0.0.5"`
	Weight *int   `json:"weight,omitempty" doc:"Its share of the requests; 1 if absent. 0 drains it: no new requests, those under way are finished" example:"9"`
}

// RouteHealth is a question to origins.
type RouteHealth struct {
	Path     string `json:"path" doc:"Answers 200 to 399 where the origin is well" example:"/healthz"`
	Interval string `json:"interval,omitempty" doc:"Between questions; 5s if absent" example:"5s"`
}

type routesInput struct {
	SitePath
	Conditions
	Body []Route
}

type routesOutput struct {
	ETag string `header:"ETag"`
	Body []Route
}

// Resolve implements huma.Resolver: the rules beyond the schema.
func (in *routesInput) Resolve(ctx huma.Context) []error {
	var errs []error
	for _, f := range route.Check(callOf(ctx.Context()).site, storedRoutes(in.Body)) {
		f.Location, f.Value = "body"+f.Location, echo(f.Value)
		errs = append(errs, (*faultError)(&f))
	}
	return errs
}

func (a *API) registerRoutes() {
	const path = "/v1/sites/{site}/routes"
	tags := []string{"Edge"}
	register(a, with(huma.Operation{
		OperationID: "get-routes", Method: http.MethodGet, Path: path,
		Summary: "Read the routes of the reverse proxy", Tags: tags, Errors: problems(404),
	}, rule{scope: auth.SitesRead}), a.getRoutes)
	register(a, with(huma.Operation{
		OperationID: "put-routes", Method: http.MethodPut, Path: path,
		Summary: "Write the routes of the reverse proxy, all of them", Tags: tags, Errors: problems(404, 409, 412, 413, 415, 422),
		Description: "The answer comes when the edge serves them. Requests under way are finished by the routes that they met.",
	}, rule{scope: auth.SitesRead | auth.SitesWrite}), a.putRoutes)
}

// storedRoutes makes the routes as they are stored, with hosts as written.
func storedRoutes(body []Route) []event.Route {
	out := make([]event.Route, len(body))
	for i, r := range body {
		out[i] = event.Route{Host: r.Host, Path: r.Path, Access: r.Access, OnDeny: r.OnDeny, Health: (*event.Health)(r.Health),
			Timeout: r.Timeout, Retries: r.Retries, StripPrefix: r.StripPrefix, PreserveHost: r.PreserveHost}
		for _, o := range r.Origins {
			out[i].Origins = append(out[i].Origins, event.Origin(o))
		}
	}
	return out
}

func routesOf(stored []event.Route) *routesOutput {
	out := &routesOutput{ETag: etag(stored), Body: make([]Route, len(stored))}
	for i, r := range stored {
		one := Route{Host: r.Host, Path: r.Path, Origins: []RouteOrigin{}, Access: r.Access, OnDeny: r.OnDeny, Health: (*RouteHealth)(r.Health),
			Timeout: r.Timeout, Retries: r.Retries, StripPrefix: r.StripPrefix, PreserveHost: r.PreserveHost}
		for _, o := range r.Origins {
			one.Origins = append(one.Origins, RouteOrigin(o))
		}
		out.Body[i] = one
	}
	return out
}

// routes returns a site's table; fixed says that it stands in the
// configuration.
func (a *API) routes(site string) (stored []event.Route, fixed bool, err error) {
	if a.Routing != nil {
		if stored, fixed = a.Routing.Fixed(site); fixed {
			return stored, true, nil
		}
	}
	if value, ok := a.Engine.Fact(event.FactRoutes, site, ""); ok {
		stored, err = event.DecodeRoutes(value)
	}
	if stored == nil {
		stored = []event.Route{}
	}
	return stored, false, err
}

func (a *API) getRoutes(ctx context.Context, in *struct {
	SitePath
	Unchanged
}) (*routesOutput, error) {
	stored, _, err := a.routes(in.Site)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := routesOf(stored)
	return out, in.Unchanged.check(out.ETag)
}

func (a *API) putRoutes(ctx context.Context, in *routesInput) (*routesOutput, error) {
	next := storedRoutes(in.Body)
	for i := range next {
		next[i].Host = route.Host(next[i].Host)
	}
	value, err := json.Marshal(next)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if len(value) > maxRoutesBytes {
		return nil, unprocessable(problem.Fault{Location: "body", Code: "too_long", Message: fmt.Sprintf("a table has at most %d bytes, this has %d", maxRoutesBytes, len(value))})
	}
	a.routeWrites.Lock()
	defer a.routeWrites.Unlock()
	current, fixed, err := a.routes(in.Site)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if fixed {
		return nil, problem.New(http.StatusConflict, "the routes of this site stand in the server's file of routes: change them there").WithCode("configured")
	}
	if err := in.Conditions.hold(etag(current)); err != nil {
		return nil, err
	}
	if taken := a.takenHosts(in.Site, next); len(taken) > 0 {
		return nil, unprocessable(taken...)
	}
	if len(next) == 0 {
		value = nil
	}
	if err := a.commit(ctx, event.Fact{Kind: event.FactRoutes, Site: in.Site, Value: value}); err != nil {
		return nil, a.failed(ctx, err)
	}
	if a.Routing != nil {
		if err := a.Routing.Serving(ctx); err != nil {
			return nil, a.failed(ctx, err)
		}
	}
	return routesOf(next), nil
}

// takenHosts finds hosts that are routed for another site. Sites may share a
// domain, but a host is served for one.
func (a *API) takenHosts(site string, routes []event.Route) []problem.Fault {
	owner := map[string]string{}
	for _, other := range a.Engine.Sites() {
		if other.ID == site {
			continue
		}
		theirs, _, _ := a.routes(other.ID) // what cannot be read is not served
		for _, r := range theirs {
			owner[route.Host(r.Host)] = other.ID
		}
	}
	var out []problem.Fault
	for i, r := range routes {
		if owner[r.Host] != "" {
			out = append(out, problem.Fault{Location: fmt.Sprintf("body[%d].host", i), Code: "taken", Message: "is routed for another site", Value: r.Host})
		}
	}
	return out
}
