package proxy

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/readership/readership/internal/event"
)

// Gate decides about requests to routes that name an access block. Safe for
// concurrent use.
type Gate interface {
	// Ask decides about one request. It answers within the block's deadline.
	// Errors: *Unavailable says whether the page is served without a decision;
	// with any other it is not.
	Ask(ctx context.Context, q *Question) (Outcome, error)
}

// Question is a request that a Gate decides about.
type Question struct {
	Site   *event.Site
	Access string // name of the access block
	OnDeny string // event.OnDenyTeaser or event.OnDenyOffer
	// Request is as it came from outside, X-Readership-* and all. It must not be
	// changed, its body not be read, and nothing of it be kept once the answer
	// is out.
	Request *http.Request
	// Address is the reader's: the connection's, or behind the site's trusted
	// proxies what they say.
	Address netip.Addr
	// Secure says that the reader's browser speaks TLS, with us or with a
	// trusted proxy.
	Secure bool
}

// URL returns the address of the page as the reader sees it.
func (q *Question) URL() string {
	scheme := "http://"
	if q.Secure {
		scheme = "https://"
	}
	return scheme + q.Request.Host + q.Request.URL.RequestURI()
}

// Action is what becomes of a request.
type Action uint8

// The actions.
const (
	// Forward asks the origin for the page.
	Forward Action = iota
	// Teaser asks the origin too; Outcome.Request tells it of the denial
	// (X-Readership-Decision: deny or charge).
	Teaser
	// Serve answers with Outcome.Page; the origin is not asked.
	Serve
)

// Outcome is a Gate's answer.
type Outcome struct {
	Action Action
	// Request are headers of the request to the origin: X-Readership-*. They
	// replace what came from outside.
	Request http.Header
	// Answer are headers of the answer to the reader, beside the origin's or the
	// page's: Set-Cookie is added, others replace.
	Answer http.Header
	// Page is what Serve answers with.
	Page *Page
	// Answered, if set, is called with the origin's answer before it is sent on,
	// and may change its headers: a cookie that holds what is burned, how
	// caches may keep the page. It is not called when no origin answered.
	Answered func(status int, header http.Header)
}

// Page is an answer that is made here.
type Page struct {
	Status int
	Header http.Header // Content-Type included
	Body   []byte      // left out of answers to HEAD
}

// Unavailable says that no decision could be had, and what follows.
type Unavailable struct {
	// Open: the page is served all the same, marked X-Readership-Fallback.
	// Else the answer is 503.
	Open bool
	Err  error
}

// Error implements error.
func (u *Unavailable) Error() string { return "no decision: " + u.Err.Error() }

// Unwrap returns why.
func (u *Unavailable) Unwrap() error { return u.Err }
