package collect

import "unsafe"

// arena holds the texts that a request makes beside those of its body. A text
// stays valid until reset; when a chunk is full the next takes over and the
// texts keep the old one alive.
type arena struct{ buf []byte }

const (
	arenaChunk = 4 << 10
	arenaKeep  = 256 << 10 // a larger chunk is not kept for the next request
)

// room returns an empty slice with space for n bytes. What the caller appends,
// up to n, becomes a text with take.
func (a *arena) room(n int) []byte {
	if cap(a.buf)-len(a.buf) < n {
		a.buf = make([]byte, 0, max(n, arenaChunk, min(2*cap(a.buf), arenaKeep)))
	}
	return a.buf[len(a.buf):len(a.buf):cap(a.buf)]
}

// take makes a text of b, which room has returned and the caller has filled.
func (a *arena) take(b []byte) string {
	if len(b) <= cap(a.buf)-len(a.buf) {
		a.buf = a.buf[:len(a.buf)+len(b)]
	}
	return text(b)
}

// copy makes a text of the concatenation of parts.
func (a *arena) join(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := a.room(n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return a.take(b)
}

func (a *arena) reset() {
	if cap(a.buf) > arenaKeep {
		a.buf = nil
	}
	a.buf = a.buf[:0]
}

// text is b as a string that shares its bytes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is s as bytes that must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
