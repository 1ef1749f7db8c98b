package pagecheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
)

// Bounds of a fetch; a page that is larger, or slower, is not looked at by the
// catalogue either.
const (
	maxBody      = 2 << 20
	maxRedirects = 5
	fetchTime    = 10 * time.Second
)

func newClient() *http.Client {
	return &http.Client{Timeout: fetchTime, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return nil
	}}
}

// fetched is an answer. Its body is UTF-8, cut at maxBody.
type fetched struct {
	url    *url.URL // behind redirects
	status int
	header http.Header
	body   []byte
	cut    bool
}

func (c *checker) fetch(ctx context.Context, method, address string, body io.Reader) (*fetched, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", c.o.Agent)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if body != nil {
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		r.Header.Set("Origin", c.url.Scheme+"://"+c.url.Host)
	}
	answer, err := c.o.Client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, err
	}
	defer answer.Body.Close()
	limited := io.LimitReader(answer.Body, maxBody+1)
	if strings.Contains(answer.Header.Get("Content-Type"), "html") {
		if limited, err = charset.NewReader(limited, answer.Header.Get("Content-Type")); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	f := &fetched{url: answer.Request.URL, status: answer.StatusCode, header: answer.Header}
	if err == nil {
		if f.body, err = io.ReadAll(limited); err != nil {
			return nil, err
		}
	}
	if f.cut = len(f.body) > maxBody; f.cut {
		f.body = f.body[:maxBody]
	}
	return f, nil
}

// answer judges how the page came; false if there is no page in it.
func (c *checker) answer(a *fetched, asked *url.URL) bool {
	if a.url.String() != asked.String() {
		c.say(partAnswer, Note, "redirected to %s", a.url)
	}
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	page := err == nil && (media == "text/html" || media == "application/xhtml+xml")
	switch walled := a.status == http.StatusForbidden || a.status == http.StatusPaymentRequired; {
	case !page:
		c.say(partAnswer, Fault, "%d with %s: no page in HTML", a.status, orNone(a.header.Get("Content-Type")))
		return false
	case walled:
		c.say(partAnswer, Note, "%d: this reader is stopped, so what follows is about the wall's page", a.status)
	case a.status != http.StatusOK:
		c.say(partAnswer, Fault, "%d %s", a.status, http.StatusText(a.status))
		return false
	default:
		c.say(partAnswer, OK, "200, %d KB", (len(a.body)+1023)>>10)
	}
	if a.cut {
		c.say(partAnswer, Fault, "larger than 2 MB: the catalogue does not read it, and neither was the rest read here")
	}
	if a.url.Scheme == "http" && !local(a.url.Hostname()) {
		c.say(partAnswer, Warning, "not encrypted: cookies of readers can be read on the way")
	}
	return true
}

func orNone(s string) string {
	if s == "" {
		return "no Content-Type"
	}
	return s
}

// local tells whether a host is this machine, where nobody listens on the way.
func local(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}
