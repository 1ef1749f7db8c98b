package engine

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/readership/readership/internal/event"
)

// ledger counts what arrived, by site, verdict and reason, in 5-minute buckets
// of log time.
type ledger struct {
	mu    sync.Mutex
	sites map[string]map[ledgerKey]uint64
	dirty map[ledgerSite]bool // since the last checkpoint
}

type ledgerSite struct {
	site string
	key  ledgerKey
}

// ledgerSave is a line as a checkpoint keeps it.
type ledgerSave struct {
	ledgerSite
	n uint64
}

// markUnsaved makes unsaved return every line.
func (l *ledger) markUnsaved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for site, m := range l.sites {
		for k := range m {
			l.dirty[ledgerSite{site, k}] = true
		}
	}
}

// unsaved returns the lines that changed since it was last called.
func (l *ledger) unsaved() []ledgerSave {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]ledgerSave, 0, len(l.dirty))
	for k := range l.dirty {
		out = append(out, ledgerSave{k, l.sites[k.site][k.key]})
	}
	clear(l.dirty)
	return out
}

type ledgerKey struct {
	bucket          int64 // stamp / ledgerBucket
	verdict, reason string
}

const ledgerBucket = 5 * 60 * 1000

// ledgerKept is how long lines are kept: the longest window of meters.
const ledgerKept = 62 * 24 * 60 * 60 * 1000

func newLedger() *ledger {
	return &ledger{sites: map[string]map[ledgerKey]uint64{}, dirty: map[ledgerSite]bool{}}
}

func (l *ledger) add(stamp int64, c *event.Count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.sites[c.Site]
	if m == nil {
		m = map[ledgerKey]uint64{}
		l.sites[strings.Clone(c.Site)] = m
	}
	key := ledgerKey{stamp / ledgerBucket, c.Verdict, c.Reason}
	if _, ok := m[key]; !ok {
		key.verdict, key.reason = strings.Clone(c.Verdict), strings.Clone(c.Reason)
	}
	m[key] += c.N
	l.dirty[ledgerSite{strings.Clone(c.Site), key}] = true
}

func (l *ledger) forget(site string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sites, site)
}

// LedgerLine is one sum of the ledger.
type LedgerLine struct {
	Time    int64 // start of a 5-minute bucket of log time, Unix milliseconds
	Verdict string
	Reason  string
	N       uint64
}

// Ledger returns what arrived for a site between two instants of log time
// (from ≤ t < to, Unix milliseconds, in buckets of 5 minutes that begin in
// it), by time, verdict and reason. It adds up to everything that arrived.
func (e *Engine) Ledger(site string, from, to int64) []LedgerLine {
	return e.lines(site, from, to, false)
}

// Losses returns what became of stored events later, as Ledger does: engagement
// whose view never came, rows that left early for want of memory, rows of a
// message that was skipped. They arrived, and are in Ledger too.
func (e *Engine) Losses(site string, from, to int64) []LedgerLine {
	return e.lines(site, from, to, true)
}

func (e *Engine) lines(site string, from, to int64, losses bool) []LedgerLine {
	sums := map[ledgerKey]uint64{}
	e.ledger.sum(site, from, to, losses, sums)
	for _, s := range e.shards {
		s.ledger.sum(site, from, to, losses, sums)
	}
	out := make([]LedgerLine, 0, len(sums))
	for k, n := range sums {
		if int64(n) <= 0 { // a shard is ahead of the one whose orphan it takes off
			continue
		}
		out = append(out, LedgerLine{k.bucket * ledgerBucket, k.verdict, k.reason, n})
	}
	slices.SortFunc(out, func(a, b LedgerLine) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Verdict, b.Verdict), strings.Compare(a.Reason, b.Reason))
	})
	return out
}

func (l *ledger) sum(site string, from, to int64, losses bool, into map[ledgerKey]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, n := range l.sites[site] {
		if t := k.bucket * ledgerBucket; t+ledgerBucket > from && t < to && isLoss(k.verdict) == losses {
			into[k] += n
		}
	}
}

// trim forgets buckets before an instant of log time, as the log does.
func (l *ledger) trim(before int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for site, m := range l.sites {
		for k := range m {
			if k.bucket*ledgerBucket < before {
				delete(m, k)
				l.dirty[ledgerSite{site, k}] = true
			}
		}
	}
}
