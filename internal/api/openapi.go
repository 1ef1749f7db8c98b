package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/problem"
)

const description = `Readership collects what readers do and answers what is happening now.

Times are RFC 3339 with offset, or Unix milliseconds, on input; RFC 3339 on output.
A read sees every write acknowledged before it arrived. Every answer carries X-Request-Id and X-Readership-Position;
a read that sends X-Readership-Position waits until that position is applied.
Errors are RFC 9457 problems that list all faults of a request. Lists are paged with limit and cursor.`

var tags = []*huma.Tag{
	{Name: "Sites", Description: "Sites, their settings and write keys"},
	{Name: "Collecting", Description: "Events, and what became of them"},
	{Name: "Querying", Description: "Questions about the window"},
	{Name: "Catalogue", Description: "Items"},
	{Name: "Programs", Description: "The site's Rubric program and its versions"},
	{Name: "Readers", Description: "Accounts, logins, devices, entitlement lists, signed links; export and erasure"},
	{Name: "Segments", Description: "Who is in which segment"},
	{Name: "Edge", Description: "What stands before a site's pages"},
	{Name: "Keys and people", Description: "API keys, people, sessions"},
	{Name: "Dashboard", Description: "First run and saved views"},
	{Name: "Operation", Description: "Health and metrics"},
}

var securitySchemes = map[string]*huma.SecurityScheme{
	"key":     {Type: "http", Scheme: "bearer", Description: "An API key or the root key"},
	"session": {Type: "apiKey", In: "cookie", Name: "readership_session", Description: "The dashboard's session, from the same origin"},
}

// described is the OpenAPI description as it is served.
type described struct{ json, yaml []byte }

// problems lists the statuses of errors that an operation answers, with those
// that any may.
func problems(more ...int) []int {
	all := append([]int{400, 401, 403, 503}, more...)
	slices.Sort(all)
	return slices.Compact(all)
}

func text() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

// streamed describes an answer of server-sent events.
func streamed(what string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: what, Content: map[string]*huma.MediaType{mediaSSE: {Schema: text()}}}}
}

// operation returns the description of an operation.
func (a *API) operation(method, path string) *huma.Operation {
	item := a.huma.OpenAPI().Paths[path]
	return map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete}[method]
}

// describeRefusals adds the statuses to an operation that follow from what it
// takes: conditions, a key for repetition, a body.
func (a *API) describeRefusals(op *huma.Operation, ru rule) {
	refusals := map[int]bool{
		http.StatusConflict:              ru.idempotent,
		http.StatusRequestEntityTooLarge: op.Method != http.MethodGet,
	}
	for _, p := range op.Parameters {
		switch {
		case p.In != "header":
		case p.Name == "If-Match":
			refusals[http.StatusPreconditionFailed] = true
		case p.Name == "If-None-Match" && op.Method == http.MethodGet:
			op.Responses["304"] = &huma.Response{Description: "Not Modified"}
		}
	}
	for status, answered := range refusals {
		code := strconv.Itoa(status)
		if answered && op.Responses[code] == nil {
			op.Responses[code] = &huma.Response{Description: http.StatusText(status),
				Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schemaOf[problem.Problem](a)}}}
		}
	}
}

// describeBody replaces the description of an operation's body, which the
// handler reads itself.
func (a *API) describeBody(path, method, registered string, schema *huma.Schema, media ...string) {
	op := a.operation(method, path)
	delete(op.RequestBody.Content, registered)
	for _, m := range media {
		op.RequestBody.Content[m] = &huma.MediaType{Schema: schema}
	}
}
