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

// loadKey reads the key in dir, or makes one if create allows it.
func loadKey(dir string, create bool) (idKey, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		var raw [16]byte
		_, _ = rand.Read(raw[:]) // never fails
		text = []byte(hex.EncodeToString(raw[:]) + "\n")
		if err = writeFile(path, text); err != nil {
			return idKey{}, fmt.Errorf("create the key of ids: %w", err)
		}
	}
	if err != nil {
		return idKey{}, fmt.Errorf("read the key of ids: %w", err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != 16 {
		return idKey{}, fmt.Errorf("read the key of ids: %s does not hold 32 hexadecimal digits", path)
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
