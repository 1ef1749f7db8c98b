package event

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in the log: the day of its stamp, the part within the
// day (a log stream), and the sequence within the part. Positions of one log
// are ordered as numbers. The zero Position lies before everything.
//
//	| 16 bits day since 1970 | 12 bits part | 36 bits sequence |
type Position uint64

// MakePosition packs a position. Day is days since 1970-01-01 UTC.
func MakePosition(day, part int, sequence uint64) Position {
	return Position(uint64(day)<<48 | uint64(part&0xfff)<<36 | sequence&(1<<36-1))
}

// Day returns the log day, in days since 1970-01-01 UTC.
func (p Position) Day() int { return int(p >> 48) }

// Part returns the part within the day, from 0.
func (p Position) Part() int { return int(p>>36) & 0xfff }

// Sequence returns the sequence within the part, from 1.
func (p Position) Sequence() uint64 { return uint64(p) & (1<<36 - 1) }

// String writes the position as day-part-sequence, the form of
// X-Readership-Position.
func (p Position) String() string {
	return fmt.Sprintf("%d-%d-%d", p.Day(), p.Part(), p.Sequence())
}

// ParsePosition reads what String wrote.
func ParsePosition(text string) (Position, error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return 0, fmt.Errorf("position %q is not day-part-sequence", text)
	}
	var n [3]uint64
	for i, bits := range []int{16, 12, 36} {
		v, err := strconv.ParseUint(parts[i], 10, bits)
		if err != nil {
			return 0, fmt.Errorf("position %q is not day-part-sequence", text)
		}
		n[i] = v
	}
	return MakePosition(int(n[0]), int(n[1]), n[2]), nil
}
