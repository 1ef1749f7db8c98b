// Package client talks to a running server for the commands: requests with an
// API key, problems as errors, retries where the server asks for them, and
// answers written as tables.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// maxAnswer bounds the bytes of an answer that is read into memory.
const maxAnswer = 64 << 20

// Client speaks to one server. Safe for concurrent use.
type Client struct {
	base  *url.URL
	key   string
	agent string
	http  *http.Client
}

// New makes a client of the server at an address such as
// http://127.0.0.1:8080 (http:// is added where no scheme is given). An empty
// key sends none.
func New(server, key string) (*Client, error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	base, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("server %q is not an address: %w", server, err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, fmt.Errorf("server %q is not an http or https address", server)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyFromEnvironment
	transport.MaxIdleConnsPerHost = 16
	transport.WriteBufferSize = 256 << 10
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	return &Client{base: base, key: key, agent: "readership", http: &http.Client{Transport: transport}}, nil
}

// Server returns the server's address.
func (c *Client) Server() string { return c.base.String() }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request builds a request; path begins with / and is already escaped.
func (c *Client) request(ctx context.Context, method, path string, query url.Values, body []byte, contentType string) (*http.Request, error) {
	target := c.base.String() + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	r.Header.Set("User-Agent", c.agent)
	return r, nil
}

// Do sends in as JSON (nil: no body) and decodes the answer into out (nil:
// dropped; *[]byte: as it came). An answer of 400 and above is a
// *problem.Problem.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	contentType := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		contentType = "application/json"
	}
	r, err := c.request(ctx, method, path, query, body, contentType)
	if err != nil {
		return err
	}
	return c.do(r, out)
}

func (c *Client) do(r *http.Request, out any) error {
	answer, err := c.http.Do(r)
	if err != nil {
		return unwrap(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read answer of %s %s: %w", r.Method, r.URL.Path, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("answer of %s %s is larger than %d MB", r.Method, r.URL.Path, maxAnswer>>20)
	}
	if answer.StatusCode >= 400 {
		return asProblem(answer, body)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = body
		return nil
	default:
		if err := json.Unmarshal(body, out); err != nil {
			return fmt.Errorf("answer of %s %s: %w", r.Method, r.URL.Path, err)
		}
		return nil
	}
}

// unwrap takes the address out of net/http's errors but keeps what went wrong.
func unwrap(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// asProblem makes an error of an answer, also of one that something between us
// and the server wrote.
func asProblem(answer *http.Response, body []byte) *problem.Problem {
	p := &problem.Problem{}
	if json.Unmarshal(body, p) != nil || p.Title == "" {
		*p = problem.Problem{Title: http.StatusText(answer.StatusCode), Detail: firstLine(body)}
	}
	p.Status = answer.StatusCode
	p.Header = answer.Header
	return p
}

func firstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	if len(line) > 200 {
		line = line[:200]
	}
	return strings.ToValidUTF8(string(line), "\ufffd")
}

// Site is a site's settings and its now.
type Site struct {
	event.Site
	Now time.Time `json:"now"`
}

// Site returns a site; the key needs sites:read.
func (c *Client) Site(ctx context.Context, id string) (*Site, error) {
	var s Site
	if err := c.Do(ctx, http.MethodGet, "/v1/sites/"+url.PathEscape(id), nil, nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Explain writes an error as a person would want to read it: the problem's
// detail and each fault with its place.
func Explain(err error) string {
	p, ok := problem.As(err)
	if !ok {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the server answered %d", p.Status)
	if p.Title != "" {
		fmt.Fprintf(&b, " %s", p.Title)
	}
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	for _, f := range p.Errors {
		b.WriteString("\n  ")
		if f.Location != "" {
			fmt.Fprintf(&b, "%s: ", f.Location)
		}
		b.WriteString(f.Message)
	}
	if p.Status == http.StatusUnauthorized {
		b.WriteString("\n  (set READERSHIP_API_KEY to an API key of this server)")
	}
	return b.String()
}
