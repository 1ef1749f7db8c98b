package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/access/offer"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// OfferBody is what readers are shown in place of a page.
type OfferBody struct {
	Title    string  `json:"title,omitempty" maxLength:"200" example:"Read on with an account"`
	HTML     string  `json:"html,omitempty" maxLength:"131072" doc:"Template over the verdict and the item; without one a plain page under the title is served" example:"<h1>{{.Title}}</h1>"`
	Redirect *string `json:"redirect,omitempty" nullable:"true" maxLength:"2048" doc:"Address that the reader is sent to in place of the page; a template too" example:"/plans?from={{.URL | urlquery}}"`
}

// NamedOffer is an offer as it is answered.
type NamedOffer struct {
	Name     string  `json:"name"`
	Title    string  `json:"title"`
	HTML     string  `json:"html"`
	Redirect *string `json:"redirect" nullable:"true"`
}

// OfferPath is the name of an offer.
type OfferPath struct {
	Name string `path:"name" pattern:"^[A-Za-z_][A-Za-z0-9_]*$" maxLength:"64" doc:"As clauses name it" example:"registration_wall"`
}

type offerOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   NamedOffer
}

func (a *API) registerOffers() {
	const path = "/v1/sites/{site}/offers/{name}"
	tags := []string{"Edge"}
	reads, writes := rule{scope: auth.SitesRead}, rule{scope: auth.SitesRead | auth.SitesWrite, maxBody: 512 << 10}
	register(a, with(huma.Operation{
		OperationID: "get-offer", Method: http.MethodGet, Path: path,
		Summary: "Read an offer", Tags: tags, Errors: problems(404, 422),
	}, reads), a.getOffer)
	register(a, with(huma.Operation{
		OperationID: "put-offer", Method: http.MethodPut, Path: path, Responses: map[string]*huma.Response{
			"201": {Description: "Created", Content: map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf[NamedOffer](a)}}}},
		Summary: "Write an offer", Tags: tags, Errors: problems(404, 412, 413, 415, 422),
		Description: "What readers are shown whom a clause stops that `offers` this name. Templates are those of Go's html/template; they are tried out before they are stored, and faults say line and column.",
	}, writes), a.putOffer)
	register(a, with(huma.Operation{
		OperationID: "delete-offer", Method: http.MethodDelete, Path: path,
		Summary: "Remove an offer", Tags: tags, Errors: problems(404, 412, 422),
	}, writes), a.deleteOffer)
}

func namedOffer(name string, o *event.Offer) NamedOffer {
	out := NamedOffer{Name: name, Title: o.Title, HTML: o.HTML}
	if o.Redirect != "" {
		out.Redirect = &o.Redirect
	}
	return out
}

// offer returns a stored offer, nil if there is none.
func (a *API) offer(site, name string) (*event.Offer, error) {
	value, ok := a.Engine.Fact(event.FactOffer, site, name)
	if !ok {
		return nil, nil
	}
	o := new(event.Offer)
	return o, json.Unmarshal(value, o)
}

func (a *API) storedOffer(ctx context.Context, site, name string) (*event.Offer, error) {
	o, err := a.offer(site, name)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if o == nil {
		return nil, notFound("offer", name, nil)
	}
	return o, nil
}

func (a *API) getOffer(ctx context.Context, in *struct {
	SitePath
	OfferPath
	Unchanged
}) (*offerOutput, error) {
	o, err := a.storedOffer(ctx, in.Site, in.Name)
	if err != nil {
		return nil, err
	}
	tag := etag(o)
	if err := in.Unchanged.check(tag); err != nil {
		return nil, err
	}
	return &offerOutput{Status: http.StatusOK, ETag: tag, Body: namedOffer(in.Name, o)}, nil
}

func (a *API) putOffer(ctx context.Context, in *struct {
	SitePath
	OfferPath
	Conditions
	Body OfferBody
}) (*offerOutput, error) {
	o := event.Offer{Title: in.Body.Title, HTML: in.Body.HTML}
	if in.Body.Redirect != nil {
		o.Redirect = *in.Body.Redirect
	}
	if _, err := offer.New(&o); err != nil {
		return nil, unprocessable(offerFaults(err)...)
	}
	value, err := json.Marshal(o)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	a.offerWrites.Lock()
	defer a.offerWrites.Unlock()
	current, err := a.offer(in.Site, in.Name)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	tag := ""
	if current != nil {
		tag = etag(current)
	}
	if err := in.Conditions.hold(tag); err != nil {
		return nil, err
	}
	if err := a.commit(ctx, event.Fact{Kind: event.FactOffer, Site: in.Site, Key: in.Name, Value: value}); err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &offerOutput{Status: http.StatusOK, ETag: etag(&o), Body: namedOffer(in.Name, &o)}
	if current == nil {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// offerFaults lays out what is wrong with an offer.
func offerFaults(err error) (faults []problem.Fault) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		at, message := "body", err.Error()
		var f *offer.Fault
		if errors.As(err, &f) {
			at, message = "body."+f.Location(), f.Message
		}
		faults = append(faults, problem.Fault{Location: at, Code: "bad_template", Message: strings.TrimSpace(message)})
	}
	return faults
}

func (a *API) deleteOffer(ctx context.Context, in *struct {
	SitePath
	OfferPath
	Conditions
}) (*struct{}, error) {
	a.offerWrites.Lock()
	defer a.offerWrites.Unlock()
	o, err := a.storedOffer(ctx, in.Site, in.Name)
	if err != nil {
		return nil, err
	}
	if err := in.Conditions.hold(etag(o)); err != nil {
		return nil, err
	}
	return nil, a.failed(ctx, a.commit(ctx, event.Fact{Kind: event.FactOffer, Site: in.Site, Key: in.Name}))
}
