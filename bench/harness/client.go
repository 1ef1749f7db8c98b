package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Result is the answer to a query.
type Result struct {
	Results []struct {
		Dimensions []string   `json:"dimensions"`
		Metrics    []*float64 `json:"metrics"`
	} `json:"results"`
	Totals []*float64 `json:"totals"`
	Meta   struct {
		Warnings []json.RawMessage `json:"warnings"`
		TookMS   float64           `json:"took_ms"`
	} `json:"meta"`
}

// Verdict is the answer to a collection request.
type Verdict struct {
	Accepted      int `json:"accepted"`
	Duplicates    int `json:"duplicates"`
	RejectedTotal int `json:"rejected_total"`
	Rejected      []struct {
		Index   int    `json:"index"`
		Code    string `json:"code"`
		Path    string `json:"path"`
		Message string `json:"message"`
	} `json:"rejected"`
}

// StatusError is an answer with another status than 2xx.
type StatusError struct {
	Status     int
	RetryAfter string
	Body       string
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Status, e.Body) }

// Call sends a request with the root key to the main listener and decodes the
// JSON answer into out (nil: dropped). Other statuses than 2xx are a
// *StatusError; out is filled all the same when the body is JSON.
func (s *Server) Call(ctx context.Context, method, path string, body any, out any) error {
	return s.CallAs(ctx, RootKey, nil, method, path, body, out)
}

// CallAs is Call with another key, and with headers.
func (s *Server) CallAs(ctx context.Context, key string, header map[string]string, method, path string, body any, out any) error {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL(path), reader)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if _, stream := body.(io.Reader); stream {
		req.Header.Set("Content-Type", "application/x-ndjson")
	} else if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if out != nil && json.Valid(text) {
		if err := json.Unmarshal(text, out); err != nil && res.StatusCode/100 == 2 {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %w", method, path, &StatusError{res.StatusCode, res.Header.Get("Retry-After"), string(text[:min(len(text), 2000)])})
	}
	return nil
}

// CreateSite creates a site and returns its write key. Settings are the body
// of POST /v1/sites, JSON.
func (s *Server) CreateSite(ctx context.Context, settings string) (writeKey string, err error) {
	var site struct {
		WriteKey string `json:"write_key"`
	}
	if err := s.Call(ctx, http.MethodPost, "/v1/sites", settings, &site); err != nil {
		return "", err
	}
	if site.WriteKey == "" {
		return "", errors.New("the new site has no write_key")
	}
	return site.WriteKey, nil
}

// Position sends one event with a site's write key and returns its position in the
// log: a question to another process that has it sees what was acknowledged before.
func (s *Server) Position(ctx context.Context, writeKey, event string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.CollectURL("/v1/events"), strings.NewReader(event))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+writeKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("POST /v1/events: status %d", res.StatusCode)
	}
	return res.Header.Get("X-Readership-Position"), nil
}

// Query asks a question; body is the JSON of POST …/query.
func (s *Server) Query(ctx context.Context, site, body string) (*Result, error) {
	return s.QueryAfter(ctx, "", site, body)
}

// QueryAfter is Query of what the log holds up to a position at least; "": up to what
// the server itself has acknowledged.
func (s *Server) QueryAfter(ctx context.Context, position, site, body string) (*Result, error) {
	header := map[string]string{}
	if position != "" {
		header["X-Readership-Position"] = position
	}
	r := new(Result)
	return r, s.CallAs(ctx, RootKey, header, http.MethodPost, "/v1/sites/"+site+"/query", body, r)
}

// Number asks a question without dimensions and with one metric.
func (s *Server) Number(ctx context.Context, site, metric, from, to string) (float64, error) {
	r, err := s.Query(ctx, site, fmt.Sprintf(`{"metrics":[%q],"date_range":[%q,%q]}`, metric, from, to))
	if err != nil {
		return 0, err
	}
	if len(r.Results) != 1 || len(r.Results[0].Metrics) != 1 || r.Results[0].Metrics[0] == nil {
		return 0, fmt.Errorf("the answer to %s is not one number: %+v", metric, r.Results)
	}
	return *r.Results[0].Metrics[0], nil
}

// bodyLimit keeps a streamed body below the 1 GB that an import may have.
const bodyLimit = 900 << 20

// Import streams NDJSON through POST /v1/events, in as many requests as its
// length needs, and adds up their verdicts. The indexes of rejected events
// count from the begin of each request.
func (s *Server) Import(ctx context.Context, site string, events io.Reader) (Verdict, error) {
	var sum Verdict
	lines := bufio.NewReaderSize(events, 1<<20)
	path := "/v1/events?" + url.Values{"site": {site}}.Encode()
	for {
		if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
			return sum, nil
		} else if err != nil {
			return sum, err
		}
		var v Verdict
		err := s.Call(ctx, http.MethodPost, path, io.Reader(&wholeLines{r: lines, left: bodyLimit}), &v)
		sum.Accepted += v.Accepted
		sum.Duplicates += v.Duplicates
		sum.RejectedTotal += v.RejectedTotal
		sum.Rejected = append(sum.Rejected, v.Rejected...)
		if err != nil {
			return sum, err
		}
	}
}

// wholeLines reads from r and ends after the first line break past left bytes.
type wholeLines struct {
	r    *bufio.Reader
	left int
	done bool
}

func (w *wholeLines) Read(p []byte) (int, error) {
	if w.done {
		return 0, io.EOF
	}
	if w.left > 0 {
		n, err := w.r.Read(p[:min(len(p), w.left)])
		w.left -= n
		if err == nil && w.left == 0 {
			w.done = p[n-1] == '\n'
		}
		return n, err
	}
	n := 0
	for n < len(p) {
		b, err := w.r.ReadByte()
		if err != nil {
			return n, err
		}
		p[n] = b
		n++
		if b == '\n' {
			w.done = true
			break
		}
	}
	return n, nil
}

// EventIDs returns how often each id occurs among the stored rows of a span
// (times as api.md writes them in query strings).
func (s *Server) EventIDs(ctx context.Context, site, from, to string) (map[string]int, error) {
	q := url.Values{"from": {from}, "to": {to}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL("/v1/sites/"+site+"/events?"+q.Encode()), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+RootKey)
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		return nil, &StatusError{Status: res.StatusCode, Body: string(text)}
	}
	ids := map[string]int{}
	for d := json.NewDecoder(res.Body); ; {
		var e struct {
			ID string `json:"id"`
		}
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return ids, nil
		} else if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		ids[e.ID]++
	}
}

// Metrics returns the numbers of /metrics by name with labels, as written.
func (s *Server) Metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL("/metrics"), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+RootKey)
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, ok := cutLast(lines.Text())
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(name, "#") {
			out[name] = v
		}
	}
	return out, nil
}

func cutLast(line string) (before, after string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}
