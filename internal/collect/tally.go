package collect

import (
	"slices"

	"github.com/readership/readership/internal/eventlog"
)

// tally is what became of a body so far.
type tally struct {
	seen       int // events
	accepted   int
	duplicates int
	total      int // rejected
	often      int // of these, for their device sends too often
	noConsent  int
	rejected   []rejection // the first MaxListed, by index
	cuts       []cut       // the first MaxListed, by index
}

func (t *tally) reset() {
	clear(t.rejected)
	clear(t.cuts)
	*t = tally{rejected: t.rejected[:0], cuts: t.cuts[:0]}
}

// add adds a part after its commit. committed says that the committer was
// asked; if it failed, only what it has done counts, and of what was rejected
// before only if it got to the events at all.
func (t *tally) add(p *part, committed bool) {
	base := t.seen
	t.seen += p.n
	t.addAt(base, p, committed)
}

// addAt is add for a part whose first event has the index base, and which
// t.seen counts already.
func (t *tally) addAt(base int, p *part, committed bool) {
	if p.err != nil && p.sub.Done == 0 {
		return
	}
	first := len(t.rejected)
	for _, r := range p.rejected {
		r.index += base
		t.reject(r)
	}
	t.total += p.total - len(p.rejected)
	t.often += p.codes[codeTooOften]
	if !committed {
		t.accepted += len(p.events)
	} else {
		t.addVerdicts(p, base)
	}
	for _, n := range p.noConsent {
		t.noConsent += n
	}
	slices.SortStableFunc(t.rejected[first:], func(a, b rejection) int { return a.index - b.index })
	for _, c := range p.cuts {
		if len(t.cuts) < MaxListed {
			t.cuts = append(t.cuts, cut{c.index + base, c.path})
		}
	}
}

func (t *tally) addVerdicts(p *part, base int) {
	for i := range p.sub.Verdicts[:min(p.sub.Done, len(p.sub.Verdicts))] {
		switch v := &p.sub.Verdicts[i]; v.Outcome {
		case eventlog.Stored:
			t.accepted++
		case eventlog.Duplicate:
			t.duplicates++
		case eventlog.Rejected:
			t.reject(rejection{base + int(p.index[i]), v.Code, "time", v.Message})
		}
	}
}

func (t *tally) reject(r rejection) {
	t.total++
	if len(t.rejected) < MaxListed {
		t.rejected = append(t.rejected, r)
	}
}

// extra is the tally as further members of a problem.
func (t *tally) extra() map[string]any {
	type rejected struct {
		Index   int    `json:"index"`
		Code    string `json:"code"`
		Path    string `json:"path"`
		Message string `json:"message"`
	}
	list := make([]rejected, 0, len(t.rejected))
	for _, r := range t.rejected {
		list = append(list, rejected{r.index, r.code, r.path, r.message})
	}
	return map[string]any{"accepted": t.accepted, "duplicates": t.duplicates, "rejected": list, "rejected_total": t.total}
}
