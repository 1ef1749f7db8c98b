package demo

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/readership/readership/internal/event"
)

// visitsPerDay is the mean of a usual day. With about two page views a visit
// and 30 days that is a million page views.
const visitsPerDay = 15_000

// robotVisits is the share of robots' visits.
const robotVisits = 0.05

// Simulator makes the events of the newspaper's readers in the order of time,
// without end unless it is closed. What it makes follows from its seed and start. Not safe for
// concurrent use.
type Simulator struct {
	seed    uint64
	rng     *rand.Rand
	zone    *time.Location
	prefix  string // of ids
	made    uint64
	arrival int64 // of the next visit, Unix milliseconds
	close   int64 // no visit begins from here on, Unix milliseconds
	active  agenda

	articles []*Article // by number, the ones in the catalogue
	sum      []float64  // running sums of pull × freshness
	tail     []float64  // running sums of pull × a slow fade, for searchers
	weighed  int64      // when the sums were made
	regulars []reader
	often    *rand.Zipf

	moodDay      int     // day that the following is about
	moodOf       float64 // how many come on it, 1 being usual
	newsAt, news float64 // local hour of something big, -1 for none; how big
}

// New makes a simulator whose first event comes after start. Zone is the
// newspaper's.
func New(seed uint64, start time.Time, zone *time.Location) *Simulator {
	ms := start.UnixMilli()
	s := &Simulator{seed: seed, zone: zone, prefix: "d" + strconv.FormatInt(ms, 36) + "-", arrival: ms, close: math.MaxInt64,
		rng: rand.New(rand.NewPCG(seed, uint64(ms)))}
	s.often = rand.NewZipf(s.rng, 1.02, 600, regulars-1)
	s.regulars = make([]reader, regulars)
	for i := range s.regulars {
		s.regulars[i] = regular(seed, i)
	}
	s.publish(start)
	s.arrival += s.pause(ms)
	return s
}

// Articles returns what is in the catalogue as of the newest event, oldest
// first. The slice is the simulator's.
func (s *Simulator) Articles() []*Article { return s.articles }

// publish brings the catalogue up to t and returns what is new in it.
func (s *Simulator) publish(t time.Time) []*Article {
	first := numberAt(t.AddDate(0, 0, -keptDays), s.zone)
	last := numberAt(t, s.zone) + perDay
	if len(s.articles) > 0 {
		drop := 0
		for drop < len(s.articles) && s.articles[drop].Number < first {
			drop++
		}
		s.articles = s.articles[drop:]
		first = s.articles[len(s.articles)-1].Number + 1
	}
	known := len(s.articles)
	for n := first; n < last; n++ {
		a := article(s.seed, n, s.zone)
		if a.Published.After(t) {
			break
		}
		s.articles = append(s.articles, a)
	}
	s.weigh(t)
	return s.articles[known:]
}

// weigh sums up what draws readers to each article at t.
func (s *Simulator) weigh(t time.Time) {
	s.weighed = t.UnixMilli()
	s.sum, s.tail = s.sum[:0], s.tail[:0]
	fresh, slow := 0.0, 0.0
	for _, a := range s.articles {
		age := t.Sub(a.Published)
		fresh += a.pull * freshness(age)
		slow += a.pull * math.Exp2(-age.Hours()/160)
		s.sum, s.tail = append(s.sum, fresh), append(s.tail, slow)
	}
}

// Close lets no visit begin at t or later. Those under way go on.
func (s *Simulator) Close(t time.Time) { s.close = t.UnixMilli() }

// Next fills e with the next event and returns the articles that appeared
// before it. The strings of e stay valid. ok is false, and e not filled, when
// the last visit of a closed simulator has ended.
func (s *Simulator) Next(e *event.Event) (published []*Article, ok bool) {
	for s.arrival < s.close && (len(s.active) == 0 || s.active[0].at > s.arrival) {
		s.arrive()
	}
	if len(s.active) == 0 {
		return nil, false
	}
	v := s.active[0]
	if v.at-s.weighed > (10 * time.Minute).Milliseconds() {
		published = s.publish(time.UnixMilli(v.at))
	}
	s.event(v, e)
	if v.done {
		heap.Pop(&s.active)
	} else {
		heap.Fix(&s.active, 0)
	}
	return published, true
}

