// Package segment answers who is in the segments of a site's program, from the
// engine's views. It puts the engine's rows, catalogue and proof behind the
// evaluator of internal/rubric/fold, which decides.
package segment

import (
	"strconv"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// reader is what a program can know of one reader at one instant. It is
// fold.Profile, fold.Catalogue and, for want of a decision, fold.Burns.
type reader struct {
	of      engine.Reader
	view    *engine.View
	now     int64
	account *engine.Account // nil: a device, or nothing was known then
	rows    engine.Rows
	columns map[string]int // of properties, in the reader's shard
}

// Of returns the segments that a reader, device:ID or account:ID, is in at an
// instant of the site's clock that lies in the view's window, by name in the
// order of the program. A reader that nothing is known of is in those that ask
// for nothing. ok is false for a name that is none.
func Of(p *plan.Program, view *engine.View, name string, at int64) (names []string, ok bool) {
	v, ok := newView(p, view, name, at)
	if !ok {
		return nil, false
	}
	return v.Segments(), true
}

// newView lays a reader out for the evaluator.
func newView(p *plan.Program, view *engine.View, name string, at int64) (*fold.View, bool) {
	r := &reader{view: view, now: at}
	var ok bool
	if r.of, ok = view.Reader(name); !ok {
		return nil, false
	}
	r.account = r.of.Profile(at)
	r.of.Rows(view.From, at, &r.rows)
	rows := make([]fold.Row, r.rows.Len())
	for i := range rows {
		rows[i] = row{r, i}
	}
	return &fold.View{Program: p, Now: at, Rows: rows, Items: catalogue{view.Items}, Profile: r, Burns: none{}}, true
}

// Registered implements fold.Profile.
func (r *reader) Registered() bool { return r.of.Registered() }

// Entitled implements fold.Profile.
func (r *reader) Entitled(name string, now int64) (by string, ok bool) {
	return r.account.Entitled(name, now)
}

// Trait implements fold.Profile.
func (r *reader) Trait(name string) value.Value {
	t, ok := r.account.Trait(name)
	if !ok {
		return value.Value{}
	}
	return typed(t.Value, t.Kind)
}

// FirstSeen implements fold.Profile.
func (r *reader) FirstSeen() value.Value {
	if !r.of.Known || r.of.FirstSeen > r.now {
		return value.Value{}
	}
	return value.OfTime(r.of.FirstSeen)
}

// FirstSubject implements fold.Profile: an account keeps the arms of the device
// that it was first proven on.
func (r *reader) FirstSubject() string {
	if device, ok := r.of.FirstDevice(); ok {
		return device
	}
	return r.of.Name
}

// typed reads a recorded value; numbers too large for a Decimal are missing.
func typed(text string, kind event.Kind) value.Value {
	switch kind {
	case event.KindNumber:
		if n, ok := value.ParseMicro(text); ok {
			return value.OfMicro(n)
		}
		return value.Value{}
	case event.KindBool:
		return value.OfBool(text == "true")
	}
	return value.OfText(text)
}

// row is one row of a reader.
type row struct {
	r *reader
	i int
}

// Time implements fold.Row.
func (w row) Time() int64 { return w.r.rows.Time(w.i) }

// Column implements fold.Row.
func (w row) Column(c plan.Column) value.Value {
	rows := &w.r.rows
	switch c {
	case plan.ColDevice:
		return value.OfText(rows.Device(w.i))
	case plan.ColView: // a page view is a row
		if kind, _, _ := rows.Text(w.i, int(event.ColType)); kind != event.TypePageView {
			return value.Value{}
		}
		return value.OfText(strconv.FormatUint(uint64(rows.ID(w.i)), 10))
	case plan.ColVisit:
		if visit, _ := rows.Visit(w.i); visit != 0 {
			return value.OfInt(int64(visit))
		}
		return value.Value{}
	case plan.ColStartsVisit:
		_, starts := rows.Visit(w.i)
		return value.OfBool(starts)
	case plan.ColEngagedSeconds: // a row without engagement has none
		if millis := rows.EngagedMillis(w.i); millis > 0 {
			return value.OfMicro(int64(millis) * 1000)
		}
		return value.Value{}
	case plan.ColScrollPercent:
		if percent := rows.ScrollPercent(w.i); percent > 0 {
			return value.OfInt(int64(percent))
		}
		return value.Value{}
	case plan.ColValue:
		if micros, ok := rows.Value(w.i); ok {
			return value.OfMicro(micros)
		}
		return value.Value{}
	}
	text, _, ok := rows.Text(w.i, int(c))
	if !ok {
		return value.Value{}
	}
	if c == plan.Column(event.ColItem) {
		text = w.r.view.Items.Canonical(text)
	}
	return value.OfText(text)
}

// Property implements fold.Row.
func (w row) Property(name string) value.Value {
	c, known := w.r.columns[name]
	if !known {
		if w.r.columns == nil {
			w.r.columns = map[string]int{}
		}
		c = w.r.of.Property(name)
		w.r.columns[name] = c
	}
	if c < 0 {
		return value.Value{}
	}
	text, kind, ok := w.r.rows.Text(w.i, c)
	if !ok {
		return value.Value{}
	}
	return typed(text, kind)
}

// catalogue is a site's items as programs see them.
type catalogue struct{ items *engine.Catalog }

// Field implements fold.Catalogue.
func (c catalogue) Field(item string, f plan.Field) value.Value {
	i, ok := c.items.Item(item)
	if !ok {
		return value.Value{}
	}
	switch f {
	case plan.FieldURL:
		return text(i.URL)
	case plan.FieldAliases:
		return texts(i.Aliases)
	case plan.FieldKind:
		return text(i.Kind)
	case plan.FieldTitle:
		return text(i.Title)
	case plan.FieldSection:
		return text(i.Section)
	case plan.FieldTags:
		return texts(i.Tags)
	case plan.FieldAuthors:
		return texts(i.Authors)
	case plan.FieldTier:
		return text(i.Tier)
	case plan.FieldPublishedAt:
		return instant(i.PublishedAt)
	case plan.FieldUpdatedAt:
		return instant(i.UpdatedAt)
	case plan.FieldLanguage:
		return text(i.Language)
	case plan.FieldImage:
		return text(i.Image)
	case plan.FieldRegion:
		return text(i.Region)
	}
	return value.Value{}
}

// Attribute implements fold.Catalogue.
func (c catalogue) Attribute(item, name string) value.Value {
	if i, ok := c.items.Item(item); ok {
		if text, ok := i.Attributes[name]; ok {
			return value.OfText(text)
		}
	}
	return value.Value{}
}

// text is a field's value; an empty one is missing, as is an empty list.
func text(s string) value.Value {
	if s == "" {
		return value.Value{}
	}
	return value.OfText(s)
}

func texts(list []string) value.Value {
	if len(list) == 0 {
		return value.Value{}
	}
	return value.OfTexts(list)
}

func instant(t *time.Time) value.Value {
	if t == nil {
		return value.Value{}
	}
	return value.OfTime(t.UnixMilli())
}

// none are no burns: segments name no meters.
type none struct{}

// Burns implements fold.Burns.
func (none) Burns(string) []fold.Burn { return nil }
