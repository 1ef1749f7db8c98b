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
}

type ledgerKey struct {
	bucket          int64 // stamp / ledgerBucket
	verdict, reason string
}

const ledgerBucket = 5 * 60 * 1000

func newLedger() *ledger { return &ledger{sites: map[string]map[ledgerKey]uint64{}} }

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
// it), by time, verdict and reason.
func (e *Engine) Ledger(site string, from, to int64) []LedgerLine {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	var out []LedgerLine
	for k, n := range e.ledger.sites[site] {
		if t := k.bucket * ledgerBucket; t+ledgerBucket > from && t < to {
			out = append(out, LedgerLine{t, k.verdict, k.reason, n})
		}
	}
	slices.SortFunc(out, func(a, b LedgerLine) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Verdict, b.Verdict), strings.Compare(a.Reason, b.Reason))
	})
	return out
}

// trim forgets buckets before an instant of log time.
func (l *ledger) trim(before int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.sites {
		for k := range m {
			if k.bucket*ledgerBucket < before {
				delete(m, k)
			}
		}
	}
}
