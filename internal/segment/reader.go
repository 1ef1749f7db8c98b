package segment

import (
	"strconv"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Reader is what a program can know of one reader at an instant: its rows, and
// as a fold.Profile what is proven of it. It may be loaded with one reader after
// the other.
type Reader struct {
	engine.Reader
	Events engine.Rows // loaded by whoever asks

	now     int64
	account *engine.Account // nil: a device, or nothing was known then
	columns map[string]int  // of properties, in the reader's shard
	laid    bool            // Events are read
}

// Load makes it another reader. It must be told an instant, by At, before it is
// asked.
func (r *Reader) Load(of engine.Reader) { r.Reader, r.columns, r.laid = of, nil, false }

// At moves to an instant of the site's clock inside the window.
func (r *Reader) At(now int64) { r.now, r.account = now, r.Profile(now) }

// Of works out by the plain evaluator the segments that a reader, device:ID or
// account:ID, is in at an instant of the site's clock that lies in the view's
// window, by name in the order of the program. A reader that nothing is known of is in those that ask
// for nothing. ok is false for a name that is none.
func Of(p *plan.Program, view *engine.View, name string, at int64) (names []string, ok bool) {
	r, ok := view.Reader(name)
	if !ok {
		return nil, false
	}
	return View(p, &r, at).Segments(), true
}

// View lays a reader out for the evaluator, as of an instant of the site's clock.
// Its rows are read when something asks for them; of a reader in its turn who has
// very many, what is kept of them is asked. It has no burns, and lasts as long as
// the reader does.
func View(p *plan.Program, of *engine.Reader, at int64) *fold.View {
	return new(Laid).View(p, of, at)
}

// Laid is the memory of a view and its reader, to be used again.
type Laid struct {
	view   fold.View
	reader Reader
}

// View is View in the memory of l: what it returned before is over.
func (l *Laid) View(p *plan.Program, of *engine.Reader, at int64) *fold.View {
	l.reader = Reader{}
	l.reader.Load(*of)
	l.reader.At(at)
	l.view.Reset(fold.View{Program: p, Now: at, Load: l.reader.load, Items: Catalogue{of.Items}, Profile: &l.reader, Burns: none{}, Folded: folded(p, of, at)})
	return &l.view
}

// Clear forgets whom it was about: what was returned is over.
func (l *Laid) Clear() {
	l.reader = Reader{}
	l.view.Reset(fold.View{})
}

// load reads the rows from an instant on.
func (r *Reader) load(from int64) []fold.Row {
	if r.laid { // those that were read before stay as they are
		own := *r
		own.Events = engine.Rows{}
		r = &own
	}
	r.laid = true
	r.Rows(max(from, r.From), r.now, &r.Events)
	rows := make([]fold.Row, r.Events.Len())
	for i := range rows {
		rows[i] = Row{r, i}
	}
	return rows
}

// Entitled implements fold.Profile.
func (r *Reader) Entitled(name string, now int64) (by string, ok bool) {
	return r.account.Entitled(name, now)
}

// Trait implements fold.Profile.
func (r *Reader) Trait(name string) value.Value {
	t, ok := r.account.Trait(name)
	if !ok {
		return value.Value{}
	}
	return fold.Typed(t.Value, t.Kind)
}

// FirstSeen implements fold.Profile.
func (r *Reader) FirstSeen() value.Value {
	if !r.Known || r.Reader.FirstSeen > r.now {
		return value.Value{}
	}
	return value.OfTime(r.Reader.FirstSeen)
}

// FirstSubject implements fold.Profile: an account keeps the arms of the device
// that it was first proven on.
func (r *Reader) FirstSubject() string {
	if device, ok := r.FirstDevice(); ok {
		return device
	}
	return r.Name
}

// Row is one row of a reader, a fold.Row.
type Row struct {
	Of *Reader
	I  int // its place in Events
}

// Time implements fold.Row.
func (w Row) Time() int64 { return w.Of.Events.Time(w.I) }

// Column implements fold.Row.
func (w Row) Column(c plan.Column) value.Value {
	rows := &w.Of.Events
	switch c {
	case plan.ColDevice:
		return value.OfText(rows.Device(w.I))
	case plan.ColView: // a page view is a row
		if kind, _, _ := rows.Text(w.I, int(event.ColType)); kind != event.TypePageView {
			return value.Value{}
		}
		return value.OfText(strconv.FormatUint(uint64(rows.ID(w.I)), 10))
	case plan.ColVisit:
		if visit, _ := rows.Visit(w.I); visit != 0 {
			return value.OfInt(int64(visit))
		}
		return value.Value{}
	case plan.ColStartsVisit:
		_, starts := rows.Visit(w.I)
		return value.OfBool(starts)
	case plan.ColEngagedSeconds: // a row without engagement has none
		if millis := rows.EngagedMillis(w.I); millis > 0 {
			return value.OfMicro(int64(millis) * 1000)
		}
		return value.Value{}
	case plan.ColScrollPercent:
		if percent := rows.ScrollPercent(w.I); percent > 0 {
			return value.OfInt(int64(percent))
		}
		return value.Value{}
	case plan.ColValue:
		if micros, ok := rows.Value(w.I); ok {
			return value.OfMicro(micros)
		}
		return value.Value{}
	}
	text, _, ok := rows.Text(w.I, int(c))
	if !ok {
		return value.Value{}
	}
	if c == plan.Column(event.ColItem) {
		text = w.Of.Items.Canonical(text)
	}
	return value.OfText(text)
}

// Property implements fold.Row.
func (w Row) Property(name string) value.Value {
	c, known := w.Of.columns[name]
	if !known {
		if w.Of.columns == nil {
			w.Of.columns = map[string]int{}
		}
		c = w.Of.Reader.Property(name)
		w.Of.columns[name] = c
	}
	if c < 0 {
		return value.Value{}
	}
	text, kind, ok := w.Of.Events.Text(w.I, c)
	if !ok {
		return value.Value{}
	}
	return fold.Typed(text, kind)
}

// Catalogue is a site's items as programs see them, a fold.Catalogue.
type Catalogue struct{ Items *engine.Catalog }

// Field implements fold.Catalogue.
func (c Catalogue) Field(item string, f plan.Field) value.Value {
	i, _ := c.Items.Item(item)
	return fold.ItemField(i, f)
}

// Attribute implements fold.Catalogue.
func (c Catalogue) Attribute(item, name string) value.Value {
	i, _ := c.Items.Item(item)
	return fold.ItemAttribute(i, name)
}

// none are no burns: segments name no meters.
type none struct{}

// Burns implements fold.Burns.
func (none) Burns(string, int64) []fold.Burn { return nil }
