package incremental

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// choices is where the choices of a generated program and story come from: rapid,
// which finds small ones again, or plain random numbers for long runs.
type choices interface {
	pick(n int) int // 0 to n−1
}

func oneOf[T any](s choices, of ...T) T { return of[s.pick(len(of))] }

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// row is one event, as both evaluators read it.
type row struct {
	time       int64
	seq        uint64
	number     Row
	columns    [plan.NumColumns]value.Value
	properties map[string]value.Value
}

func (r *row) Time() int64                          { return r.time }
func (r *row) Column(c plan.Column) value.Value     { return r.columns[c] }
func (r *row) Property(name string) value.Value     { return r.properties[name] }
func (r *row) entry() Entry                         { return Entry{Time: r.time, Sequence: r.seq, Row: r.number} }
func (r *row) before(o *row) int                    { return r.entry().compare(o.entry()) }
func (r *row) text(c event.Column) string           { return r.columns[c].S }
func (r *row) set(c event.Column, text string) *row { r.columns[c] = value.OfText(text); return r }

// item is an entry of the catalogue.
type item struct {
	fields     [plan.NumFields]value.Value
	attributes map[string]value.Value
}

// catalogue is what is known of items, by their number; 0 is none.
type catalogue []item

var itemNames, itemNumbers = func() (names []string, numbers map[string]int) {
	numbers = map[string]int{}
	for n := range 300 {
		names = append(names, fmt.Sprintf("a%d", n))
		numbers[names[n]] = n
	}
	return names, numbers
}()

func itemName(n int) string { return itemNames[n] }

func (c catalogue) number(name string) int { return itemNumbers[name] }

func (c catalogue) Field(name string, f plan.Field) value.Value {
	return c[c.number(name)].fields[f]
}

func (c catalogue) Attribute(name, attribute string) value.Value {
	return c[c.number(name)].attributes[attribute]
}

// table is a Table over the rows of a world, for one evaluator.
type table struct {
	w      *world
	inputs []Input
	dicts  []map[value.Value]uint32
	texts  [][]value.Value
}

func newTable(w *world, inputs []Input) *table {
	t := &table{w: w, inputs: inputs, dicts: make([]map[value.Value]uint32, len(inputs)), texts: make([][]value.Value, len(inputs))}
	t.renumber(1)
	return t
}

// renumber gives new codes to values, from a first one on.
func (t *table) renumber(first int) {
	for i := range t.inputs {
		t.dicts[i], t.texts[i] = map[value.Value]uint32{}, make([]value.Value, first)
	}
}

// coded tells whether an input has codes: some columns stand for those whose
// codes differ from block to block.
func coded(in Input) bool {
	if in.Property != "" {
		return in.Property != "note"
	}
	return in.Column < plan.Column(event.NumColumns) && in.Column != plan.Column(event.ColPath)
}

func (t *table) Codes(in int, rows []Entry, codes []uint32) bool {
	if !coded(t.inputs[in]) {
		return false
	}
	for i, e := range rows {
		v := t.Value(in, e.Row)
		if in == ItemInput {
			codes[i] = uint32(t.w.items.number(v.S))
			continue
		}
		code, ok := t.dicts[in][v]
		if !ok && !v.IsMissing() {
			code = uint32(len(t.texts[in]))
			t.dicts[in][v] = code
			t.texts[in] = append(t.texts[in], v)
		}
		codes[i] = code
	}
	return true
}

func (t *table) Decode(in int, code uint32) value.Value { return t.texts[in][code] }

func (t *table) Value(in int, r Row) value.Value {
	if p := t.inputs[in].Property; p != "" {
		return t.w.rows[r].properties[p]
	}
	return t.w.rows[r].columns[t.inputs[in].Column]
}

func (t *table) Field(n uint32, f plan.Field) value.Value {
	if f == plan.FieldID {
		return value.OfText(itemName(int(n)))
	}
	return t.w.items[n].fields[f]
}

func (t *table) Attribute(n uint32, name string) value.Value { return t.w.items[n].attributes[name] }

// entitlement holds in from ≤ t < until.
type entitlement struct {
	name, by    string
	from, until int64
}

// subject is a reader: a device without account, or an account.
type subject struct {
	name         string
	registered   bool
	entitlements []entitlement
	traits       map[string]value.Value
	firstSeen    value.Value

	chain []*row // in order of arrival
	late  int64
	state State
}

func (s *subject) Registered() bool { return s.registered }

func (s *subject) Entitled(name string, now int64) (string, bool) {
	for _, e := range s.entitlements {
		if e.name == name && e.from <= now && now < e.until {
			return e.by, true
		}
	}
	return "", false
}

func (s *subject) Trait(name string) value.Value { return s.traits[name] }
func (s *subject) FirstSeen() value.Value        { return s.firstSeen }
func (s *subject) FirstSubject() string          { return s.name }

func (s *subject) Changes(now int64) int64 {
	next := int64(math.MaxInt64)
	for _, e := range s.entitlements {
		for _, at := range [...]int64{e.from, e.until} {
			if at > now {
				next = min(next, at)
			}
		}
	}
	return next
}

func (s *subject) Late() int64 { return s.late }

func (s *subject) Rows(dst []Entry, from int64, most int) []Entry {
	for i := len(s.chain) - 1; i >= 0 && len(dst) < most; i-- {
		r := s.chain[i]
		if r.time+s.late < from {
			break
		}
		dst = append(dst, r.entry())
	}
	return dst
}

