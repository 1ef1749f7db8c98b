package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Limits of entitlement lists.
const (
	maxLists     = 1000      // of a site
	maxListBytes = 200 << 10 // of one
)

// EntitlementList entitles readers by where they come from: a company, a
// library, a university.
type EntitlementList struct {
	Entitlement string   `json:"entitlement" minLength:"1" maxLength:"128" example:"premium"`
	CIDRs       []string `json:"cidrs,omitempty" maxItems:"10000" doc:"Networks or addresses, IPv4 or IPv6" example:"[\"192.0.2.0/24\"]"`
	Domains     []string `json:"domains,omitempty" maxItems:"10000" doc:"Of proven e-mail addresses; those below count too" example:"[\"uni.example\"]"`
	Seats       int      `json:"seats,omitempty" minimum:"0" maximum:"100000" doc:"How many readers it entitles; one who did not need the seat for 30 days gives it back. 0 is without limit"`
}

// NamedList is a list as it is answered.
type NamedList struct {
	Name string `json:"name"`
	EntitlementList
}

// Lists are the entitlement lists of a site.
type Lists struct {
	Lists  []NamedList `json:"lists"`
	Cursor string      `json:"cursor,omitempty"`
}

// Resolve implements huma.ResolverWithPath: the rules beyond the schema.
func (l *EntitlementList) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	for i, text := range l.CIDRs {
		_, errAddress := netip.ParseAddr(text)
		_, errNetwork := netip.ParsePrefix(text)
		if errAddress != nil && errNetwork != nil {
			f.add(index("cidrs", i), "bad_value", "is neither an IP address nor a network such as 192.0.2.0/24", text)
		}
	}
	for i, text := range l.Domains {
		if len(text) > 253 || !hostPattern.MatchString(text) || strings.Contains(text, ":") {
			f.add(index("domains", i), "bad_value", "is not the domain of e-mail addresses, such as uni.example", text)
		}
	}
	return f.errors()
}

// ListPath is the name of a list.
type ListPath struct {
	Name string `path:"name" minLength:"1" maxLength:"128" doc:"Name of the list, percent-encoded" example:"campus"`
}

type listOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   NamedList
}

func (a *API) registerLists() {
	const path = "/v1/sites/{site}/lists/{name}"
	tags := []string{"Readers"}
	reads, writes := rule{scope: auth.SitesRead}, rule{scope: auth.SitesRead | auth.SitesWrite}
	register(a, with(huma.Operation{
		OperationID: "list-lists", Method: http.MethodGet, Path: "/v1/sites/{site}/lists",
		Summary: "List the entitlement lists", Tags: tags, Errors: problems(404, 422),
	}, reads), a.listLists)
	register(a, with(huma.Operation{
		OperationID: "get-list", Method: http.MethodGet, Path: path,
		Summary: "Read an entitlement list", Tags: tags, Errors: problems(404),
	}, reads), a.getList)
	register(a, with(huma.Operation{
		OperationID: "put-list", Method: http.MethodPut, Path: path, Responses: map[string]*huma.Response{
			"201": {Description: "Created", Content: map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf[NamedList](a)}}}},
		Summary: "Write an entitlement list", Tags: tags, Errors: problems(404, 412, 413, 415, 422),
		Description: "A reader whose address or proven e-mail domain is on the list is entitled, as long as there is a seat. With fewer seats than before those who needed theirs last keep it.",
	}, writes), a.putList)
	register(a, with(huma.Operation{
		OperationID: "delete-list", Method: http.MethodDelete, Path: path,
		Summary: "Remove an entitlement list", Tags: tags, Errors: problems(404, 412),
	}, writes), a.deleteList)
}

func namedList(name string, l *event.List) NamedList {
	return NamedList{Name: name, EntitlementList: EntitlementList{Entitlement: l.Entitlement, CIDRs: filled(l.CIDRs), Domains: filled(l.Domains), Seats: l.Seats}}
}

func (a *API) list(site, name string) (*event.List, error) {
	p := a.Engine.Profiles(site)
	if l, ok := p.List(name); ok {
		return l, nil
	}
	return nil, notFound("list", name, slices.Sorted(maps.Keys(p.Lists())))
}

func (a *API) listLists(_ context.Context, in *struct {
	SitePath
	Paging
}) (*struct{ Body Lists }, error) {
	stored := a.Engine.Profiles(in.Site).Lists()
	names, err := skipTo(in.Paging, slices.Sorted(maps.Keys(stored)), func(n string) string { return n })
	if err != nil {
		return nil, err
	}
	out := Lists{Lists: []NamedList{}}
	names, out.Cursor = cut(in.Paging, names, func(n string) string { return n })
	for _, name := range names {
		out.Lists = append(out.Lists, namedList(name, stored[name]))
	}
	return &struct{ Body Lists }{out}, nil
}

func (a *API) getList(_ context.Context, in *struct {
	SitePath
	ListPath
	Unchanged
}) (*listOutput, error) {
	l, err := a.list(in.Site, in.Name)
	if err != nil {
		return nil, err
	}
	tag := etag(l)
	if err := in.Unchanged.check(tag); err != nil {
		return nil, err
	}
	return &listOutput{Status: http.StatusOK, ETag: tag, Body: namedList(in.Name, l)}, nil
}

func (a *API) putList(ctx context.Context, in *struct {
	SitePath
	ListPath
	Conditions
	Body EntitlementList
}) (*listOutput, error) {
	if strings.ContainsRune(in.Name, 0) {
		return nil, unprocessable(problem.Fault{Location: "path.name", Code: "bad_value", Message: "is not a name"})
	}
	l := event.List{Entitlement: in.Body.Entitlement, CIDRs: in.Body.CIDRs, Domains: lowered(in.Body.Domains), Seats: in.Body.Seats}
	value, err := json.Marshal(l)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if len(value) > maxListBytes {
		return nil, unprocessable(problem.Fault{Location: "body", Code: "too_long", Message: fmt.Sprintf("a list has at most %d bytes, this has %d: divide it", maxListBytes, len(value))})
	}
	a.listWrites.Lock()
	defer a.listWrites.Unlock()
	p := a.Engine.Profiles(in.Site)
	current, known := p.List(in.Name)
	tag := ""
	if known {
		tag = etag(current)
	} else if len(p.Lists()) >= maxLists {
		return nil, unprocessable(problem.Fault{Location: "path.name", Code: "too_many", Message: fmt.Sprintf("a site has at most %d lists", maxLists)})
	}
	if err := in.Conditions.hold(tag); err != nil {
		return nil, err
	}
	if err := a.commit(ctx, event.Fact{Kind: event.FactList, Site: in.Site, Key: in.Name, Value: value}); err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &listOutput{Status: http.StatusOK, ETag: etag(&l), Body: namedList(in.Name, &l)}
	if !known {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (a *API) deleteList(ctx context.Context, in *struct {
	SitePath
	ListPath
	Conditions
}) (*struct{}, error) {
	a.listWrites.Lock()
	defer a.listWrites.Unlock()
	l, err := a.list(in.Site, in.Name)
	if err != nil {
		return nil, err
	}
	if err := in.Conditions.hold(etag(l)); err != nil {
		return nil, err
	}
	return nil, a.failed(ctx, a.commit(ctx, event.Fact{Kind: event.FactList, Site: in.Site, Key: in.Name}))
}
