package eventlog

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dchest/siphash"
)

// keyFile holds the key of the hashes, 32 hexadecimal digits.
const keyFile = "ids.key"

// idKey keys the hashes of ids, so that nobody outside can make two ids
// collide.
type idKey struct{ k0, k1 uint64 }

// idKey returns the key of ids: an external log has its own, that of an embedded
// one lies in dir.
func (l *Log) idKey(dir string) (idKey, error) {
	if l.cfg.External != nil {
		return parseKey(l.key, "the log's bucket")
	}
	return loadKey(dir, l.Last() == 0)
}

// loadKey reads the key in dir, or makes one if create allows it.
func loadKey(dir string, create bool) (idKey, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		text = []byte(hex.EncodeToString(newKey()) + "\n")
		if err = writeFile(path, text); err != nil {
			return idKey{}, fmt.Errorf("create the key of ids: %w", err)
		}
	}
	if err != nil {
		return idKey{}, fmt.Errorf("read the key of ids: %w", err)
	}
	return parseKey(string(text), path)
}

func newKey() []byte {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return raw
}

// parseKey reads a key that stands in a place.
func parseKey(text, place string) (idKey, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != 16 {
		return idKey{}, fmt.Errorf("read the key of ids: %s does not hold 32 hexadecimal digits", place)
	}
	return idKey{binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])}, nil
}

// The kinds of names that are hashed; they keep an id and a view of the same
// text apart.
const (
	hashID   = 0
	hashView = 1
)

// hash returns the hash of a name of a site, never 0, and scratch for the next
// call.
func (k idKey) hash(scratch []byte, site string, kind byte, name string) (uint64, []byte) {
	scratch = append(scratch[:0], site...)
	scratch = append(scratch, kind)
	scratch = append(scratch, name...)
	h := siphash.Hash(k.k0, k.k1, scratch)
	if h == 0 {
		h = 1
	}
	return h, scratch
}
