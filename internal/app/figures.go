package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/readership/readership/internal/edge"
)

// figures are the metrics of the log, the committer and the engine, measured
// when they are asked for.
type figures struct{ node *node }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("readership_"+name, help, labels, nil)
}

var (
	memoryBytes   = describe("memory_bytes", "Memory the engine and the committer hold, by kind.", "kind")
	siteRows      = describe("site_rows_total", "Rows stored of a site.", "site")
	siteReaders   = describe("site_readers", "Readers that are known of a site.", "site")
	siteVisits    = describe("site_visits", "Visits in memory of a site.", "site")
	siteWaiting   = describe("site_waiting_engagements", "Engagements that wait for their page view.", "site")
	siteFrom      = describe("site_window_from_seconds", "Instant from which a site's window is held, Unix seconds.", "site")
	logBytes      = describe("log_bytes", "Bytes of the event log.")
	logTime       = describe("log_time_seconds", "Log time, Unix seconds.")
	commits       = describe("commits_total", "Messages appended to the log.")
	commitEvents  = describe("commit_events_total", "Events stored.")
	commitBytes   = describe("commit_bytes_total", "Bytes appended to the log.")
	commitSeconds = describe("commit_seconds_total", "Time spent appending.")
	refused       = describe("submissions_refused_total", "Submissions refused because too many waited.")
	waiting       = describe("submissions_waiting", "Submissions that wait for a commit.")
	knownIDs      = describe("known_ids", "Ids that are remembered to recognise duplicates.")
	knownViews    = describe("known_views", "Page views that engagement can refer to.")
	tooOften      = describe("requests_limited_total", "Requests, of devices events, that were refused for coming too often: collecting ones by the ledger's reason, decision_rate and query_rate.", "reason")
	open          = describe("connections", "Open connections, by listener.", "listener")
	noPlace       = describe("connections_refused_total", "Connections that were refused, by listener: crowded for there were too many, address for there were too many of their address.", "listener", "reason")
	fallbacks     = describe("decision_fallbacks_total", "Decisions that the policy of their access block has answered in place of the engine.")
	gateDecisions = describe("gate_decisions_total", "Pages that were decided about before they were served, by outcome.", "decision")
	gateFallbacks = describe("gate_fallbacks_total", "Pages among them that the policy of their access block has decided about.")
	gateWaiting   = describe("gate_commits_waiting", "Pages that were shown and wait for somebody to count them.")
	gateSettled   = describe("gate_commits_settled_total", "Pages that were counted after they had waited.")
	gateLost      = describe("gate_commits_lost_total", "Pages that were shown and could not be counted.")
	pagesFetched  = describe("pages_total", "Pages that were viewed and hinted at for the catalogue, by outcome: fetched, failed, dropped for too many waited.", "outcome")
	pagesWaiting  = describe("pages_waiting", "Pages that wait to be fetched for the catalogue.")
	keySetKeys    = describe("key_set_keys", "Keys that readers' tokens are verified with, by the address of their set.", "url")
	keySetFailed  = describe("key_set_failures", "Failures to fetch a key set since it was fetched last.", "url")
	keySetFetched = describe("key_set_fetched_seconds", "When a key set was fetched last, Unix seconds.", "url")
)

// Describe implements prometheus.Collector.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{memoryBytes, siteRows, siteReaders, siteVisits, siteWaiting, siteFrom, logBytes, logTime,
		commits, commitEvents, commitBytes, commitSeconds, refused, waiting, knownIDs, knownViews, tooOften, open, noPlace, fallbacks, gateDecisions, gateFallbacks, gateWaiting, gateSettled, gateLost,
		pagesFetched, pagesWaiting, keySetKeys, keySetFailed, keySetFetched} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	n := f.node
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	c := n.committer.Stats()
	counter(commits, float64(c.Commits))
	counter(commitEvents, float64(c.Events))
	counter(commitBytes, float64(c.Bytes))
	counter(commitSeconds, float64(c.CommitNanos)/1e9)
	counter(refused, float64(c.Refused))
	gauge(waiting, float64(c.Waiting))
	gauge(knownIDs, float64(c.IDs))
	gauge(logBytes, float64(n.log.Size()))
	gauge(logTime, float64(n.engine.LogTime())/1000)
	for reason, requests := range n.collector.Limited() {
		counter(tooOften, float64(requests), reason)
	}
	counter(tooOften, float64(n.limits.decisions.Refused()), "decision_rate")
	counter(tooOften, float64(n.limits.questions.Refused()), "query_rate")
	connections := map[string]edge.Connections{"main": n.front.guard.Connections()}
	if n.fast != nil {
		connections["fast"] = n.fast.server.Connections()
	}
	for listener, c := range connections {
		gauge(open, float64(c.Open), listener)
		counter(noPlace, float64(c.Crowded), listener, "crowded")
		counter(noPlace, float64(c.Pushed), listener, "address")
	}
	counter(fallbacks, float64(n.decisions.Service.Fallbacks()))
	g := n.gate.Figures()
	for decision, count := range g.Decisions {
		counter(gateDecisions, float64(count), decision)
	}
	counter(gateFallbacks, float64(g.Fallbacks))
	gauge(gateWaiting, float64(g.Waiting))
	counter(gateSettled, float64(g.Settled))
	counter(gateLost, float64(g.Lost))
	p := n.pages.Figures()
	for outcome, count := range map[string]uint64{"fetched": p.Fetched, "failed": p.Failed, "dropped": p.Dropped} {
		counter(pagesFetched, float64(count), outcome)
	}
	gauge(pagesWaiting, float64(p.Waiting))
	for _, k := range n.tokens.KeySets() {
		gauge(keySetKeys, float64(k.Keys), k.URL)
		gauge(keySetFailed, float64(k.Failures), k.URL)
		if !k.Fetched.IsZero() {
			gauge(keySetFetched, float64(k.Fetched.Unix()), k.URL)
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := n.engine.Stats(ctx)
	if err != nil {
		return // readyz says what is wrong
	}
	kinds := map[string]int64{"committer_ids": c.IDBytes, "log_cache": n.log.CacheBytes(), "checkpoint_cache": stats.CheckpointCache}
	views := 0
	for _, s := range stats.Sites {
		views += s.IDs
		counter(siteRows, float64(s.Rows), s.Site)
		gauge(siteReaders, float64(s.Subjects), s.Site)
		gauge(siteVisits, float64(s.Visits), s.Site)
		gauge(siteWaiting, float64(s.Waiting), s.Site)
		gauge(siteFrom, float64(s.From)/1000, s.Site)
		kinds["rows"] += s.Bytes.Rows
		kinds["subjects"] += s.Bytes.Subjects
		kinds["visits"] += s.Bytes.Visits
		kinds["dictionaries"] += s.Bytes.Dictionaries
		kinds["ids"] += s.Bytes.IDs
		kinds["waiting"] += s.Bytes.Waiting
		kinds["segments"] += s.Bytes.Watched
		kinds["burns"] += s.Bytes.Burns
	}
	gauge(knownViews, float64(views))
	for kind, bytes := range kinds {
		gauge(memoryBytes, float64(bytes), kind)
	}
}
