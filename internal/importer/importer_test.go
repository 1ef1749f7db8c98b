package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/readership/readership/internal/client"
)

// server stands for a Readership that remembers ids and refuses what it is
// told to.
type server struct {
	site   string // the site's JSON
	ids    map[string]bool
	order  []string
	refuse int    // requests to answer 503, after storing half of them
	whole  bool   // they store nothing
	asked  func() // called with every body, if not nil
	bodies int
	open   int // events of a body that was refused
	twice  int // events that were sent again though their answer had come
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/events" {
		if s.site == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, s.site)
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.bodies++
	var receipt client.Receipt
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if s.asked != nil {
		s.asked()
	}
	if s.refuse > 0 {
		lines = lines[:len(lines)/2]
	}
	if s.whole && s.refuse > 0 {
		lines = nil
	}
	known := s.open
	s.open = 0
	for i, line := range lines {
		var event struct{ ID, Type string }
		switch err := json.Unmarshal([]byte(line), &event); {
		case err != nil:
			receipt.Rejected = append(receipt.Rejected, client.Rejected{Index: i, Code: "wrong_type", Message: "not an object"})
			receipt.RejectedTotal++
		case s.ids[event.ID]:
			receipt.Duplicates++
		default:
			s.ids[event.ID] = true
			s.order = append(s.order, event.ID)
			receipt.Accepted++
		}
	}
	s.twice += max(0, receipt.Duplicates-known)
	if s.refuse > 0 {
		s.open = receipt.Accepted + receipt.Duplicates
		s.refuse--
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	} else if receipt.Accepted+receipt.Duplicates == 0 {
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(receipt)
}

func importInto(t *testing.T, s *server, o Options) (sum *Summary, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	o.Out, o.Err = &stdout, &stderr
	sum, err := tryImport(t, s, o)
	if err != nil {
		t.Fatal(err)
	}
	return sum, stdout.String(), stderr.String()
}

func tryImport(t *testing.T, s *server, o Options) (*Summary, error) {
	t.Helper()
	if s.ids == nil {
		s.ids = make(map[string]bool)
	}
	web := httptest.NewServer(s)
	defer web.Close()
	c, err := client.New(web.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.Site, o.Patience = "news", time.Minute
	o.Now = func() time.Time { return time.Date(2015, 5, 21, 0, 0, 0, 0, time.UTC) }
	return Run(context.Background(), c, o)
}

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func accessLog(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		if i == 7 {
			b.WriteString("1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"open\n")
			continue
		}
		fmt.Fprintf(&b, "1.2.3.4 - - [17/May/2015:10:%02d:03 +0000] \"GET /%d HTTP/1.1\" 200 1 \"-\" \"a\"\n", i/60%60, i%50)
	}
	return b.Bytes()
}

const wallSite = `{"id":"news","window":"30d","clock":"wall"}`

func TestImportAccessLog(t *testing.T) {
	s := &server{site: wallSite}
	log := accessLog(1000)
	path := write(t, "access.log", log)
	sum, out, errs := importInto(t, s, Options{Files: []string{path}, PartSize: 4 << 10})
	if *sum != (Summary{Lines: 1000, Stored: 999, Rejected: 1}) {
		t.Errorf("%+v", *sum)
	}
	if !strings.HasPrefix(out, `1,000 lines from 17 May 2015 10:00 to 17 May 2015 10:16 UTC; none lies outside the window of site "news" (30d)`) {
		t.Errorf("first line: %s", out)
	}
	if !strings.Contains(errs, path+":8: byte ") {
		t.Errorf("rejected: %s", errs)
	}

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(log)
	_ = z.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"same": log, "renamed.1": packed.Bytes(), "b.zst": enc.EncodeAll(log, nil), "cut": log[:len(log)/2+bytes.IndexByte(log[len(log)/2:], '\n')+1]} {
		sum, _, _ := importInto(t, s, Options{Files: []string{write(t, name, text)}})
		if sum.Stored != 0 || sum.Duplicates == 0 {
			t.Errorf("%s: %+v", name, *sum)
		}
	}
}

