package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// ViewInput is a state of the dashboard to keep.
type ViewInput struct {
	Name   string         `json:"name" minLength:"1" maxLength:"200"`
	Shared bool           `json:"shared,omitempty" doc:"Seen by all who see the site"`
	State  map[string]any `json:"state" doc:"What the dashboard needs to show it again"`
}

// View is a saved view.
type View struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Shared    bool           `json:"shared"`
	Own       bool           `json:"own" doc:"Made by who asks"`
	State     map[string]any `json:"state"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// ViewList is a page of saved views.
type ViewList struct {
	Views  []View `json:"views"`
	Cursor string `json:"cursor,omitempty"`
}

type viewOutput struct {
	ETag string `header:"ETag"`
	Body View
}

func (a *API) registerViews() {
	const path, one = "/v1/sites/{site}/views", "/v1/sites/{site}/views/{id}"
	reads := rule{scope: auth.QueryRead}
	writes := rule{scope: auth.QueryRead | auth.QueryWrite, idempotent: true, maxBody: 64 << 10}
	tags := []string{"Dashboard"}
	register(a, with(huma.Operation{OperationID: "list-views", Method: http.MethodGet, Path: path,
		Summary: "List own and shared views", Tags: tags, Errors: problems(404, 422)}, reads), a.listViews)
	register(a, with(huma.Operation{OperationID: "create-view", Method: http.MethodPost, Path: path, DefaultStatus: http.StatusCreated,
		Summary: "Save a view", Tags: tags, Errors: problems(404, 413, 415, 422)}, writes), a.createView)
	register(a, with(huma.Operation{OperationID: "get-view", Method: http.MethodGet, Path: one,
		Summary: "Read a view", Tags: tags, Errors: problems(404)}, reads), a.getView)
	register(a, with(huma.Operation{OperationID: "put-view", Method: http.MethodPut, Path: one,
		Summary: "Replace an own view", Tags: tags, Errors: problems(404, 412, 413, 415, 422)}, writes), a.putView)
	register(a, with(huma.Operation{OperationID: "delete-view", Method: http.MethodDelete, Path: one,
		Summary: "Delete an own view", Tags: tags, Errors: problems(404, 412)}, writes), a.deleteView)
}

// owner is who a view belongs to.
func owner(p *auth.Principal) string { return p.Kind.String() + ":" + p.ID }

func viewTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func (a *API) view(ctx context.Context, v store.View) (View, error) {
	out := View{ID: v.ID, Name: v.Name, Shared: v.Shared, Own: v.Owner == owner(callOf(ctx).principal),
		CreatedAt: stamp(v.CreatedAt), UpdatedAt: stamp(v.UpdatedAt)}
	return out, json.Unmarshal(v.State, &out.State)
}

func (a *API) listViews(ctx context.Context, in *struct {
	SitePath
	Paging
}) (*struct{ Body ViewList }, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	views, err := a.Store.ListViews(ctx, in.Site, owner(callOf(ctx).principal), page)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &struct{ Body ViewList }{ViewList{Views: []View{}}}
	views, out.Body.Cursor = cut(in.Paging, views, func(v store.View) string { return v.ID })
	for _, v := range views {
		view, err := a.view(ctx, v)
		if err != nil {
			return nil, a.failed(ctx, err)
		}
		out.Body.Views = append(out.Body.Views, view)
	}
	return out, nil
}

func (a *API) createView(ctx context.Context, in *struct {
	SitePath
	Body ViewInput
}) (*viewOutput, error) {
	now := a.Now()
	id, err := auth.NewID(a.Random, now, "view")
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	state, err := json.Marshal(in.Body.State)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	v := store.View{ID: id, Site: in.Site, Owner: owner(callOf(ctx).principal), Name: in.Body.Name, Shared: in.Body.Shared,
		State: state, Version: 1, CreatedAt: now.UnixMilli(), UpdatedAt: now.UnixMilli()}
	if err := a.Store.CreateView(ctx, v); err != nil {
		return nil, a.failed(ctx, err)
	}
	body, err := a.view(ctx, v)
	return &viewOutput{viewTag(v.Version), body}, a.failed(ctx, err)
}

// findView returns a view that the caller sees; own asks for one of the
// caller's, or for any where the caller is an admin.
func (a *API) findView(ctx context.Context, site, id string, own bool) (store.View, error) {
	p := callOf(ctx).principal
	v, err := a.Store.View(ctx, site, id)
	if err != nil || v.Owner != owner(p) && !v.Shared {
		views, listErr := a.Store.ListViews(ctx, site, owner(p), store.Page{})
		if listErr != nil {
			return v, listErr
		}
		ids := make([]string, len(views))
		for i, v := range views {
			ids[i] = v.ID
		}
		return v, notFound("view", id, ids)
	}
	if own && v.Owner != owner(p) && !p.Scopes.Has(auth.AdminWrite) {
		return v, problem.New(http.StatusForbidden, "this view belongs to somebody else").WithCode("not_yours")
	}
	return v, nil
}

func (a *API) getView(ctx context.Context, in *struct {
	SitePath
	IDPath
	Unchanged
}) (*viewOutput, error) {
	v, err := a.findView(ctx, in.Site, in.ID, false)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if err := in.Unchanged.check(viewTag(v.Version)); err != nil {
		return nil, err
	}
	body, err := a.view(ctx, v)
	return &viewOutput{viewTag(v.Version), body}, a.failed(ctx, err)
}

func (a *API) putView(ctx context.Context, in *struct {
	SitePath
	IDPath
	Conditions
	Body ViewInput
}) (*viewOutput, error) {
	v, err := a.findView(ctx, in.Site, in.ID, true)
	if err == nil {
		err = in.Conditions.hold(viewTag(v.Version))
	}
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	v.Name, v.Shared, v.UpdatedAt = in.Body.Name, in.Body.Shared, a.Now().UnixMilli()
	if v.State, err = json.Marshal(in.Body.State); err != nil {
		return nil, a.failed(ctx, err)
	}
	if err := a.Store.UpdateView(ctx, v); err != nil {
		return nil, a.failed(ctx, err)
	}
	v.Version++
	body, err := a.view(ctx, v)
	return &viewOutput{viewTag(v.Version), body}, a.failed(ctx, err)
}

func (a *API) deleteView(ctx context.Context, in *struct {
	SitePath
	IDPath
	Conditions
}) (*struct{}, error) {
	v, err := a.findView(ctx, in.Site, in.ID, true)
	if err == nil {
		err = in.Conditions.hold(viewTag(v.Version))
	}
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return nil, a.failed(ctx, a.Store.DeleteView(ctx, in.Site, in.ID))
}
