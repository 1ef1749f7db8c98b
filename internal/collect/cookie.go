package collect

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
)

// CookieName is the cookie that proves which device a browser is.
const CookieName = "rsid"

// cookieMaxAge is how long a browser keeps the cookie: 13 months of 30 days and
// 5 days, in seconds.
const cookieMaxAge = 395 * 24 * 60 * 60

// The cookie's value is "1." device "." mac: the version, 16 random bytes and
// the first 16 bytes of HMAC-SHA256(key, "1." device), in base64url without
// padding. See docs/format/rsid.md.
const (
	cookieVersion  = "1."
	cookieRawBytes = 16
	cookieLetters  = 22
	cookieBytes    = len(cookieVersion) + cookieLetters + 1 + cookieLetters
)

// signer makes and checks cookies.
type signer struct {
	macs sync.Pool // of *mac
}

type mac struct {
	hash hash.Hash
	in   [len(cookieVersion) + cookieLetters]byte
	sum  [sha256.Size]byte
	out  [cookieLetters]byte
}

// newSigner derives the cookies' key from the server's secret.
func newSigner(secret []byte) *signer {
	derive := hmac.New(sha256.New, secret)
	derive.Write([]byte("rsid"))
	key := derive.Sum(nil)
	return &signer{macs: sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, key)} }}}
}

// sign writes the mac of signed, the cookie's first part, to m.out.
func (m *mac) sign(signed string) {
	m.hash.Reset()
	m.hash.Write(m.in[:copy(m.in[:], signed)])
	base64.RawURLEncoding.Encode(m.out[:], m.hash.Sum(m.sum[:0])[:cookieRawBytes])
}

// device returns the device that a cookie proves. It aliases value.
func (s *signer) device(value string) (device string, ok bool) {
	if len(value) != cookieBytes || !strings.HasPrefix(value, cookieVersion) || value[len(cookieVersion)+cookieLetters] != '.' {
		return "", false
	}
	signed := value[:len(cookieVersion)+cookieLetters]
	m := s.macs.Get().(*mac)
	m.sign(signed)
	ok = subtle.ConstantTimeCompare(m.out[:], bytesOf(value[len(signed)+1:])) == 1
	s.macs.Put(m)
	return signed[len(cookieVersion):], ok
}

// fresh makes a cookie for a new device.
func (s *signer) fresh(random io.Reader) (device, value string, err error) {
	var raw [cookieRawBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", "", fmt.Errorf("make a device: %w", err)
	}
	device = base64.RawURLEncoding.EncodeToString(raw[:])
	m := s.macs.Get().(*mac)
	m.sign(cookieVersion + device)
	value = cookieVersion + device + "." + string(m.out[:])
	s.macs.Put(m)
	return device, value, nil
}

// setCookie is the Set-Cookie header of a value. Over TLS the cookie also
// reaches collectors on another site than the page's.
func setCookie(value string, secure bool) string {
	if secure {
		return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=None", CookieName, value, cookieMaxAge)
	}
	return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", CookieName, value, cookieMaxAge)
}

// cookieValue finds a cookie in a Cookie header.
func cookieValue(header, name string) string {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
