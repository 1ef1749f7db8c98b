package access

import (
	"encoding/json"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Verdict is the answer to a question. Its JSON is the contract's; what is absent
// there is not known or does not apply.
type Verdict struct {
	Decision       string      `json:"decision" enum:"allow,deny,charge"`
	Clause         string      `json:"clause,omitempty" doc:"That decided; absent in a fallback" example:"register"`
	Offer          string      `json:"offer,omitempty" doc:"Page to show" example:"registration_wall"`
	Price          string      `json:"price,omitempty" doc:"With charge" example:"0.002 EUR"`
	Access         string      `json:"access" doc:"Access block" example:"story"`
	ProgramVersion int         `json:"program_version"`
	DecisionID     string      `json:"decision_id" doc:"Explains and commits the decision. Its last 8 characters find it"`
	Reader         string      `json:"reader" example:"device:59"`
	Meter          *MeterState `json:"meter,omitempty" doc:"That the clause burns or asks; of a denial else the last above it that a clause would have burned"`
	Commit         *string     `json:"commit" nullable:"true" enum:"burned,again,none,denied,refused" doc:"null: it was not committed, or what came of it is not known in time"`
	Counts         *Counts     `json:"counts,omitempty" doc:"What makes the page count, beside that it was seen: the page commits then"`
	TTL            int         `json:"ttl_s" doc:"How long a cache may give this answer to this reader for this item, in seconds"`
	Segments       []string    `json:"segments,omitzero" doc:"With an API key: those that the reader is in"`
	Fallback       bool        `json:"fallback" doc:"The access block's policy answered in place of the engine"`
	TookMicros     int64       `json:"took_us"`
	Token          string      `json:"token,omitempty" enum:"expired,invalid" doc:"What was wrong with the reader's token"`

	// Burned is what the reader's session has to keep of the commit; nil: nothing.
	Burned *engine.Burn `json:"-"`
}

// HasBurned says that the item was burned with this answer.
func (v *Verdict) HasBurned() bool { return v.Commit != nil && *v.Commit == commitBurned }

// Counts is what makes a page count, of an access block that waits for more than
// that the page was rendered.
type Counts struct {
	EngagedSeconds float64 `json:"engaged_seconds,omitempty" doc:"Engaged for so long"`
	ScrollPercent  int64   `json:"scroll_percent,omitempty" doc:"Scrolled so far down"`
}

// countsOf says what an access block waits for, nil if nothing more.
func countsOf(a *plan.Access) *Counts {
	switch a.Counts {
	case plan.CountsEngaged:
		return &Counts{EngagedSeconds: float64(a.Amount) / 1000}
	case plan.CountsScroll:
		return &Counts{ScrollPercent: a.Amount}
	}
	return nil
}

// MeterState is the state of a meter after the decision.
type MeterState struct {
	Name     string     `json:"name" example:"monthly"`
	Used     int64      `json:"used"`
	Limit    int64      `json:"limit"`
	Left     int64      `json:"left"`
	ResetsAt *time.Time `json:"resets_at,omitempty" doc:"When used falls next, in the site's time zone"`
}

// Decisions by name.
const (
	Allow  = "allow"
	Deny   = "deny"
	Charge = "charge"
)

// wording is the memory of a verdict.
type wording struct {
	verdict Verdict
	meter   MeterState
	resets  time.Time
	commit  string
}

// copy makes the memory hold a copy of a verdict.
func (w *wording) copy(of *Verdict) *Verdict {
	v := &w.verdict
	*v = *of
	if of.Meter != nil {
		w.meter = *of.Meter
		v.Meter = &w.meter
		if of.Meter.ResetsAt != nil {
			w.resets = *of.Meter.ResetsAt
			w.meter.ResetsAt = &w.resets
		}
	}
	if of.Commit != nil {
		w.commit = *of.Commit
		v.Commit = &w.commit
	}
	return v
}

// verdict says a decision.
func (d *decision) verdict(into *wording, version int, id, reader string) *Verdict {
	v := &into.verdict
	*v = Verdict{Decision: d.Clause.Outcome.String(), Clause: d.Clause.Name, Offer: d.Clause.Offers, Access: d.Access.Name,
		ProgramVersion: version, DecisionID: id, Reader: reader, TTL: d.ttl()}
	if d.Clause.Outcome == plan.Allow && d.commit == "" {
		v.Counts = countsOf(d.Access)
	}
	if d.Clause.Outcome == plan.Charge {
		v.Price = d.Price.String() + " " + d.Clause.Currency
	}
	if d.commit != "" {
		into.commit = d.commit
		v.Commit = &into.commit
	}
	if d.meter != nil {
		m := &into.meter
		m.Name = d.meter.Name
		var resets value.Value
		if m.Used, m.Limit, m.Left, resets = d.state(); resets.Type == value.Time {
			into.resets = d.plan.At(resets.N)
			m.ResetsAt = &into.resets
		}
		v.Meter = m
	}
	return v
}

// longestTTL is the longest time that a cache may keep a verdict, in seconds:
// how late a change of the catalogue or the program may be seen there.
const longestTTL = 60

// steady are the facts that stay as they are for a reader and an item.
const steady = plan.Facts(1<<plan.AskedItem | 1<<plan.Request | 1<<plan.Bot)

// ttl returns for how many seconds a verdict holds. Denials end at once, with a
// login or a payment; so may whatever depends on the time or on what the reader
// does. An item that is in the meter stays there until it resets; what rests on
// the item and the request alone stays as they do.
func (d *decision) ttl() int {
	if d.Clause.Outcome != plan.Allow {
		return 0
	}
	if d.meter != nil && (d.commit == commitBurned || d.meter.Has(d.item)) {
		_, _, _, resets := d.state()
		if resets.Type != value.Time {
			return longestTTL
		}
		return int(min(longestTTL, max(0, resets.N-d.view.Now)/1000))
	}
	for _, c := range d.Access.Clauses[:d.Index+1] {
		if u := &c.Uses; u.Facts&^steady != 0 || len(u.Folds)+len(u.Segments)+len(u.Meters) > 0 || c.Burns >= 0 && c == d.Clause {
			return 0
		}
	}
	return longestTTL
}

// fact lays a fact out.
func fact(site, kind, key string, of any) event.Fact {
	value, err := json.Marshal(of)
	if err != nil {
		panic(err) // structs of texts and numbers can be encoded
	}
	return event.Fact{Kind: kind, Site: site, Key: key, Value: value}
}
