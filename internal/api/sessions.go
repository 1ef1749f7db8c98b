package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/problem"
)

// SignIn is an e-mail and a password.
type SignIn struct {
	Email    string `json:"email" minLength:"1" maxLength:"254" example:"ada@news.example"`
	Password string `json:"password" minLength:"1" maxLength:"256" writeOnly:"true"`
}

// SessionInfo says who is signed in, or whose key it is.
type SessionInfo struct {
	Kind   string   `json:"kind" enum:"person,api,root,write"`
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Email  string   `json:"email,omitempty"`
	Role   string   `json:"role,omitempty" enum:"viewer,editor,admin"`
	Sites  []string `json:"sites,omitempty" doc:"Absent: every site"`
	Scopes []string `json:"scopes" doc:"area:write includes reading"`
}

func info(p *auth.Principal) SessionInfo {
	i := SessionInfo{Kind: p.Kind.String(), ID: p.ID, Name: p.Name, Email: p.Email, Role: p.Role, Sites: p.Sites, Scopes: p.Scopes.Names()}
	if p.Kind == auth.KindWrite {
		i.Sites = []string{p.Site}
	}
	return i
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      SessionInfo
}

// connection is what a handler needs to know of the connection.
type connection struct {
	address   string
	secure    bool
	base      string // scheme and host the request came to
	userAgent string
}

// origin lets an input see the connection.
type origin struct{ connection }

// Resolve implements huma.Resolver.
func (o *origin) Resolve(h huma.Context) []error {
	r, _ := humago.Unwrap(h)
	o.connection = connectionOf(r)
	return nil
}

func connectionOf(r *http.Request) connection {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	c := connection{address: host, secure: r.TLS != nil, userAgent: r.UserAgent()}
	scheme, name := "http", r.Host
	// A proxy on this machine is believed: it stands between us and everybody.
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		if list := r.Header.Get("X-Forwarded-For"); list != "" {
			c.address = strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
		}
		c.secure = c.secure || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
		if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" {
			name = forwarded
		}
	}
	if c.secure {
		scheme = "https"
	}
	c.base = scheme + "://" + name
	return c
}

func (a *API) registerSessions() {
	register(a, with(huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/v1/sessions", DefaultStatus: http.StatusCreated,
		Summary: "Sign in", Tags: []string{"Keys and people"}, Errors: problems(413, 415, 422, 429),
		Description: "Sets the session cookie. E-mails and addresses that try too often are refused for a while.",
	}, rule{open: true, maxBody: 8 << 10}), a.signIn)
	register(a, with(huma.Operation{
		OperationID: "who-am-i", Method: http.MethodGet, Path: "/v1/sessions/current",
		Summary: "Who is signed in, or whose key it is", Tags: []string{"Keys and people"}, Errors: problems(),
	}, rule{signedIn: true, detached: true}), a.whoAmI)
	register(a, with(huma.Operation{
		OperationID: "sign-out", Method: http.MethodDelete, Path: "/v1/sessions/current",
		Summary: "Sign out", Tags: []string{"Keys and people"}, Errors: problems(),
	}, rule{signedIn: true, detached: true}), a.signOut)
}

func (a *API) signIn(ctx context.Context, in *struct {
	origin
	Body SignIn
}) (*sessionOutput, error) {
	p, token, err := a.Sessions.SignIn(ctx, in.Body.Email, in.Body.Password, in.address, in.userAgent)
	var limit *credentials.LimitError
	switch {
	case errors.As(err, &limit):
		return nil, problem.New(http.StatusTooManyRequests, "too many attempts to sign in; wait a little").
			WithCode("too_many_attempts").WithRetryAfter(limit.Wait)
	case errors.Is(err, credentials.ErrCredentials):
		return nil, problem.New(http.StatusUnauthorized, "e-mail or password is wrong").WithCode("wrong_credentials")
	case err != nil:
		return nil, a.failed(ctx, err)
	}
	return &sessionOutput{SetCookie: *credentials.Cookie(token, in.secure), Body: info(p)}, nil
}

func (a *API) whoAmI(ctx context.Context, _ *struct{}) (*struct {
	CacheControl string `header:"Cache-Control"`
	Body         SessionInfo
}, error) {
	out := &struct {
		CacheControl string `header:"Cache-Control"`
		Body         SessionInfo
	}{CacheControl: "no-store", Body: info(callOf(ctx).principal)}
	return out, nil
}

func (a *API) signOut(ctx context.Context, in *struct{ origin }) (*struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}, error) {
	if c := callOf(ctx); c.principal.Kind == auth.KindPerson {
		if err := a.Sessions.End(ctx, c.secret); err != nil {
			return nil, a.failed(ctx, err)
		}
	}
	return &struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}{*credentials.Cookie("", in.secure)}, nil
}
