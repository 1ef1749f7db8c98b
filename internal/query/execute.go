package query

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Options are how questions are answered.
type Options struct {
	// Now is the site's now in Unix milliseconds; the view's, if that is later.
	Now int64
	// Threads is how many shards are read at once; 0 means 1.
	Threads int
	// Cache is kept between questions; nil keeps nothing.
	Cache *Cache
	// Clock measures took_ms; nil is the wall clock.
	Clock func() time.Time
	// Segments returns a view of the site to ask in place of the one at hand, and
	// the segments of its readers. It is called for questions about segments, with
	// the names of those that are asked about; nil is all. nil: there are none.
	Segments func(ctx context.Context, only []string) (*engine.View, *Segments, error)
}

// Ask reads a question and answers it. Its faults, those that only the view
// can know included, come in one *problem.Problem.
func Ask(ctx context.Context, v *engine.View, body []byte, o Options) (*Result, error) {
	q, faults, err := parse(body)
	if err != nil {
		return nil, err
	}
	return answer(ctx, v, q, faults, o)
}

func answer(ctx context.Context, v *engine.View, parsed *Query, faults []problem.Fault, o Options) (*Result, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Cache == nil {
		o.Cache = &Cache{}
	}
	started := o.Clock()
	segments := &Segments{}
	if only, asked := parsed.segments(); asked && o.Segments != nil {
		var err error
		if v, segments, err = o.Segments(ctx, only); err != nil {
			return nil, err
		}
	}
	q, more := parsed.bind(v, segments.Names)
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, invalid(faults)
	}
	x := &execution{ctx: ctx, view: v, members: newMembers(segments), query: q, options: o, frame: frameOf(q, v.Site, max(o.Now, v.Now))}
	x.result = &Result{Query: q, AsOf: x.frame.now, At: v.Position, Exact: true, Warnings: []string{}, frame: x.frame}
	if err := x.run(); err != nil {
		return nil, err
	}
	x.result.TookMillis = float64(o.Clock().Sub(started).Microseconds()) / 1000
	return x.result, nil
}

// execution is one question being answered.
type execution struct {
	ctx     context.Context
	view    *engine.View
	members *members
	query   *Query
	options Options
	frame   frame
	result  *Result
}

func (x *execution) run() error {
	q, res := x.query, x.result
	res.from = x.frame.resolve(&q.Range)
	clipped := x.frame.clip(res.from, x.view.From, x.view.Cut, "date_range", &res.Warnings)
	if err := x.timeLabels(); err != nil {
		return err
	}
	main, shown, err := x.groups(clipped)
	if err != nil {
		return err
	}
	x.fill(main, shown)
	if q.Totals {
		if res.Totals, err = x.totals(clipped); err != nil {
			return err
		}
	}
	if q.Compare != CompareNone {
		if err := x.compare(main, shown); err != nil {
			return err
		}
	}
	x.warnings()
	return nil
}

// newRun prepares a pass over a period. dims are grouped by.
func (x *execution) newRun(p period, dims []Dimension) (*run, error) {
	q := x.query
	r := newRun(x.view, x.options.Cache, &x.frame, max(x.options.Threads, 1), q.names(event.ColType))
	r.members = x.members
	r.period, r.need, r.dims, r.filter = p, needsOf(q.Metrics), dims, q.Filter
	r.needNew = r.need&needNew != 0
	r.robots = q.names(event.ColBotClass)
	for i := range dims {
		switch {
		case dims[i].Kind == KindTime:
			r.time = i
			r.buckets = newBuckets(dims[i].Resolution, x.frame.loc, x.frame.weekStart, p.from, max(p.to, p.from+1), MaxBuckets)
			if r.buckets.n() > MaxBuckets {
				return nil, tooManyBuckets("")
			}
		case dims[i].Kind == KindColumn && dims[i].Column == event.ColCurrency:
			r.allCurrencies = true
		}
	}
	return r, nil
}

func tooManyBuckets(location string) error {
	return problem.New(http.StatusUnprocessableEntity, fmt.Sprintf("the range has more than %d buckets; ask for a coarser time or a shorter range", MaxBuckets),
		problem.Fault{Location: location, Code: "too_many_buckets", Message: "the range is too long for this resolution"})
}

