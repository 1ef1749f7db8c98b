package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// registerAuth mounts what other servers ask before they serve a page, and
// describes it.
func (a *API) registerAuth() {
	const path = "/v1/sites/{site}/auth"
	if a.Auth != nil {
		a.mux.Handle("GET "+path, a.Auth)
	}
	query := func(name, about string, required bool, values ...any) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: about, Required: required, Schema: &huma.Schema{Type: huma.TypeString, Enum: values}}
	}
	header := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: about, Schema: text()}
	}
	said := map[string]*huma.Param{}
	for name, about := range map[string]string{
		"X-Readership-Decision": "allow, deny or charge", "X-Readership-Clause": "That decided", "X-Readership-Offer": "That a denial names",
		"X-Readership-Meter": "As monthly;used=3;limit=5", "X-Readership-Decision-Id": "Commits and explains the decision",
		"X-Readership-Reader": "device:ID or account:ID, percent-encoded where it has to be", "X-Readership-Segments": "Those that the reader is in, between commas",
		"X-Readership-Fallback": "1: the block's policy answered in place of the engine", "X-Readership-Counts": "What an allowed page waits for until it counts: engaged_seconds=10 or scroll_percent=50; else absent",
		"Set-Cookie": "Of a new reader, or what a session's meter has burned",
	} {
		said[name] = &huma.Param{Description: about, Schema: text()}
	}
	answer := func(about string, more ...string) *huma.Response {
		r := &huma.Response{Description: about, Headers: map[string]*huma.Param{}}
		for name, param := range said {
			r.Headers[name] = param
		}
		for _, name := range more {
			r.Headers[name] = &huma.Param{Schema: text()}
		}
		return r
	}
	page := func(r *huma.Response) *huma.Response {
		r.Content = map[string]*huma.MediaType{"text/html": {Schema: text()}}
		return r
	}
	denied := page(answer("A denial, or a charge without `mode=forward`; with `X-Readership-Error` it is none: `unknown_access`, `host_not_allowed`, `no_page`, `bad_page`, `no_decision`", "Crawler-Price", "X-Readership-Error"))
	denied.Content["text/plain"] = &huma.MediaType{Schema: text()} // the error in words
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "auth", Method: http.MethodGet, Path: path, Summary: "May the page of a request be served?", Tags: []string{"Edge"},
		Description: "For nginx's `auth_request`, Caddy's `forward_auth`, Traefik, Envoy and the like, which send on the headers of their reader. " +
			"A block that `counts: request` is committed by the answer; any other by who shows the page, with `X-Readership-Decision-Id`.",
		Security: []map[string][]string{{}},
		Parameters: []*huma.Param{
			{Name: "site", In: "path", Required: true, Schema: text()},
			query("access", "Access block of the active program", true), query("mode", "`forward`: denials come with their page", false, "forward"),
			query("key", "A write key of the site; if it is named it has to be right", false), query("uri", "The page, in place of a header. It is the last parameter: everything behind it is the page's", false),
			header("X-Original-URI", "The page, on the host that `Host` names"), header("X-Forwarded-Proto", "The page's scheme"), header("X-Forwarded-Host", "The page's host"),
			header("X-Forwarded-Uri", "The page, where X-Original-URI is missing"), header("X-Forwarded-For", "The reader's address, behind a trusted proxy"),
			header("Cookie", "The reader's: `rsid`, `rsm`"), header("X-Readership-Decision-Id", "With `mode=forward`: a denial that was answered before, whose page is wanted"),
		},
		Responses: map[string]*huma.Response{
			"200": answer("The page may be served"), "302": answer("`mode=forward`: a denial whose offer sends readers elsewhere", "Location"),
			"402": page(answer("`mode=forward`: a charge", "Crawler-Price")),
			"403": denied,
		},
	})
}