// add appends a row to the chain.
func (s *subject) add(r *row) {
	for _, o := range s.chain {
		if r.before(o) < 0 {
			s.late = max(s.late, o.time-r.time, 1)
		}
	}
	s.chain = append(s.chain, r)
}

// world is a site with its readers.
type world struct {
	choices
	now      int64
	seq      uint64
	calendar value.Calendar
	window   int64
	items    catalogue
	rows     []*row
	subjects []*subject      // devices, then accounts
	logins   [numDevices]int // account; −1 for none
	joined   map[[2]int]uint64
	program  *plan.Program
	e        *Evaluator
	laid     State // of the reader that was laid out last
	table    *table
	fault    fault
	counts   *counts
}

const (
	numDevices  = 2
	numAccounts = 2
	numItems    = 5
)

var zones = func() []*time.Location {
	var out []*time.Location
	for _, name := range []string{"UTC", "America/Sao_Paulo", "Europe/Berlin", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		out = append(out, zone)
	}
	return out
}()

func newWorld(s choices, c *counts, f fault) *world {
	w := &world{choices: s, counts: c, fault: f, joined: map[[2]int]uint64{}}
	w.calendar = value.Calendar{Zone: oneOf(s, zones...), WeekStart: oneOf(s, time.Monday, time.Sunday)}
	w.window = oneOf(s, 7*day, 30*day, 2*day)
	// A day with a change of clocks in Berlin lies ahead.
	w.now = time.Date(2026, 3, 27, 9, 0, 0, 0, time.UTC).UnixMilli()
	w.items = make(catalogue, numItems+1)
	for n := 1; n <= numItems; n++ {
		w.items[n] = w.newItem()
	}
	for n := range numDevices + numAccounts {
		w.subjects = append(w.subjects, &subject{name: fmt.Sprintf("s%d", n), registered: n >= numDevices})
	}
	for d := range w.logins {
		w.logins[d] = -1
	}
	w.activate()
	return w
}

var (
	types    = []string{"page_view", "wall_shown", "plans_opened"}
	words3   = []string{"de", "br", "us"}
	sections = []string{"sport", "news"}
)

func (w *world) newItem() item {
	it := item{attributes: map[string]value.Value{}}
	if w.pick(4) > 0 {
		it.fields[plan.FieldSection] = value.OfText(oneOf(w, sections...))
	}
	if w.pick(3) > 0 {
		it.fields[plan.FieldTags] = value.OfTexts([]string{oneOf(w, words3...), oneOf(w, words3...)})
	}
	if w.pick(3) > 0 {
		it.fields[plan.FieldPublishedAt] = value.OfTime(w.now - int64(w.pick(5))*day)
	}
	if w.pick(2) > 0 {
		it.attributes["weight"] = value.OfText(oneOf(w, "1", "2.5", "much"))
	}
	return it
}

// newRow is an event at a time.
func (w *world) newRow(at int64) *row {
	w.seq++
	r := &row{time: at, seq: w.seq, number: Row(len(w.rows)), properties: map[string]value.Value{}}
	w.rows = append(w.rows, r)
	r.set(event.ColType, oneOf(w, types...))
	if w.pick(5) > 0 {
		r.set(event.ColItem, itemName(1+w.pick(numItems)))
	}
	if w.pick(3) > 0 {
		r.set(event.ColCountry, oneOf(w, words3...))
	}
	if w.pick(3) == 0 {
		r.set(event.ColPath, oneOf(w, "/", "/de/a", "/br"))
	}
	if w.pick(3) == 0 {
		r.properties["plan"] = oneOf(w, value.OfText("de"), value.OfText("br"), value.OfMicro(value.Micro), value.OfBool(true))
	}
	if w.pick(3) == 0 {
		r.properties["price"] = oneOf(w, value.OfMicro(500_000), value.OfMicro(-3), value.OfMicro(math.MaxInt64), value.OfText("0.5"))
	}
	if w.pick(3) == 0 {
		r.properties["note"] = value.OfText(oneOf(w, words3...))
	}
	r.columns[plan.ColDevice] = value.OfText("device")
	if w.pick(2) == 0 {
		r.columns[plan.ColEngagedSeconds] = value.OfMicro(int64(w.pick(3)) * 10 * value.Micro)
	}
	r.columns[plan.ColVisit] = value.OfInt(int64(w.pick(4)))
	r.columns[plan.ColStartsVisit] = value.OfBool(w.pick(3) == 0)
	return r
}

// activate puts another program into force.
func (w *world) activate() {
	if w.pick(3) == 0 {
		w.program = w.text()
		w.counts.of["program from text"]++
	} else {
		w.program = newGenerator(w).program()
	}
	w.e = New(w.program, nil)
	w.e.fault, w.laid = w.fault, State{}
	w.e.maxRows = oneOf(w, MaxRows, 3, 10)
	w.table = newTable(w, w.e.Inputs())
	w.e.Bind(w.table)
	for _, s := range w.subjects {
		w.e.Reset(s, w.now, &s.state)
	}
}

// view is what the plain evaluator is asked.
func (w *world) view(s *subject, now int64) *fold.View {
	rows := slices.Clone(s.chain)
	slices.SortFunc(rows, (*row).before)
	v := &fold.View{Program: w.program, Now: now, Items: w.items, Profile: s}
	for _, r := range rows {
		v.Rows = append(v.Rows, r)
	}
	return v
}
