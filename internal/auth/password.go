package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Limits of a password, in characters and bytes.
const (
	MinPassword = 10
	MaxPassword = 256
)

// Hasher hashes passwords with argon2id. It bounds how many hashes are made
// at once, for each takes Memory.
type Hasher struct {
	random io.Reader
	memory uint32 // KiB
	time   uint32
	slots  chan struct{}
	dummy  string
}

// NewHasher returns a hasher with 19 MiB and two passes a hash (the OWASP
// minimum for argon2id), two hashes at a time.
func NewHasher(random io.Reader) (*Hasher, error) { return newHasher(random, 19<<10, 2) }

func newHasher(random io.Reader, memoryKiB, time uint32) (*Hasher, error) {
	h := &Hasher{random: random, memory: memoryKiB, time: time, slots: make(chan struct{}, 2)}
	var err error
	h.dummy, err = h.Hash(context.Background(), "a password that nobody has")
	return h, err
}

// CheckPassword says what is wrong with a new password, "" if nothing is.
func CheckPassword(password string) string {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Sprintf("a password has at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Sprintf("a password has at most %d bytes", MaxPassword)
	}
	return ""
}

// Hash returns the encoded hash of a password, in the PHC string format.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	key := argon2.IDKey([]byte(password), salt, h.time, h.memory, 1, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, h.memory, h.time,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// Verify says whether password has this hash. An empty hash never matches but
// takes as long, so that answers do not tell who exists.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (bool, error) {
	known := encoded != ""
	if !known {
		encoded = h.dummy
	}
	memory, time, threads, salt, want, err := parseHash(encoded)
	if err != nil {
		return false, err
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	got := argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

func parseHash(encoded string) (memory, time uint32, threads uint8, salt, key []byte, err error) {
	parts := strings.Split(encoded, "$")
	bad := errors.New("the stored password hash cannot be read")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return 0, 0, 0, nil, nil, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return 0, 0, 0, nil, nil, bad
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(key) < 16 || threads == 0 || time == 0 || memory > 1<<20 {
		return 0, 0, 0, nil, nil, bad
	}
	return memory, time, threads, salt, key, nil
}

func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hasher) leave() { <-h.slots }

// NewTestHasher returns a hasher that is quick and weak, for tests.
func NewTestHasher(random io.Reader) (*Hasher, error) { return newHasher(random, 64, 1) }
