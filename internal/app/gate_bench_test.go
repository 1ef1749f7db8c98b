package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkPage takes pages of 10 KB through the proxy, in turns: past an access
// block, and without one. What the decision adds is the difference of the
// quantiles.
func BenchmarkPage(b *testing.B) {
	page := bytes.Repeat([]byte("x"), 10<<10)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	}))
	defer origin.Close()
	n, stop := up(b, Config{Data: b.TempDir(), Now: time.Now, Proxy: ProxyConfig{Listen: "127.0.0.1:0"}})
	defer stop()
	s := &newsroom{t: b, address: "http://" + n.front.listener.Addr().String(), node: n}
	s.want(201, "POST", "/v1/sites", rootKey, `{"id":"news","domains":["news.example"],"privacy":{"without_consent":"assume"}}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": `
meter monthly (limit: 500) = burns |> per month |> distinct item
segment fan = events |> where type == "page_view" |> last 7d |> count >= 3
access story {
  allow subscriber if reader.entitled("premium")
  allow again      if item in monthly
  allow metered    if monthly.left > 0 burns monthly
  deny  wall                           offers plans
}`}}))
	s.want(200, "PUT", "/v1/sites/news/routes", rootKey, fmt.Sprintf(`[{"host":"news.example","path":"/*","origins":[{"url":%q}]},
		{"host":"news.example","path":"/articles/*","origins":[{"url":%q}],"access":"story"}]`, origin.URL, origin.URL))
	proxy := "http://" + n.proxy.plain.Addr().String()
	token := s.want(201, "POST", "/v1/sites/news/devices", rootKey, `{"device":"d1"}`).json(b)["token"].(string)
	get := func(path string) time.Duration {
		r, _ := http.NewRequest("GET", proxy+path, nil)
		r.Host = "news.example"
		r.AddCookie(&http.Cookie{Name: "rsid", Value: token})
		begin := time.Now()
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != 200 {
			b.Fatal(res.Status)
		}
		return time.Since(begin)
	}
	var with, without []time.Duration
	i := 0
	for b.Loop() {
		path := fmt.Sprintf("articles/%d", i%50) // most are read again
		i++
		without = append(without, get("/free/"+path))
		with = append(with, get("/"+path))
	}
	slices.Sort(with)
	slices.Sort(without)
	for name, q := range map[string]float64{"p50": 0.50, "p99": 0.99} {
		at := func(d []time.Duration) float64 { return float64(d[int(q*float64(len(d)-1))].Microseconds()) }
		b.ReportMetric(at(with), name+"-with-µs")
		b.ReportMetric(at(without), name+"-without-µs")
		b.ReportMetric(at(with)-at(without), name+"-added-µs")
	}
}
