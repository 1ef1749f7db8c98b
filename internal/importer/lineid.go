package importer

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// idLen is the length of a line's id.
const idLen = 22

// lineIDs gives each line of one file its id: a hash of the line and of how
// many equal lines came before it. So a file may be renamed, compressed, cut or
// sent again and its lines keep their ids. It takes 8 to 16 bytes a line.
type lineIDs struct {
	table []uint64 // open addressing; 0 is free
	used  int
	again map[uint64]uint64 // lines seen more than once → how often before the next
}

// append adds the id of line to dst.
func (l *lineIDs) append(dst, line []byte) []byte {
	n := l.before(xxh3.Hash(line))
	h := xxh3.Hash128Seed(line, n)
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], h.Hi)
	binary.BigEndian.PutUint64(raw[8:], h.Lo)
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

// before returns how often hash came before, and counts it.
func (l *lineIDs) before(hash uint64) uint64 {
	if hash == 0 {
		hash = 1
	}
	if 4*(l.used+1) > 3*len(l.table) {
		l.grow()
	}
	mask := uint64(len(l.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch l.table[i] {
		case 0:
			l.table[i] = hash
			l.used++
			return 0
		case hash:
			if l.again == nil {
				l.again = make(map[uint64]uint64)
			}
			l.again[hash]++
			return l.again[hash]
		}
	}
}

func (l *lineIDs) grow() {
	old := l.table
	l.table = make([]uint64, max(1<<12, 2*len(old)))
	mask := uint64(len(l.table) - 1)
	for _, hash := range old {
		if hash == 0 {
			continue
		}
		i := hash & mask
		for l.table[i] != 0 {
			i = (i + 1) & mask
		}
		l.table[i] = hash
	}
}
