package query

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Limits of the memory of one question, from docs/querying.md.
const (
	// MaxGroups bounds the groups of one shard.
	MaxGroups = 2_000_000
	// maxDistinct bounds the (group, reader) pairs of one shard: 512 MB.
	maxDistinct = 32 << 20
	// maxBitmaps bounds the words of bitmaps of one shard: 64 MB.
	maxBitmaps = 8 << 20
)

// errTooManyGroups ends a question that would take too much memory.
var errTooManyGroups = problem.Newf(http.StatusUnprocessableEntity,
	"the question makes more than %d groups; ask for fewer dimensions, a coarser time or a shorter range", MaxGroups).WithCode("too_many_groups")

// errTooManyReaders is the same for sets of readers.
var errTooManyReaders = problem.New(http.StatusUnprocessableEntity,
	"counting visitors of so many groups takes too much memory; ask for fewer dimensions, a coarser time or a shorter range").WithCode("too_many_groups")

// run is one pass over a period: a question's groups, its totals, or either of
// the period it is compared with.
type run struct {
	view    *engine.View
	site    string
	catalog *engine.Catalog
	members *members
	cache   *Cache
	frame   *frame
	period  period // cut to the window and to now
	need    needs
	dims    []Dimension // without repetition; time among them
	time    int         // place of the time dimension, -1: none
	buckets *buckets    // of the time dimension
	filter  *Filter
	robots  bool // count them: bot_class is named
	needNew bool // asked for, whether in this pass or later
	// allCurrencies counts revenue whatever its currency.
	allCurrencies bool
	threads       int

	mu      sync.Mutex // guards entries and locals
	entries []*cacheEntry
	locals  map[cacheKey]bool

	shards []*shard
}

// entry returns the numbering of a dimension, the same one throughout the run.
func (r *run) entry(d *Dimension) *cacheEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if e.dim.same(d) {
			return e
		}
	}
	e := r.cache.entry(r.site, d, r.catalog)
	r.entries = append(r.entries, e)
	return e
}

// local says whether a block of any shard has a dictionary of its own for the
// dimension's column.
func (r *run) local(d *Dimension) bool {
	if d.ofItem() || d.ofVisit() {
		return false
	}
	key := cacheKey{kind: d.Kind, column: d.Column, property: d.Property}
	r.mu.Lock()
	defer r.mu.Unlock()
	if is, ok := r.locals[key]; ok {
		return is
	}
	is := false
	for _, s := range r.shards {
		column := s.column(d)
		for _, b := range s.blocks {
			if c := columnAt(b, column); c != nil && c.Local != nil {
				is = true
			}
		}
	}
	if r.locals == nil {
		r.locals = map[cacheKey]bool{}
	}
	r.locals[key] = is
	return is
}

// shard is one shard's part of a run. It belongs to one goroutine at a time.
type shard struct {
	run    *run
	number int
	view   *engine.ShardView
	blocks []*block.Block // without copies

	spaces []*space
	group  *grouper
	sums   counters
	sets   *distinct
	filter *node
	masks  []mask

	slots map[uint16]int32 // block ID → place in blocks
	stays *stays           // all visits, where a dimension or metric needs them
	codes map[virtualKey][]uint32
	trail *trail
	kinds *loyaltyOf

	kept  [][]cells // by dimension and block, for visits
	known [][]bool

	rows  []uint16 // scratch of scan
	gids  []uint32
	lists [][]uint32
	types map[*block.Block]typeCodes
	table dayTable
}

// newRun prepares a run over a view. Rows that commits leave are looked at with
// decisions only.
func newRun(v *engine.View, cache *Cache, f *frame, threads int, decisions bool) *run {
	r := &run{view: v, site: v.Site.ID, catalog: v.Items, cache: cache, frame: f, threads: threads, time: -1}
	for i, sv := range v.Shards {
		s := &shard{run: r, number: i, view: sv, rows: make([]uint16, 0, chunk+slack), gids: make([]uint32, chunk)}
		for _, b := range sv.Blocks {
			if b.N > 0 && (b.Kind == block.Plain || decisions && b.Kind == block.Decisions) {
				s.blocks = append(s.blocks, b)
			}
		}
		r.shards = append(r.shards, s)
	}
	return r
}

// each runs fn for every shard, at most threads at once, and returns the first
// error.
func (r *run) each(fn func(*shard) error) error {
	if r.threads <= 1 || len(r.shards) == 1 {
		for _, s := range r.shards {
			if err := fn(s); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(r.shards))
	var wg sync.WaitGroup
	next := make(chan int, len(r.shards))
	for i := range r.shards {
		next <- i
	}
	close(next)
	for range min(r.threads, len(r.shards)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = guard(r.shards[i], fn)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// guard turns a panic of a shard's goroutine into an error: the question has
// failed, not the process.
func guard(s *shard, fn func(*shard) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("query shard %d: panic: %v", s.number, p)
		}
	}()
	return fn(s)
}

// execute counts everything but what two-phase questions leave for later.
func (r *run) execute(ctx context.Context) error {
	if r.period.from >= r.period.to {
		return nil
	}
	return r.each(func(s *shard) error {
		s.prepare()
		if err := s.scan(ctx); err != nil {
			return err
		}
		if r.need&needVisits != 0 {
			return s.visits(ctx)
		}
		return nil
	})
}

// prepare sets up the shard's groups.
func (s *shard) prepare() {
	r := s.run
	s.filter = s.compile(r.filter)
	var cards []uint32
	var own []*numbering
	for i := range r.dims {
		if i == r.time {
			cards, own = append(cards, uint32(r.buckets.n())), append(own, nil)
			continue
		}
		sp := s.space(&r.dims[i])
		cards, own = append(cards, sp.card()), append(own, sp.own)
	}
	rows := 0
	for _, b := range s.blocks {
		if lo, hi := r.within(b); lo < hi {
			rows += b.N
		}
	}
	s.group = newGrouper(cards, own, uint64(min(max(4*rows, 1<<16), maxDense)))
	s.sums.grow(s.group.size(), r.need)
	if r.need&needDistinct != 0 && s.sets == nil {
		s.sets = newDistinct(s, s.group.dense(), rows)
	}
}

// within returns the part of a block's day that the period takes in, in
// milliseconds of the day: lo ≤ t < hi.
func (r *run) within(b *block.Block) (lo, hi uint32) { return within(b, r.period) }

func within(b *block.Block, p period) (lo, hi uint32) {
	start := int64(b.Day) * block.DayMillis
	from, to := max(p.from-start, 0), min(p.to-start, block.DayMillis)
	if from >= to || from > int64(b.MaxTime) || to <= int64(b.MinTime) {
		return 0, 0
	}
	return uint32(from), uint32(to)
}

// typeCodes are the codes of a block's column of types.
type typeCodes struct{ view, conversion uint32 } // 0: does not occur

// typesOf finds the codes of the types with a meaning in a block.
func (s *shard) typesOf(b *block.Block) typeCodes {
	key := b
	texts := s.dict(int(event.ColType)).Texts
	if c := b.ColumnAt(int(event.ColType)); c != nil && c.Local != nil {
		texts = c.Local.Texts
	} else {
		key = nil
	}
	if t, ok := s.types[key]; ok {
		return t
	}
	var t typeCodes
	for code := 1; code < len(texts); code++ {
		switch texts[code] {
		case event.TypePageView:
			t.view = uint32(code)
		case event.TypeConversion:
			t.conversion = uint32(code)
		}
	}
	if s.types == nil {
		s.types = map[*block.Block]typeCodes{}
	}
	s.types[key] = t
	return t
}
