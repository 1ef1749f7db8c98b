package api

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// KeyInput is a new API key.
type KeyInput struct {
	Name   string   `json:"name" minLength:"1" maxLength:"200" doc:"What it is for" example:"cms"`
	Scopes []string `json:"scopes" minItems:"1" maxItems:"50" doc:"area:read, area:write (includes reading) or events:import" example:"[\"catalog:write\"]"`
	Sites  []string `json:"sites,omitempty" minItems:"1" maxItems:"1000" doc:"Sites it is for; every site if absent" example:"[\"news\"]"`
}

var siteIDPattern = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// Resolve implements huma.ResolverWithPath.
func (k *KeyInput) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	for i, s := range k.Scopes {
		if _, err := auth.ParseScope(s); err != nil {
			f.add(index("scopes", i), "bad_value", "is not a scope; the nearest is "+quoted(nearest.Closest(s, auth.ScopeNames())), s)
		}
	}
	siteIDs(f, "sites", k.Sites)
	return f.errors()
}

func siteIDs(f *faults, field string, ids []string) {
	for i, s := range ids {
		if !siteIDPattern.MatchString(s) {
			f.add(index(field, i), "bad_value", "is not the id of a site", s)
		}
	}
}

func index(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// Key is an API key as it is listed.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Hint      string    `json:"hint" doc:"The first characters of the key" example:"rk_mZ4q"`
	Scopes    []string  `json:"scopes"`
	Sites     []string  `json:"sites,omitempty" doc:"Absent: every site"`
	CreatedAt time.Time `json:"created_at"`
}

// NewKey is an API key just made.
type NewKey struct {
	Key string `json:"key" doc:"The key itself; it is not shown again" example:"rk_…"`
	KeyAbout
}

// KeyAbout describes a new API key.
type KeyAbout struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	Sites     []string  `json:"sites,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// KeyList is a page of API keys.
type KeyList struct {
	Keys   []Key  `json:"keys"`
	Cursor string `json:"cursor,omitempty"`
}

func (a *API) registerKeys() {
	admin := rule{scope: auth.AdminRead | auth.AdminWrite, detached: true, idempotent: true}
	register(a, with(huma.Operation{
		OperationID: "create-key", Method: http.MethodPost, Path: "/v1/keys", DefaultStatus: http.StatusCreated,
		Summary: "Create an API key", Tags: []string{"Keys and people"}, Errors: problems(413, 415, 422),
	}, admin), a.createKey)
	register(a, with(huma.Operation{
		OperationID: "list-keys", Method: http.MethodGet, Path: "/v1/keys",
		Summary: "List API keys", Tags: []string{"Keys and people"}, Errors: problems(422),
	}, rule{scope: auth.AdminRead, detached: true}), a.listKeys)
	register(a, with(huma.Operation{
		OperationID: "delete-key", Method: http.MethodDelete, Path: "/v1/keys/{id}",
		Summary: "Delete an API key; it is refused from now on", Tags: []string{"Keys and people"}, Errors: problems(404),
	}, admin), a.deleteKey)
}

// covers says whether a principal may give or take access to these sites.
func covers(p *auth.Principal, sites []string) bool {
	if p.Sites == nil {
		return true
	}
	if sites == nil {
		return false
	}
	for _, s := range sites {
		if !p.Reaches(s) {
			return false
		}
	}
	return true
}

// unknownSites returns the faults of a key for sites that there are not.
func (a *API) unknownSites(ids []string) (list []problem.Fault) {
	for i, id := range ids {
		if _, ok := a.Engine.Site(id); !ok {
			list = append(list, problem.Fault{Location: index("body.sites", i), Code: "unknown_site", Message: "there is no such site; create it first", Value: id})
		}
	}
	return list
}

func beyond() *problem.Problem {
	return problem.New(http.StatusForbidden, "this key is for some sites only and cannot reach beyond them").WithCode("wrong_site")
}

func (a *API) createKey(ctx context.Context, in *struct{ Body KeyInput }) (*struct{ Body NewKey }, error) {
	if !covers(callOf(ctx).principal, in.Body.Sites) {
		return nil, beyond()
	}
	if unknown := a.unknownSites(in.Body.Sites); len(unknown) > 0 {
		return nil, unprocessable(unknown...)
	}
	key, secret, err := a.Keys.CreateKey(ctx, in.Body.Name, in.Body.Scopes, in.Body.Sites)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body NewKey }{NewKey{Key: secret, KeyAbout: KeyAbout{ID: key.ID, Name: key.Name,
		Scopes: key.Scopes, Sites: key.Sites, CreatedAt: stamp(key.CreatedAt)}}}, nil
}

func (a *API) listKeys(ctx context.Context, in *struct{ Paging }) (*struct{ Body KeyList }, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	keys, err := a.Store.ListKeys(ctx, page)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &struct{ Body KeyList }{KeyList{Keys: []Key{}}}
	keys, out.Body.Cursor = cut(in.Paging, keys, func(k store.Key) string { return k.ID })
	for _, k := range keys {
		if covers(callOf(ctx).principal, k.Sites) {
			out.Body.Keys = append(out.Body.Keys, Key{ID: k.ID, Name: k.Name, Hint: k.Hint, Scopes: k.Scopes,
				Sites: k.Sites, CreatedAt: stamp(k.CreatedAt)})
		}
	}
	return out, nil
}

// IDPath is the id of a thing.
type IDPath struct {
	ID string `path:"id" maxLength:"128"`
}

func (a *API) deleteKey(ctx context.Context, in *struct{ IDPath }) (*struct{}, error) {
	keys, err := a.Store.ListKeys(ctx, store.Page{})
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	ids := []string{}
	for _, k := range keys {
		if covers(callOf(ctx).principal, k.Sites) {
			ids = append(ids, k.ID)
			if k.ID == in.ID {
				return nil, a.failed(ctx, a.Keys.DeleteKey(ctx, in.ID))
			}
		}
	}
	return nil, notFound("key", in.ID, ids)
}

// WriteKeyInput is a new write key.
type WriteKeyInput struct {
	Name string `json:"name,omitempty" maxLength:"200" doc:"Where it stands" example:"app"`
}

// WriteKey is a write key of a site.
type WriteKey struct {
	ID        string    `json:"id"`
	Key       string    `json:"key" doc:"Stands in every page; no secret" example:"wk_…"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// WriteKeyList is a page of write keys.