// groups counts the groups of a period and chooses those that are shown.
func (x *execution) groups(p period) (*merged, []uint32, error) {
	r, err := x.newRun(p, x.query.Dimensions)
	if err != nil {
		return nil, nil, err
	}
	later := x.readersLater(r)
	if later {
		r.need = r.need&^needDistinct | needPeople
	}
	if err := r.execute(x.ctx); err != nil {
		return nil, nil, err
	}
	m := r.merge()
	shown := m.best(x.query)
	if len(x.query.Dimensions) == 0 {
		m.sums.grow(1, r.need)
		if shown = nil; x.query.Offset == 0 {
			shown = []uint32{0}
		}
	}
	if later {
		err = m.countReaders(x.ctx, shown)
	}
	return m, shown, err
}

// manyBitmaps is the number of words of bitmaps from which it pays to count
// the readers of the groups shown only, in a pass of its own.
const manyBitmaps = 1 << 18

// readersLater says whether to count readers once the groups shown are known.
func (x *execution) readersLater(r *run) bool {
	q := x.query
	if r.need&needDistinct == 0 || len(q.Dimensions) == 0 || q.Offset+q.Limit > 1000 || len(q.Order) == 0 {
		return false
	}
	for _, o := range q.Order {
		if o.Metric >= 0 && metricNeeds[q.Metrics[o.Metric]]&needDistinct != 0 {
			return false
		}
	}
	groups, words := 1, 0
	for i := range r.dims {
		if i == r.time {
			groups = min(groups*r.buckets.n(), 1<<30)
			continue
		}
		card := 0
		for _, s := range r.shards {
			card = max(card, len(s.dict(s.column(&r.dims[i])).Texts))
			if r.local(&r.dims[i]) {
				card = 1 << 20
			}
		}
		groups = min(groups*max(card, 1), 1<<30)
	}
	for _, s := range r.shards {
		words = max(words, (s.view.Subjects.Len()+63)/64)
	}
	return groups > q.Offset+q.Limit && groups*words > manyBitmaps && (q.Limit+1)*words <= maxBitmaps
}

// totals counts all rows that match as one group.
func (x *execution) totals(p period) ([]float64, error) {
	r, err := x.newRun(p, nil)
	if err != nil {
		return nil, err
	}
	if err := r.execute(x.ctx); err != nil {
		return nil, err
	}
	m := r.merge()
	m.sums.grow(1, r.need)
	return m.values(x.query.Metrics, 0, make([]float64, len(x.query.Metrics))), nil
}

func (m *merged) values(metrics []Metric, id uint32, out []float64) []float64 {
	for i, metric := range metrics {
		out[i] = m.value(metric, id)
	}
	return out
}

// fill writes the rows shown.
func (x *execution) fill(m *merged, shown []uint32) {
	q := x.query
	dims, metrics := len(q.Dimensions), len(q.Metrics)
	texts, values := make([]string, dims*len(shown)), make([]float64, metrics*len(shown))
	numbers := make([]uint32, dims)
	stamp := stamper{loc: x.frame.loc, out: make([]byte, 0, btoi(m.run.time >= 0)*len(shown)*len(time.RFC3339))}
	ends := make([]int, 0, btoi(m.run.time >= 0)*len(shown))
	x.result.Rows = make([]Row, len(shown))
	for k, id := range shown {
		row := &x.result.Rows[k]
		row.Dimensions, row.Metrics = texts[k*dims:(k+1)*dims:(k+1)*dims], values[k*metrics:(k+1)*metrics:(k+1)*metrics]
		m.values(q.Metrics, id, row.Metrics)
		if dims == 0 {
			continue
		}
		m.group.split(id, numbers)
		for i, n := range numbers {
			if i == m.run.time {
				stamp.append(m.run.buckets.starts[n])
				ends = append(ends, len(stamp.out))
			} else {
				row.Dimensions[i] = m.name(i, n)
			}
		}
	}
	// The labels share one string.
	labels, from := string(stamp.out), 0
	for k, to := range ends {
		x.result.Rows[k].Dimensions[m.run.time] = labels[from:to]
		from = to
	}
}

