package auth

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"time"
)

// NewID makes an id that sorts by time: kind, milliseconds, 64 random bits.
func NewID(random io.Reader, now time.Time, kind string) (string, error) {
	stamp := strconv.FormatInt(now.UnixMilli(), 36)
	for len(stamp) < 9 {
		stamp = "0" + stamp
	}
	var raw [8]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return fmt.Sprintf("%s_%s%x", kind, stamp, raw), nil
}

// RandomText makes a secret of size random bytes, as text after a prefix.
func RandomText(random io.Reader, prefix string, size int) (string, error) {
	raw := make([]byte, size)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	return prefix + base64.RawURLEncoding.EncodeToString(raw), nil
}
