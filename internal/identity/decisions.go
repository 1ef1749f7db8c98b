package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"sync"
)

// Decisions makes and opens the ids of decisions: what is known of a decision,
// sealed, so that nobody has to remember it. An id is the base64url, without
// padding, of
//
//	12 bytes  nonce
//	the rest  AES-256-GCM(key, nonce, what is known, the site as additional data)
//
// docs/format/decisions.md describes it. Safe for concurrent use.
type Decisions struct {
	sealer
	names macs
}

// Sessions seals what readers who are not to be stored keep in a cookie, in the
// form of Decisions. Safe for concurrent use.
type Sessions struct{ sealer }

// NewSessions derives the key of sessions from the server's secret.
func NewSessions(secret []byte) *Sessions { return &Sessions{newSealer(secret, "session")} }

// sealer seals under one key.
type sealer struct{ cipher.AEAD }

const (
	// NonceBytes is the length of a Nonce.
	NonceBytes = 12
	tagBytes   = 16
	// maxSealedText bounds what is opened: a cookie has 4 KB.
	maxSealedText = 4096
	// MaxDecisionID is the longest id of a decision, in bytes.
	MaxDecisionID = 1024
	// MaxSealed is the most bytes that an id can hold.
	MaxSealed = MaxDecisionID/4*3 - NonceBytes - tagBytes
)

// Nonce is what makes the id of a decision its own.
type Nonce [NonceBytes]byte

// NewDecisions derives the keys of ids from the server's secret.
func NewDecisions(secret []byte) *Decisions {
	return &Decisions{newSealer(secret, "decision"), newMACs(secret, "commit")}
}

// newSealer derives the key of a purpose from the server's secret.
func newSealer(secret []byte, purpose string) sealer {
	derive := hmac.New(sha256.New, secret)
	derive.Write([]byte(purpose))
	block, err := aes.NewCipher(derive.Sum(nil))
	if err != nil {
		panic(err) // of the length of the key only
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // of the cipher only
	}
	return sealer{seal}
}

// NewNonce makes a nonce.
func (s sealer) NewNonce(random io.Reader) (n Nonce, err error) {
	if _, err := io.ReadFull(random, n[:]); err != nil {
		return n, fmt.Errorf("make a nonce: %w", err)
	}
	return n, nil
}

// Seal returns the text for what is known on a site: the same for the same. A
// decision may have MaxSealed bytes.
func (s sealer) Seal(nonce Nonce, site string, known []byte) string {
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	b.nonce, b.site, b.known = nonce, append(b.site[:0], site...), append(b.known[:0], known...)
	b.raw = s.AEAD.Seal(append(b.raw[:0], nonce[:]...), b.nonce[:], b.known, b.site)
	b.text = base64.RawURLEncoding.AppendEncode(b.text[:0], b.raw)
	return string(b.text)
}

// buffer is what Seal works in.
type buffer struct {
	nonce                  Nonce
	site, known, raw, text []byte
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Open returns what a text of a site seals; ok is false if it is not one of ours.
func (s sealer) Open(site, id string) (nonce Nonce, known []byte, ok bool) {
	if len(id) > maxSealedText {
		return nonce, nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(raw) < NonceBytes+tagBytes {
		return nonce, nil, false
	}
	copy(nonce[:], raw)
	known, err = s.AEAD.Open(nil, nonce[:], raw[NonceBytes:], []byte(site))
	return nonce, known, err == nil
}

// Name is the event id of a decision's commit. Nobody can make an event that has
// it: who has the id of a decision cannot tell its name.
func (d *Decisions) Name(id string) string { return d.names.sum(id) }
