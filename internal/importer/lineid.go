package importer

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// idLen is the length of a line's id.
const idLen = 22

// maxEqual is how many different lines may lie between equal lines of an access
// log that are told apart: equal lines were written in the same second.
const maxEqual = 1 << 22

// lineIDs gives each line of one file its id: a hash of the line and of how
// many equal lines came before it. So a file may be renamed, compressed, cut or
// sent again and its lines keep their ids. It takes 8 to 16 bytes a line, of
// the last limit to 2 × limit different lines; a limit of 0 is none.
type lineIDs struct {
	limit      int
	now, older lineSet
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
	n, again := l.now.add(hash)
	if !again && l.older.used > 0 {
		if n, again = l.older.seen(hash); again {
			n++
			l.now.repeat(hash, n)
		}
	}
	if l.limit > 0 && l.now.used >= l.limit {
		l.older, l.now = l.now, lineSet{}
	}
	return n
}

// lineSet holds hashes of lines and how often each came.
type lineSet struct {
	table []uint64 // open addressing; 0 is free
	used  int
	again map[uint64]uint64 // lines seen more than once → how often before the last
}

// add adds hash, and returns how often it came before if it did.
func (s *lineSet) add(hash uint64) (n uint64, again bool) {
	if 4*(s.used+1) > 3*len(s.table) {
		s.grow()
	}
	at := s.place(hash)
	if s.table[at] == 0 {
		s.table[at] = hash
		s.used++
		return 0, false
	}
	n = s.again[hash] + 1
	s.repeat(hash, n)
	return n, true
}

// seen returns how often hash came before its last time.
func (s *lineSet) seen(hash uint64) (n uint64, ok bool) {
	return s.again[hash], s.table[s.place(hash)] != 0
}

func (s *lineSet) repeat(hash, n uint64) {
	if s.again == nil {
		s.again = make(map[uint64]uint64)
	}
	s.again[hash] = n
}

// place returns where hash stands, or would.
func (s *lineSet) place(hash uint64) uint64 {
	mask := uint64(len(s.table) - 1)
	i := hash & mask
	for s.table[i] != 0 && s.table[i] != hash {
		i = (i + 1) & mask
	}
	return i
}

func (s *lineSet) grow() {
	old := s.table
	s.table = make([]uint64, max(1<<12, 2*len(old)))
	for _, hash := range old {
		if hash != 0 {
			s.table[s.place(hash)] = hash
		}
	}
}