func TestImportRetries(t *testing.T) {
	s := &server{site: wallSite, refuse: 2}
	sum, _, errs := importInto(t, s, Options{Files: []string{write(t, "a.log", accessLog(500))}})
	if sum.Stored != 499 || sum.Duplicates != 0 {
		t.Errorf("%+v", *sum)
	}
	if !strings.Contains(errs, "503") {
		t.Errorf("retries are not told: %s", errs)
	}
}

func TestImportEventsFromStandardInput(t *testing.T) {
	s := &server{}
	in := "{\"type\":\"x\"}\n\n{\"type\":\"x\"}\nbroken\r\n{\"id\":\"mine\",\"type\":\"x\"}\n" + strings.Repeat("y", MaxLine+5) + "\n{\"type\":\"z\"}"
	sum, out, errs := importInto(t, s, Options{Kind: Events, Files: []string{"-"}, Stdin: strings.NewReader(in)})
	if *sum != (Summary{Lines: 6, Stored: 4, Rejected: 2}) || !s.ids["mine"] {
		t.Errorf("%+v %v", *sum, s.order)
	}
	if !strings.HasPrefix(out, "standard input is read once") {
		t.Errorf("first line: %s", out)
	}
	if !strings.Contains(errs, "-:4: wrong_type: not an object") || !strings.Contains(errs, "-:6: the line is longer") {
		t.Errorf("rejected: %s", errs)
	}
}

func TestImportSaysWhatLiesOutside(t *testing.T) {
	const day = 24 * 3600_000
	base := time.Date(2015, 5, 20, 0, 0, 0, 0, time.UTC).UnixMilli()
	line := func(t int64) string { return fmt.Sprintf("{\"type\":\"x\",\"time\":%d}\n", t) }
	for _, tt := range []struct{ name, site, lines, want string }{
		{"wall", wallSite, line(base) + line(base-40*day), "1 lies outside the window"},
		{"event", `{"id":"news","window":"2d","clock":"event","now":"2015-05-21T00:00:00Z"}`, line(base-20*day) + line(base-18*day) + line(base-30*day), "1 lies outside the window"},
		{"jump", `{"id":"news","window":"30d","clock":"event","now":"2015-05-21T00:00:00Z"}`, line(base-20*day) + line(base), "1 lies more than 7 days ahead"},
		{"leaving", `{"id":"news","window":"2d","clock":"event","now":"2015-05-21T00:00:00Z"}`, line(base-6*day) + line(base), "about 1 has left the window"},
		{"no scope", "", line(base), "the key may not read site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{site: tt.site}
			_, out, _ := importInto(t, s, Options{Kind: Events, Files: []string{write(t, "e.ndjson", []byte(tt.lines))}})
			first, _, _ := strings.Cut(out, "\n")
			if !strings.Contains(first, tt.want) {
				t.Errorf("first line %q, want %q", first, tt.want)
			}
		})
	}
}

func TestImportRefusesAHostOfNoSite(t *testing.T) {
	const site = `{"id":"news","window":"30d","clock":"wall","domains":["news.example"],"aliases":["old.example"]}`
	path := write(t, "access.log", accessLog(10))
	for _, tt := range []struct {
		site, host string
		fine       bool
	}{
		{site, "news.example", true}, {site, "WWW.news.example:443", true}, {site, "old.example", true}, {site, "", true},
		{site, "localhost", false}, {site, "notnews.example", false}, {wallSite, "localhost", true},
	} {
		s := &server{site: tt.site, ids: make(map[string]bool)}
		_, err := tryImport(t, s, Options{Files: []string{path}, Host: tt.host, Out: io.Discard, Err: io.Discard})
		if tt.fine != (err == nil) || !tt.fine && (!strings.Contains(err.Error(), "news.example, old.example") || len(s.ids) > 0) {
			t.Errorf("--host %q on %s: %v, %d sent", tt.host, tt.site, err, len(s.ids))
		}
	}
}

func TestImportOrdersRotatedFiles(t *testing.T) {
	s := &server{site: wallSite}
	newer := write(t, "access.log", []byte(`{"id":"b","type":"x","time":1432000000000}`+"\n"))
	older := write(t, "access.log.1", []byte(`{"id":"a","type":"x","time":1431900000000}`+"\n"))
	importInto(t, s, Options{Kind: Events, Files: []string{newer, older}})
	if strings.Join(s.order, "") != "ab" {
		t.Errorf("order %v", s.order)
	}
}
