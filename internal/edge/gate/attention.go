package gate

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/rubric/plan"
)

// Attention finds out when a page that was let through counts, where the server of
// the page cannot tell: that it is seen at all, that it is read for some seconds, or
// scrolled. A collector's events go through it on their way to the log: the page view
// of the reader's device and the item belongs to the decision, and what engagement
// says of that view adds up until it counts. Safe for concurrent use.
//
// It knows the readers whose device is proven, for as long as a decision can be
// committed. Of a reader of whom nothing may be stored it is the tracker that commits,
// as the burn has to go to the browser.
type Attention struct {
	collect.Committer
	now func() time.Time

	waits atomic.Int64 // how many do: while none does, events pass at no cost
	mu    sync.Mutex
	pages map[pageKey]*awaited // that wait for their page view
	views map[viewKey]*awaited // that wait for engagement
	order []*awaited           // the oldest first; perhaps gone
	due   func(kept)           // commits
	lost  uint64               // of too many
}

type pageKey struct{ site, device, item string }

type viewKey struct{ site, view string }

// awaited is a decision whose page does not count yet.
type awaited struct {
	kept
	page    pageKey
	view    string // "": not known
	counts  plan.Counts
	amount  int64 // milliseconds or percent
	engaged int64 // milliseconds so far
	until   time.Time
	gone    bool
}

// maxAwaited bounds the decisions that wait. Of too many the oldest no longer does.
const maxAwaited = 1 << 16

// NewAttention returns one before a committer.
func NewAttention(c collect.Committer, now func() time.Time) *Attention {
	return &Attention{Committer: c, now: now, pages: map[pageKey]*awaited{}, views: map[viewKey]*awaited{}}
}

// wait has a decision committed when its page counts.
func (a *Attention) wait(r *ruling) {
	if r.asked.Session() || r.asked.Device() == "" {
		return
	}
	a.add(r.kept(), pageKey{r.site.ID, strings.Clone(r.asked.Device()), r.asked.Item()}, r.block)
}

// waitFor is wait for an answer that is no page itself. A page of the same address that
// is being read goes on: what it fetches in the background is no other reading of it.
func (a *Attention) waitFor(r *ruling) {
	if r.asked.Session() || r.asked.Device() == "" {
		return
	}
	page := pageKey{r.site.ID, r.asked.Device(), r.asked.Item()}
	if !a.reading(page) {
		a.wait(r)
	}
}

// reading says whether a page that waits to count has been seen.
func (a *Attention) reading(page pageKey) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.pages[page]
	return w != nil && w.view != "" && !w.until.Before(a.now())
}

func (a *Attention) add(k kept, page pageKey, block *plan.Access) {
	w := &awaited{kept: k, page: page, counts: block.Counts, amount: block.Amount, until: a.now().Add(access.BareTime)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.pages[w.page]; old != nil {
		a.forget(old) // a page that is asked for again is read once
	}
	a.pages[w.page] = w
	a.order = append(a.order, w)
	a.waits.Add(1)
	a.expire()
}

// expire lets go of what waits too long or is too much. The caller holds mu.
func (a *Attention) expire() {
	now := a.now()
	for len(a.order) > 0 {
		w := a.order[0]
		switch {
		case w.gone:
		case len(a.order) > maxAwaited:
			a.lost++
			a.forget(w)
		case w.until.Before(now):
			a.forget(w)
		default:
			return
		}
		a.order[0] = nil
		a.order = a.order[1:]
	}
}

// forget lets go of a decision. The caller holds mu.
func (a *Attention) forget(w *awaited) {
	if w.gone {
		return
	}
	w.gone = true
	a.waits.Add(-1)
	if a.pages[w.page] == w {
		delete(a.pages, w.page)
	}
	if key := (viewKey{w.page.site, w.view}); w.view != "" && a.views[key] == w {
		delete(a.views, key)
	}
}

// Commit implements collect.Committer.
func (a *Attention) Commit(ctx context.Context, s *eventlog.Submission) error {
	err := a.Committer.Commit(ctx, s)
	if err == nil && a.waits.Load() > 0 {
		a.saw(s)
	}
	return err
}

// Submit implements collect.Committer.
func (a *Attention) Submit(s *eventlog.Submission, done func(error)) error {
	if a.waits.Load() == 0 {
		return a.Committer.Submit(s, done)
	}
	return a.Committer.Submit(s, func(err error) {
		if err == nil {
			a.saw(s)
		}
		done(err)
	})
}

// saw reads what was stored.
func (a *Attention) saw(s *eventlog.Submission) {
	for i := range s.Events {
		if i < len(s.Verdicts) && s.Verdicts[i].Outcome != eventlog.Stored {
			continue
		}
		switch ev := &s.Events[i]; ev.Type() {
		case event.TypePageView, event.TypeEngagement:
			if k, counts := a.event(s.Site.ID, ev); counts {
				a.due(k)
			}
		}
	}
}

// event takes an event into account, and says whether a page counts by it.
func (a *Attention) event(site string, ev *event.Event) (k kept, counts bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var w *awaited
	if ev.Type() == event.TypePageView {
		if ev.Flags&event.FlagClaimedDevice != 0 {
			return k, false
		}
		if w = a.pages[pageKey{site, ev.Device, ev.Columns[event.ColItem]}]; w == nil {
			return k, false
		}
		if w.view == "" && ev.View != "" {
			w.view = strings.Clone(ev.View)
			a.views[viewKey{w.page.site, w.view}] = w
		}
	} else if w = a.views[viewKey{site, ev.View}]; w == nil {
		return k, false
	}
	w.engaged += int64(ev.EngagedMillis)
	switch w.counts {
	case plan.CountsEngaged:
		counts = w.engaged >= w.amount
	case plan.CountsScroll:
		counts = int64(ev.Scroll) >= w.amount
	default:
		counts = true
	}
	if counts {
		a.forget(w)
	}
	return w.kept, counts && !w.until.Before(a.now())
}

// dropped returns how many decisions no longer waited as others came.
func (a *Attention) dropped() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}

var _ collect.Committer = (*Attention)(nil)