// pause draws the time to the next visit after ms: a Poisson process whose rate
// follows the hour and the day of the week.
func (s *Simulator) pause(ms int64) int64 {
	at := time.UnixMilli(ms).In(s.zone)
	perMilli := visitsPerDay * intensity(at) * s.mood(at) / (24 * 3600_000)
	return 1 + int64(s.rng.ExpFloat64()/perMilli)
}

// mood makes no day quite like another, and once in a while something happens
// that brings many readers for some hours.
func (s *Simulator) mood(t time.Time) float64 {
	day := numberAt(t, s.zone) / perDay
	if s.moodDay != day {
		rng := rand.New(rand.NewPCG(s.seed+2, uint64(day)))
		s.moodDay, s.moodOf = day, math.Exp(0.07*rng.NormFloat64())
		s.newsAt, s.news = -1, 0
		if rng.Float64() < 0.13 {
			s.newsAt, s.news = 7+12*rng.Float64(), 0.6+1.2*rng.Float64()
		}
	}
	factor := s.moodOf
	if hour := float64(t.Hour()) + float64(t.Minute())/60 - s.newsAt; s.newsAt >= 0 && hour >= 0 {
		factor *= 1 + s.news*math.Exp(-hour/2)
	}
	return factor
}

// byHour is the day of a newspaper's readers, its mean being 1.
var byHour = [24]float64{.42, .30, .24, .22, .28, .55, 1.05, 1.55, 1.50, 1.30, 1.18, 1.20, 1.45, 1.35, 1.12, 1.05, 1.10, 1.25, 1.35, 1.45, 1.50, 1.35, 1.00, .66}

// intensity is the rate of visits at a local time, the mean of a week being
// about 1.
func intensity(t time.Time) float64 {
	h, m := t.Hour(), float64(t.Minute())/60
	rate := byHour[h]*(1-m) + byHour[(h+1)%24]*m
	switch t.Weekday() {
	case time.Saturday:
		rate *= 0.78
	case time.Sunday:
		rate *= 0.9
	case time.Monday:
		rate *= 1.08
	}
	return rate
}

// arrive begins the next visit and plans the one after.
func (s *Simulator) arrive() {
	v := &visit{at: s.arrival}
	weights := passerbySource
	if s.rng.Float64() < robotVisits {
		r := somebot(s.rng)
		v.reader, v.source, v.pages = &r, &sources[0], 1+int(s.rng.ExpFloat64()*4)
		heap.Push(&s.active, v)
		s.arrival += s.pause(s.arrival)
		return
	}
	if s.rng.Float64() < 0.55 {
		v.reader = &s.regulars[s.often.Uint64()]
		weights = regularSources
	} else {
		r := someone(s.rng)
		v.reader = &r
	}
	v.source = &sources[weighted(s.rng, weights)]
	mean := 1.1
	if v.reader.loyal {
		mean = 2.4
	}
	v.pages = 1 + int(s.rng.ExpFloat64()*mean)
	heap.Push(&s.active, v)
	s.arrival += s.pause(s.arrival)
}

// choose draws an article: by what is new, or as a searcher would.
func (s *Simulator) choose(fresh bool) *Article {
	sums := s.tail
	if fresh {
		sums = s.sum
	}
	at := s.rng.Float64() * sums[len(sums)-1]
	lo, hi := 0, len(sums)-1
	for lo < hi {
		if mid := (lo + hi) / 2; sums[mid] > at {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return s.articles[lo]
}

// agenda holds the visits under way by the time of their next event.
type agenda []*visit

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(v any)        { *a = append(*a, v.(*visit)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	v := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return v
}
