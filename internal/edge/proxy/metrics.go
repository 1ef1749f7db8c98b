package proxy

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the proxy counts.
type metrics struct {
	requests *prometheus.CounterVec
	running  *prometheus.GaugeVec
	retries  prometheus.Counter
	unknown  prometheus.Counter

	mu    sync.Mutex // over sites
	sites map[string]*counters
}

// counters are those of one site.
type counters struct {
	classes [6]prometheus.Counter // by the first digit of the status; 0: nobody answered
	running prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, s *Server) *metrics {
	m := &metrics{sites: map[string]*counters{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "readership_proxy_requests_total",
			Help: "Requests that were passed on to origins or answered for them."}, []string{"site", "status"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "readership_proxy_requests_running",
			Help: "Requests under way, upgraded connections among them."}, []string{"site"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{Name: "readership_proxy_retries_total",
			Help: "Further attempts at an origin."}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{Name: "readership_proxy_unrouted_total",
			Help: "Requests for which there is no route."}),
	}
	r.MustRegister(m.requests, m.running, m.retries, m.unknown, &origins{s})
	return m
}

func (m *metrics) of(site string) *counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.sites[site]
	if c == nil {
		c = &counters{running: m.running.WithLabelValues(site)}
		for i, class := range [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} {
			c.classes[i] = m.requests.WithLabelValues(site, class)
		}
		m.sites[site] = c
	}
	return c
}

func (c *counters) answered(status int) { c.classes[min(status/100, 5)].Inc() }

// origins tells how they are when it is asked.
type origins struct{ server *Server }

var (
	originUp     = prometheus.NewDesc("readership_proxy_origin_up", "1: the origin gets requests.", []string{"origin"}, nil)
	originFlying = prometheus.NewDesc("readership_proxy_origin_requests", "Requests under way at the origin.", []string{"origin"}, nil)
)

// Describe implements prometheus.Collector.
func (o *origins) Describe(out chan<- *prometheus.Desc) { out <- originUp; out <- originFlying }

// Collect implements prometheus.Collector. Origins that differ in their times
// only are one here.
func (o *origins) Collect(out chan<- prometheus.Metric) {
	type state struct{ up, flying float64 }
	all := map[string]state{}
	p := &o.server.pool
	p.mu.Lock()
	now := o.server.cfg.Now()
	for key, one := range p.origins {
		s, known := all[key.url]
		if up := one.well(now); up && (!known || s.up == 1) {
			s.up = 1
		} else {
			s.up = 0
		}
		s.flying += float64(one.flying.Load())
		all[key.url] = s
	}
	p.mu.Unlock()
	for url, s := range all {
		out <- prometheus.MustNewConstMetric(originUp, prometheus.GaugeValue, s.up, url)
		out <- prometheus.MustNewConstMetric(originFlying, prometheus.GaugeValue, s.flying, url)
	}
}

var _ prometheus.Collector = (*origins)(nil)
