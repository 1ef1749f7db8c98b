package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// A signed device is, with its parts in base64url without padding,
//
//	1.DEVICE.MAC   a device of 16 random bytes, DEVICE is its name
//	2.NAME.MAC     a device that an API key named
//
// MAC is the first 16 bytes of HMAC-SHA256(key, what stands before it, without
// the dot). docs/format/rsid.md describes it.
const (
	madePrefix  = "1."
	namedPrefix = "2."
	deviceBytes = 16 // raw
	letters     = 22 // of 16 bytes
	madeBytes   = len(madePrefix) + letters + 1 + letters
	macBytes    = 16
)

// MaxDeviceBytes is the longest name of a device.
const MaxDeviceBytes = 512

// maxSigned is the longest signed device.
const maxSigned = len(namedPrefix) + (MaxDeviceBytes*8+5)/6 + 1 + letters

// Devices makes and checks signed devices: the cookie rsid of browsers and the
// token that apps send as X-Readership-Device. Safe for concurrent use.
type Devices struct{ macs macs }

// NewDevices derives the key of signed devices from the server's secret.
func NewDevices(secret []byte) *Devices { return &Devices{newMACs(secret, "rsid")} }

// Open returns the device that a signed one proves. It aliases signed, unless
// an API key named it.
func (d *Devices) Open(signed string) (device string, ok bool) {
	cut := len(signed) - 1 - letters
	if len(signed) > maxSigned || cut < len(madePrefix) || signed[cut] != '.' {
		return "", false
	}
	name := signed[len(madePrefix):cut]
	switch {
	case strings.HasPrefix(signed, madePrefix):
		if len(signed) != madeBytes {
			return "", false
		}
	case !strings.HasPrefix(signed, namedPrefix):
		return "", false
	}
	if !d.macs.check(signed[:cut], signed[cut+1:]) {
		return "", false
	}
	if signed[0] == madePrefix[0] {
		return name, true
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(name)
	return string(raw), err == nil && len(raw) > 0
}

// Make makes a new device and signs it.
func (d *Devices) Make(random io.Reader) (device, signed string, err error) {
	var raw [deviceBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", "", fmt.Errorf("make a device: %w", err)
	}
	device = base64.RawURLEncoding.EncodeToString(raw[:])
	return device, d.macs.signed(madePrefix + device), nil
}

// ErrDevice says that a name cannot be a device's.
var ErrDevice = errors.New("a device has 1 to 512 bytes of UTF-8, and its name does not begin with account: as an account does")

// Name signs a device that an API key names. Errors: ErrDevice.
func (d *Devices) Name(device string) (signed string, err error) {
	if device == "" || len(device) > MaxDeviceBytes || !utf8.ValidString(device) || strings.HasPrefix(device, "account:") {
		return "", ErrDevice
	}
	return d.macs.signed(namedPrefix + base64.RawURLEncoding.EncodeToString([]byte(device))), nil
}

// macs computes macs under one key.
type macs struct{ pool *sync.Pool } // of *mac

type mac struct {
	hash hash.Hash
	in   []byte
	sum  [sha256.Size]byte
	out  [letters]byte
}

// newMACs derives the key of a purpose from the server's secret.
func newMACs(secret []byte, purpose string) macs {
	derive := hmac.New(sha256.New, secret)
	derive.Write([]byte(purpose))
	key := derive.Sum(nil)
	return macs{&sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, key)} }}}
}

// of writes the mac of text to m.out.
func (m *mac) of(text string) {
	m.hash.Reset()
	m.in = append(m.in[:0], text...)
	m.hash.Write(m.in)
	base64.RawURLEncoding.Encode(m.out[:], m.hash.Sum(m.sum[:0])[:macBytes])
}

// check says whether sum is the mac of text.
func (s macs) check(text, sum string) bool {
	m := s.pool.Get().(*mac)
	defer s.pool.Put(m)
	m.of(text)
	m.in = append(m.in[:0], sum...)
	return subtle.ConstantTimeCompare(m.out[:], m.in) == 1
}

// sum returns the mac of text.
func (s macs) sum(text string) string {
	m := s.pool.Get().(*mac)
	defer s.pool.Put(m)
	m.of(text)
	return string(m.out[:])
}

// signed returns text, a dot and its mac.
func (s macs) signed(text string) string { return text + "." + s.sum(text) }