// compare adds the period compared with.
func (x *execution) compare(main *merged, shown []uint32) error {
	q, res := x.query, x.result
	res.prev = x.frame.compared(q.Compare, &q.Range, res.from)
	clipped := x.frame.clip(res.prev, x.view.From, x.view.Cut, "the period compared with", &res.Warnings)
	r, err := x.newRun(clipped, q.Dimensions)
	if err != nil {
		return err
	}
	if err := r.execute(x.ctx); err != nil {
		return err
	}
	m := r.merge()
	// Buckets meet by their place in the whole period, also where the window
	// cuts it.
	place := func(m *merged, whole period) int {
		if m.run.time < 0 || m.run.buckets.n() == 0 {
			return 0
		}
		d := q.Dimensions[m.run.time]
		before := newBuckets(d.Resolution, x.frame.loc, x.frame.weekStart, whole.from, max(m.run.buckets.starts[0], whole.from)+1, 4*MaxBuckets)
		return before.n() - 1
	}
	offset, prevOffset := place(main, res.from), place(m, res.prev)
	rows := make(map[string]int, len(shown))
	var key []byte
	keyOf := func(m *merged, id uint32, offset int) []byte {
		key = key[:0]
		numbers := make([]uint32, len(q.Dimensions))
		if len(numbers) > 0 {
			m.group.split(id, numbers)
		}
		for i, n := range numbers {
			if i == m.run.time {
				key = binary.AppendUvarint(key, uint64(int(n)+offset))
				continue
			}
			name := m.name(i, n)
			key = append(binary.AppendUvarint(key, uint64(len(name))), name...)
		}
		return key
	}
	for k, id := range shown {
		rows[string(keyOf(main, id, offset))] = k
	}
	for _, id := range m.ids {
		if k, ok := rows[string(keyOf(m, id, prevOffset))]; ok {
			res.Rows[k].Compared = m.values(q.Metrics, id, make([]float64, len(q.Metrics)))
		}
	}
	none := (&merged{sums: &counters{}}).values(q.Metrics, 0, make([]float64, len(q.Metrics)))
	for k := range res.Rows {
		if res.Rows[k].Compared == nil {
			res.Rows[k].Compared = none
		}
	}
	if q.Totals {
		res.Compared, err = x.totals(clipped)
	}
	return err
}

// timeLabels lists all buckets of the range, if that was asked for.
func (x *execution) timeLabels() error {
	q, res := x.query, x.result
	t := q.timeDimension()
	if !q.TimeLabels || t < 0 {
		return nil
	}
	b := newBuckets(q.Dimensions[t].Resolution, x.frame.loc, x.frame.weekStart, res.from.from, res.from.to, MaxBuckets)
	if b.n() > MaxBuckets {
		return tooManyBuckets("body.include.time_labels")
	}
	stamp := stamper{loc: x.frame.loc}
	res.TimeLabels = make([]string, b.n())
	for i, t := range b.starts {
		stamp.out = stamp.out[:0]
		stamp.append(t)
		res.TimeLabels[i] = string(stamp.out)
	}
	return nil
}

// warnings says what a reader of the numbers should know.
func (x *execution) warnings() {
	q := x.query
	warn := func(text string) { x.result.Warnings = append(x.result.Warnings, text) }
	if needsOf(q.Metrics)&needVisits != 0 {
		for i := range q.Dimensions {
			if q.Dimensions[i].viewed() {
				how := q.Dimensions[i].Name + " that it viewed"
				if q.Dimensions[i].Kind == KindSegment {
					how = "segment of its reader"
				}
				warn("a visit counts under each " + how + ": the rows add up to more than the total")
				break
			}
		}
	}
	for i := range q.Dimensions {
		if q.Dimensions[i].list() {
			of := "item"
			if q.Dimensions[i].Kind == KindSegment {
				of = "reader"
			}
			warn(fmt.Sprintf("a row counts under each %s of its %s: the rows may add up to more than the total", q.Dimensions[i].Name, of))
			break
		}
	}
	for _, name := range x.unkept() {
		x.result.Exact = false
		warn(fmt.Sprintf("the site has %d properties, which is all that can be asked for: %q counts as %s where it came later", engine.MaxColumns-int(event.NumColumns), name, None))
	}
}

// unkept returns the properties of the question that a shard may have seen and
// has no column for.
func (x *execution) unkept() []string {
	var names []string
	look := func(d *Dimension) {
		if d.Kind != KindProperty || slices.Contains(names, d.Property) {
			return
		}
		for _, s := range x.view.Shards {
			if s.Full && s.ColumnByName(d.Property, true) < 0 {
				names = append(names, d.Property)
				return
			}
		}
	}
	for i := range x.query.Dimensions {
		look(&x.query.Dimensions[i])
	}
	x.query.Filter.each(func(f *Filter) { look(&f.Dimension) })
	return names
}
