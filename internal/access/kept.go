package access

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/explain"
)

// Explanation says why a decision came out as it did. Its parts are those of
// package explain: what was looked up is what was recorded.
type Explanation struct {
	DecisionID string  `json:"decision_id"`
	Reader     string  `json:"reader"`
	Commit     *string `json:"commit" nullable:"true" doc:"null: it was not committed"`
	*explain.Decision
}

// kept is the decision of a commit, as its row keeps it.
type kept struct {
	ticket  *ticket
	code    string
	commit  string
	version int
	record  []byte
	access  string
}

// keptOf reads the row of a commit.
func keptOf(r *engine.Reader, rows *engine.Rows, i int) (kept, bool) {
	k := kept{}
	var asked string
	var failed bool
	item, _, _ := rows.Text(i, int(event.ColItem))
	rows.Each(i, func(_ int, name, text string, _ event.Kind) {
		switch name {
		case propAsked:
			asked = text
		case propCode:
			k.code = text
		case propCommit:
			k.commit = text
		case propAccess:
			k.access = text
		case propVersion:
			for _, c := range []byte(text) {
				k.version = 10*k.version + int(c-'0')
			}
		case propRecord:
			raw, err := base64.RawURLEncoding.DecodeString(text)
			k.record, failed = raw, err != nil
		}
	})
	k.ticket = new(ticket)
	err := k.ticket.readAsked(asked, r.Name, item, rows.Time(i))
	return k, err == nil && !failed
}

// decision returns what was decided.
func (k *kept) decision(programs Programs, site *event.Site) (*decision, *program.Compiled, error) {
	p, err := programs.At(site, k.version)
	if err != nil {
		return nil, nil, ErrNotKept
	}
	block := p.Plan.Access(k.access)
	if block == nil {
		return nil, nil, ErrNotKept
	}
	r, err := readRecord(k.record, p.Plan, block, k.ticket.At)
	if err != nil {
		return nil, nil, ErrNotKept
	}
	return recorded(p.Plan, block, r, k.ticket.Item, k.ticket.At, k.commit), p, nil
}

// lookedAt is how many of a reader's newest rows are looked at for a commit while its
// shard waits. The rest is looked for in a view.
const lookedAt = 1024

// find looks for the commit of a decision among its reader's; ok is false if
// there is none. Errors: ErrNotKept if the reader was erased since, the engine's.
func (s *Service) find(ctx context.Context, site *event.Site, t *ticket, code string) (k kept, ok bool, err error) {
	type result struct {
		kept
		ok, whole bool
		err       error
	}
	look := func(r *engine.Reader, most int) (out result) {
		var rows engine.Rows
		out.whole = r.DecisionsAt(t.At, most, &rows)
		column := r.Property(propCode)
		for i := 0; column >= 0 && i < rows.Len(); i++ {
			if text, _, found := rows.Text(i, column); found && text == code {
				out.kept, out.ok = keptOf(r, &rows, i)
				return out
			}
		}
		if out.whole && r.Profiles.ErasedSince(t.At) && (!r.Known || r.FirstSeen > t.At) {
			out.err = ErrNotKept // whom nothing is known of may be the one
		}
		return out
	}
	out := make(chan result, 1)
	if err := s.Engine.InTurn(ctx, site.ID, t.Reader, func(r *engine.Reader) { out <- look(r, lookedAt) }); err != nil {
		return kept{}, false, err
	}
	found := <-out
	if !found.ok && !found.whole {
		view, err := s.Engine.Readers(ctx, site.ID, 0)
		if err != nil {
			return kept{}, false, err
		}
		if r, known := view.Reader(t.Reader); known {
			found = look(&r, math.MaxInt)
		}
	}
	return found.kept, found.ok, found.err
}

