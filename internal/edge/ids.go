package edge

import (
	cryptorand "crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/readership/readership/internal/event"
)

// ids makes request ids of 96 random bits.
type ids struct{ pool sync.Pool }

func newIDs(random io.Reader) *ids {
	if random == nil {
		random = cryptorand.Reader
	}
	var mu sync.Mutex
	return &ids{sync.Pool{New: func() any {
		var seed [32]byte
		mu.Lock()
		defer mu.Unlock()
		if _, err := io.ReadFull(random, seed[:]); err != nil {
			panic(fmt.Sprintf("edge: no randomness: %v", err))
		}
		return rand.NewChaCha8(seed)
	}}}
}

func (g *ids) append(dst []byte) []byte {
	source := g.pool.Get().(*rand.ChaCha8)
	var raw [12]byte
	_, _ = source.Read(raw[:])
	g.pool.Put(source)
	return hex.AppendEncode(dst, raw[:])
}

// usable says whether a sender's request id can be kept.
func usable[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// appendPosition appends event.Position.String.
func appendPosition(dst []byte, p event.Position) []byte {
	dst = append(strconv.AppendInt(dst, int64(p.Day()), 10), '-')
	dst = append(strconv.AppendInt(dst, int64(p.Part()), 10), '-')
	return strconv.AppendUint(dst, p.Sequence(), 10)
}
