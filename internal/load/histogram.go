package load

import (
	"math/bits"
	"time"
)

// subBits sets the precision of a Histogram: values are kept to 1 part in
// 2^subBits, here under 1 %.
const subBits = 7

// Histogram counts durations in buckets whose width grows with the value, so
// that any percentile is known to under 1 % from a nanosecond to hours. The
// zero value is ready. Not safe for concurrent use.
type Histogram struct {
	counts [(64 - subBits) << subBits]uint64
	n      uint64
	sum    float64
	max    time.Duration
}

// Record counts one duration; below zero counts as zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.n++
	h.sum += float64(d)
	h.max = max(h.max, d)
}

// Add counts what other counted.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the greatest duration.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean returns the mean, 0 of none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}

// Quantile returns the least bucket value that q of all durations do not
// exceed; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q * float64(h.n))
	if float64(rank) < q*float64(h.n) || rank == 0 {
		rank++
	}
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return h.max
}

// bucket maps a value to its bucket: exact below 2^subBits, then 2^subBits
// buckets for each doubling.
func bucket(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// upper returns the greatest value of a bucket.
func upper(i int) uint64 {
	if i < 1<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return (uint64(i&(1<<subBits-1))+1<<subBits+1)<<shift - 1
}