// again answers a commit that was made before as the first was.
func (s *Service) again(ctx context.Context, site *event.Site, t *ticket, id string) (*Verdict, error) {
	k, ok, err := s.find(ctx, site, t, codeOf(id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotKept
	}
	d, p, err := k.decision(s.Programs, site)
	if err != nil {
		return nil, err
	}
	v := d.verdict(new(wording), p.Version, id, t.Reader)
	if t.Given.Session != nil && k.commit == commitBurned { // the answer that it was to be kept with may be lost
		v.Burned = d.burn()
	}
	return v, nil
}

// Explain explains a decision: a committed one as long as its row stands, a bare
// one for BareTime. Errors: ErrNotDecision, ErrNotKept, the engine's.
func (s *Service) Explain(ctx context.Context, site *event.Site, id string) (*Explanation, error) {
	t, err := openTicket(s.IDs, site.ID, id)
	if err != nil {
		return nil, ErrNotDecision
	}
	k, ok, err := s.find(ctx, site, t, codeOf(id))
	if err != nil {
		return nil, err
	}
	if ok {
		return s.explain(site, &k, id)
	}
	if len(t.Record) == 0 || s.Engine.SiteNow(site.ID, s.Now().UnixMilli())-t.At > BareTime.Milliseconds() {
		return nil, ErrNotKept
	}
	return s.explain(site, &kept{ticket: t, version: t.Version, access: t.Access, record: t.Record}, id)
}

func (s *Service) explain(site *event.Site, k *kept, id string) (*Explanation, error) {
	d, p, err := k.decision(s.Programs, site)
	if err != nil {
		return nil, err
	}
	out := &Explanation{DecisionID: id, Reader: k.ticket.Reader, Decision: explain.Decided(d.view, d.Decision, int64(p.Version))}
	if k.commit != "" {
		out.Commit = &k.commit
	}
	return out, nil
}

// MostKept is how many decisions of a reader are shown.
const MostKept = 50

// Of returns the last committed decisions of a reader, the newest first. Errors:
// engine.ErrUnknownReader, the engine's.
func (s *Service) Of(ctx context.Context, site *event.Site, reader string) ([]Listed, error) {
	view, err := s.Engine.Readers(ctx, site.ID, 0) // it may have any number of other rows since
	if err != nil {
		return nil, err
	}
	r, ok := view.Reader(reader)
	if !ok {
		return nil, fmt.Errorf("%w %q", engine.ErrUnknownReader, reader)
	}
	var rows engine.Rows
	var list []kept
	r.Decisions(MostKept, &rows)
	for i := range rows.Len() {
		if k, ok := keptOf(&r, &rows, i); ok {
			list = append(list, k)
		}
	}
	return s.listed(site, list), nil
}

// ByCode returns the decisions of a view whose ids end with a code, the newest
// first. The error is ctx's.
func (s *Service) ByCode(ctx context.Context, site *event.Site, view *engine.View, code string) ([]Listed, error) {
	var list []kept
	err := view.EachDecision(ctx, propCode, func(text string) bool { return strings.HasSuffix(text, code) }, func(r *engine.Reader, rows *engine.Rows) bool {
		if k, ok := keptOf(r, rows, 0); ok {
			list = append(list, k)
		}
		return len(list) < MostKept
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b kept) int { return cmp.Compare(b.ticket.At, a.ticket.At) })
	return s.listed(site, list), nil
}

// Listed is a committed decision as a list shows it.
type Listed struct {
	DecisionID     string      `json:"decision_id"`
	At             time.Time   `json:"at"`
	Reader         string      `json:"reader"`
	Item           string      `json:"item"`
	Access         string      `json:"access"`
	Decision       string      `json:"decision,omitempty" doc:"Absent, as what follows from it, where the version of the program is not kept any more"`
	Clause         string      `json:"clause,omitempty"`
	Offer          string      `json:"offer,omitempty"`
	Meter          *MeterState `json:"meter,omitempty"`
	Commit         string      `json:"commit"`
	ProgramVersion int         `json:"program_version"`
	Sentence       string      `json:"sentence,omitempty" doc:"Why, in English"`
}

// listed lays decisions out for a list.
func (s *Service) listed(site *event.Site, list []kept) []Listed {
	out := []Listed{}
	for i := range list {
		k := &list[i]
		id := k.ticket.seal(s.IDs, site.ID)
		l := Listed{DecisionID: id, Reader: k.ticket.Reader, Item: k.ticket.Item, Access: k.access, Commit: k.commit, ProgramVersion: k.version, At: time.UnixMilli(k.ticket.At).UTC()}
		if d, p, err := k.decision(s.Programs, site); err == nil { // else its version of the program is not kept any more
			v := d.verdict(new(wording), p.Version, id, k.ticket.Reader)
			l.At, l.Decision, l.Clause, l.Offer, l.Meter = p.Plan.At(k.ticket.At), v.Decision, v.Clause, v.Offer, v.Meter
			l.Sentence = explain.Decided(d.view, d.Decision, int64(p.Version)).Sentence
		}
		out = append(out, l)
	}
	return out
}
