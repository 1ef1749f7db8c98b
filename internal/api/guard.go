package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/rate"
)

// rule is what the guard asks before an operation's handler runs.
type rule struct {
	scope      auth.Scope // needed; 0 with open or signedIn
	open       bool       // nobody needs to be named
	signedIn   bool       // any person or key
	detached   bool       // does not read the engine, so it need not wait for it
	idempotent bool       // takes an Idempotency-Key, but from a page
	accepts    []string   // media types of the body; JSON if empty
	maxBody    int64      // bytes; 256 KB if 0
	often      often      // which bound of a key's requests it counts for
}

// often is a kind of requests of which one sender may make so many a second.
type often uint8

const (
	unbounded often = iota
	decides
	asks
)

// limit answers whether a sender may make a request now (429).
func (a *API) limit(ru rule, p *auth.Principal, bodyBytes int64) error {
	var l *rate.Limit
	switch ru.often {
	case decides:
		l = a.Limits.Decisions
	case asks:
		l = a.Limits.Questions
	}
	kind, name := p.Sender()
	wait, ok := l.Take(kind, name, rate.Tokens(bodyBytes))
	if ok {
		return nil
	}
	l.Refuse()
	return problem.New(http.StatusTooManyRequests, "the key is used more often than it may be").WithCode("rate_limited").WithRetryAfter(max(wait, time.Second))
}

const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
	mediaMerge  = "application/merge-patch+json"
	mediaCSV    = "text/csv"
	mediaSSE    = "text/event-stream"
	mediaBytes  = "application/octet-stream"
	mediaText   = "text/plain"
)

const ruleKey = "rule"

// with puts a rule on an operation.
func with(op huma.Operation, r rule) huma.Operation {
	op.Metadata = map[string]any{ruleKey: r}
	// The guard reads and bounds the body; Huma gets it from memory.
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1
	switch {
	case r.open:
		op.Security = []map[string][]string{}
	case r.signedIn:
		op.Security = []map[string][]string{{"key": {}}, {"session": {}}}
	default:
		op.Security = []map[string][]string{{"key": {r.scope.String()}}, {"session": {}}}
		op.Description = strings.TrimSpace(op.Description + "\n\nNeeds the scope `" + strings.Join(r.scope.Names(), "`, `") + "`.")
	}
	return op
}

// register adds an operation. Unknown query parameters are faults like any
// other: they are told together with what Huma finds, or alone.
func register[I, O any](a *API, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		if unknown := callOf(ctx).unknown; len(unknown) > 0 {
			return nil, unprocessable(unknown...)
		}
		return handler(ctx, in)
	})
	a.describeRefusals(a.operation(op.Method, op.Path), op.Metadata[ruleKey].(rule))
}

// unknownParameters returns the query parameters that an operation does not
// have or that are no text, as faults.
func unknownParameters(op *huma.Operation, r *http.Request) []problem.Fault {
	if r.URL.RawQuery == "" {
		return nil
	}
	var list []problem.Fault
	for name, values := range r.URL.Query() {
		if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			list = append(list, problem.Fault{Location: "query." + clip(name), Code: "bad_utf8", Message: "is not valid UTF-8"})
			continue
		}
		known := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
		if !known {
			list = append(list, problem.Fault{Location: "query." + clip(name), Code: "unknown_field", Message: "there is no parameter " + quoted(clip(name))})
		}
	}
	return list
}

// guard runs before every operation.
func (a *API) guard(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	ru := ctx.Operation().Metadata[ruleKey].(rule)
	if err := a.admit(ru, w, r); err != nil {
		p, ok := problem.As(a.failed(r.Context(), err))
		if !ok {
			p = problem.New(http.StatusInternalServerError, "something went wrong")
		}
		if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestTimeout {
			w.Header().Set("Connection", "close")
		}
		p.Respond(w)
		return
	}
	callOf(r.Context()).unknown = unknownParameters(ctx.Operation(), r)
	// A write key stands in every page: who guesses a reader's idempotency key would
	// be given the reader's answer.
	if ru.idempotent && r.Header.Get("Idempotency-Key") != "" && callOf(r.Context()).principal.Kind != auth.KindWrite {
		a.idempotently(ctx, w, r, next)
		return
	}
	next(ctx)
}

// admit checks, in this order: who speaks (401), from where (403), for which scope
// and site (403), whether so often (429), whether the state is recent enough (503)
// and has the site (404), and reads the body (413, 415, 400).
func (a *API) admit(ru rule, w http.ResponseWriter, r *http.Request) error {
	c := callOf(r.Context())
	c.scope = ru.scope
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !ru.open {
		cookie, err := a.authenticate(c, r)
		if err != nil {
			return err
		}
		if cookie && !safe {
			if err := a.sameOrigin(r); err != nil {
				return err
			}
		}
		if !ru.signedIn && !c.principal.Scopes.Has(ru.scope) {
			return a.lacking(c, ru.scope)
		}
	} else if !safe {
		if err := a.sameOrigin(r); err != nil {
			return err
		}
	}
	site := r.PathValue("site")
	if site != "" && !c.principal.Reaches(site) {
		return problem.Newf(http.StatusForbidden, "this key is not for site %q", clip(site)).WithCode("wrong_site")
	}
	if ru.often != unbounded {
		if err := a.limit(ru, c.principal, r.ContentLength); err != nil {
			return err
		}
	}
	if !ru.open && !ru.detached {
		if err := a.await(r.Context(), c); err != nil {
			return err
		}
	}
	if site != "" {
		var ok bool
		if c.site, ok = a.Engine.Site(site); !ok {
			return notFound("site", site, a.siteIDs(c.principal))
		}
	}
	if safe || r.Method == http.MethodDelete {
		return nil
	}
	return a.readBody(ru, w, r)
}