type WriteKeyList struct {
	WriteKeys []WriteKey `json:"write_keys"`
	Cursor    string     `json:"cursor,omitempty"`
}

func (a *API) registerWriteKeys() {
	register(a, with(huma.Operation{
		OperationID: "create-write-key", Method: http.MethodPost, Path: "/v1/sites/{site}/write-keys", DefaultStatus: http.StatusCreated,
		Summary: "Create a write key", Tags: []string{"Sites"}, Errors: problems(404, 413, 415, 422),
	}, rule{scope: auth.SitesRead | auth.SitesWrite, idempotent: true}), a.createWriteKey)
	register(a, with(huma.Operation{
		OperationID: "list-write-keys", Method: http.MethodGet, Path: "/v1/sites/{site}/write-keys",
		Summary: "List write keys", Tags: []string{"Sites"}, Errors: problems(404, 422),
	}, rule{scope: auth.SitesRead}), a.listWriteKeys)
	register(a, with(huma.Operation{
		OperationID: "delete-write-key", Method: http.MethodDelete, Path: "/v1/sites/{site}/write-keys/{id}",
		Summary: "Delete a write key; it is refused from now on", Tags: []string{"Sites"}, Errors: problems(404),
	}, rule{scope: auth.SitesRead | auth.SitesWrite}), a.deleteWriteKey)
}

func writeKey(k store.WriteKey) WriteKey {
	return WriteKey{ID: k.ID, Key: k.Key, Name: k.Name, CreatedAt: stamp(k.CreatedAt)}
}

func (a *API) createWriteKey(ctx context.Context, in *struct {
	SitePath
	Body *WriteKeyInput
}) (*struct{ Body WriteKey }, error) {
	name := ""
	if in.Body != nil {
		name = in.Body.Name
	}
	key, err := a.Keys.CreateWriteKey(ctx, in.Site, name)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body WriteKey }{writeKey(key)}, nil
}

func (a *API) listWriteKeys(ctx context.Context, in *struct {
	SitePath
	Paging
}) (*struct{ Body WriteKeyList }, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	keys, err := a.Store.ListWriteKeys(ctx, in.Site, page)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &struct{ Body WriteKeyList }{WriteKeyList{WriteKeys: []WriteKey{}}}
	keys, out.Body.Cursor = cut(in.Paging, keys, func(k store.WriteKey) string { return k.ID })
	for _, k := range keys {
		out.Body.WriteKeys = append(out.Body.WriteKeys, writeKey(k))
	}
	return out, nil
}

func (a *API) deleteWriteKey(ctx context.Context, in *struct {
	SitePath
	IDPath
}) (*struct{}, error) {
	keys, err := a.Store.ListWriteKeys(ctx, in.Site, store.Page{})
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
		if k.ID == in.ID {
			return nil, a.failed(ctx, a.Keys.DeleteWriteKey(ctx, in.Site, in.ID))
		}
	}
	return nil, notFound("write key", in.ID, ids)
}
