package dataset

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Portal describes the click log that Synthetic makes. Its defaults have the
// measure of a large news portal's nine days.
type Portal struct {
	Seed    uint64
	Clicks  int
	Readers int
	Items   int
	Start   int64 // Unix milliseconds of the first day's begin
	Days    int
}

// DefaultPortal has 1.54 M clicks of 237,474 readers on 26,350 articles.
func DefaultPortal() Portal {
	return Portal{Seed: 1, Clicks: 1_539_265, Readers: 237_474, Items: 26_350, Start: 1506816000000, Days: 9}
}

// Synthetic makes a click log: sessions of at least two clicks, readers of
// very different eagerness, articles by Zipf that age within two days, a daily
// curve with its peak in the afternoon. The same Portal gives the same clicks.
func Synthetic(p Portal) []Click {
	r := rand.New(rand.NewPCG(p.Seed, 0x5eed))
	items := newZipf(p.Items, 1.05)
	readers := newZipf(p.Readers, 0.65)
	born := make([]int64, p.Items) // publication, relative to Start
	for i := range born {
		born[i] = int64(r.IntN(p.Days*dayMillis)) - dayMillis
	}
	traits := make([]Click, p.Readers) // what stays the same for a reader
	for i := range traits {
		traits[i] = Click{Group: pick(r, 1, 3, 3, 3, 4), Env: pick(r, 4, 4, 4, 2), OS: uint8(1 + r.IntN(20)),
			Country: pick(r, 1, 1, 1, 1, 1, 1, 1, 10, 11), Region: uint8(1 + skewed(r, 28)), Referrer: uint8(1 + skewed(r, 7))}
	}
	clicks := make([]Click, 0, p.Clicks+64)
	for session := uint64(1); len(clicks) < p.Clicks; session++ {
		reader := readers.draw(r)
		c := traits[reader]
		c.Reader, c.Session = uint32(reader), uint64(p.Start)+session
		at := int64(r.IntN(p.Days))*dayMillis + dayTime(r)
		if r.IntN(4) == 0 {
			c.Referrer = uint8(1 + skewed(r, 7))
		}
		for n := 2 + skewed(r, 8); n > 0 && at < int64(p.Days)*dayMillis; n-- {
			c.Item = uint32(drawItem(r, items, born, at))
			c.Time = p.Start + at
			clicks = append(clicks, c)
			at += 5_000 + int64(r.ExpFloat64()*110_000)
		}
	}
	Sort(clicks[:p.Clicks])
	return clicks[:p.Clicks]
}

// drawItem prefers articles that are out and younger than two days.
func drawItem(r *rand.Rand, items *zipf, born []int64, at int64) int {
	for range 12 {
		i := items.draw(r)
		if age := at - born[i]; age >= 0 && age < 2*dayMillis {
			return i
		}
	}
	return items.draw(r)
}

// dayTime draws an instant of a day, milliseconds from its begin: quiet at
// night, busiest in the afternoon.
func dayTime(r *rand.Rand) int64 {
	for {
		t := r.Float64()
		if r.Float64() < 0.55-0.45*math.Cos(2*math.Pi*(t-0.15)) {
			return int64(t * dayMillis)
		}
	}
}

// skewed draws 0..n-1, small numbers far more often.
func skewed(r *rand.Rand, n int) int {
	return min(int(r.ExpFloat64()*float64(n)/4), n-1)
}

func pick(r *rand.Rand, of ...uint8) uint8 { return of[r.IntN(len(of))] }

// zipf draws ranks 0..n-1 with probability ∝ 1/(rank+1)^s, also for s < 1.
type zipf struct{ sums []float64 }

func newZipf(n int, s float64) *zipf {
	z := &zipf{sums: make([]float64, n)}
	total := 0.0
	for i := range z.sums {
		total += math.Pow(float64(i+1), -s)
		z.sums[i] = total
	}
	return z
}

func (z *zipf) draw(r *rand.Rand) int {
	return sort.SearchFloat64s(z.sums, r.Float64()*z.sums[len(z.sums)-1])
}