// authenticate finds the principal of a request; cookie says that it came by
// the session cookie.
func (a *API) authenticate(c *call, r *http.Request) (cookie bool, err error) {
	denied := func(detail string) *problem.Problem {
		return problem.New(http.StatusUnauthorized, detail).WithHeader("WWW-Authenticate", `Bearer realm="readership"`)
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, key, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false, denied("the key is sent as Authorization: Bearer KEY")
		}
		key = strings.TrimSpace(key)
		if p, ok := a.Keys.APIKey(key); ok {
			c.principal, c.secret = p, key
			return false, nil
		}
		if site, ok := a.Keys.WriteKey(key); ok {
			c.principal = &auth.Principal{Kind: auth.KindWrite, Site: site}
			return false, nil
		}
		return false, denied("this key is not known")
	}
	if k, err := r.Cookie(credentials.CookieName); err == nil && k.Value != "" && a.Sessions != nil {
		p, err := a.Sessions.Check(r.Context(), k.Value)
		if errors.Is(err, credentials.ErrNoSession) {
			return false, denied("the session has ended; sign in again").WithCode("session_ended")
		}
		if err != nil {
			return false, fmt.Errorf("check session: %w", err)
		}
		c.principal, c.secret, c.cookie = p, k.Value, true
		return true, nil
	}
	return false, denied("a key is needed: Authorization: Bearer KEY")
}

// still says whether a call that lasts may go on: the key or session, its
// scopes and the site may have changed since it began.
func (a *API) still(ctx context.Context, c *call) bool {
	var p *auth.Principal
	if c.cookie {
		var err error
		if p, err = a.Sessions.Check(ctx, c.secret); err != nil {
			return false
		}
	} else if p, _ = a.Keys.APIKey(c.secret); p == nil {
		return false
	}
	if c.site == nil {
		return p.Scopes.Has(c.scope)
	}
	_, ok := a.Engine.Site(c.site.ID)
	return ok && p.Has(c.scope, c.site.ID)
}

// sameOrigin refuses a browser's request that another origin caused.
func (a *API) sameOrigin(r *http.Request) error {
	if err := a.csrf.Check(r); err != nil {
		return problem.New(http.StatusForbidden, "a request of another origin cannot use the session").WithCode("cross_origin")
	}
	return nil
}

func (a *API) lacking(c *call, scope auth.Scope) *problem.Problem {
	names := strings.Join(scope.Names(), ", ")
	switch c.principal.Kind {
	case auth.KindWrite:
		return problem.Newf(http.StatusForbidden, "a write key only collects; this needs an API key with %s", names).WithCode("missing_scope")
	case auth.KindPerson:
		return problem.Newf(http.StatusForbidden, "the role %s does not include %s", c.principal.Role, names).WithCode("missing_scope")
	}
	return problem.Newf(http.StatusForbidden, "this key lacks the scope %s", names).WithCode("missing_scope")
}

// await lets everything be applied that was acknowledged before the request
// arrived, and what the request itself asks for.
func (a *API) await(ctx context.Context, c *call) error {
	if a.Engine.Position() >= c.at {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.Limits.BehindTime)
	defer cancel()
	err := a.Engine.Wait(ctx, c.at)
	if errors.Is(err, context.DeadlineExceeded) {
		at, asked := a.Engine.Position(), c.at
		c.at = at // what the answer names is there
		return problem.Newf(http.StatusServiceUnavailable, "the engine is at %s and has not reached %s", at, asked).
			WithCode("behind").WithRetryAfter(time.Second)
	}
	return err
}

// siteIDs lists the sites that a principal may know of.
func (a *API) siteIDs(p *auth.Principal) []string {
	var ids []string
	for _, s := range a.Engine.Sites() {
		if p.Reaches(s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// readBody checks the type of the body, reads it within its limits and leaves
// it in r.Body as text in memory.
func (a *API) readBody(ru rule, w http.ResponseWriter, r *http.Request) error {
	accepts := ru.accepts
	if len(accepts) == 0 {
		accepts = []string{mediaJSON}
	}
	limit := ru.maxBody
	if limit == 0 {
		limit = 256 << 10
	}
	if text := r.Header.Get("Content-Type"); text != "" {
		media, _, err := mime.ParseMediaType(text)
		ok := false
		for _, accepted := range accepts {
			ok = ok || media == accepted
		}
		if err != nil || !ok {
			return problem.Newf(http.StatusUnsupportedMediaType, "the body is %s; it has to be %s", clip(text), strings.Join(accepts, " or ")).
				WithHeader("Accept", strings.Join(accepts, ", "))
		}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return problem.Newf(http.StatusUnsupportedMediaType, "the content encoding %s is not taken here", clip(encoding)).
			WithHeader("Accept-Encoding", "identity")
	}
	tooLarge := problem.Newf(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", limit)
	if r.ContentLength > limit {
		return tooLarge
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(a.Limits.BodyTime)) // not all writers have deadlines
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	_ = control.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(http.StatusRequestTimeout, "the body did not arrive in time")
	case err != nil:
		return problem.New(http.StatusBadRequest, "the body could not be read").WithCause(err)
	case int64(len(body)) > limit:
		return tooLarge
	case !utf8.Valid(body):
		return finish(problem.New(http.StatusBadRequest, "", problem.Fault{Location: "body", Code: "bad_utf8", Message: "is not valid UTF-8"}))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
