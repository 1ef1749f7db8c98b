package access

import (
	"encoding/binary"
	"slices"

	"github.com/readership/readership/internal/engine"
)

// Session is a reader of whom nothing may be stored: it has no consent and no
// account. What its meters have burned goes with it, in a cookie that lives as
// long as the browser's session and holds nothing else.
type Session struct {
	// User is who uses links and takes seats: device:HASH, the cookieless
	// identity of the day.
	User  string
	Burns []engine.Burn
	// Claimed says that the reader has named a device of which nothing is proven.
	// Decisions see its events, as they were when it was decided, and leave their
	// rows with User.
	Claimed bool
}

// Limits of the burns in a session. The oldest go first.
const (
	maxSessionBurns = 64
	maxSessionBytes = 2700
)

// AppendBurns writes burns as a session keeps them, of those that can still count
// at now, Unix milliseconds, the newest.
func AppendBurns(dst []byte, burns []engine.Burn, now int64) []byte {
	kept, size := make([]engine.Burn, 0, len(burns)), 0
	for _, b := range slices.Backward(burns) {
		if size += len(b.Meter) + len(b.Item) + 48; size > maxSessionBytes || len(kept) == maxSessionBurns {
			break
		}
		if b.Until > now {
			kept = append(kept, b)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(kept)))
	for _, b := range slices.Backward(kept) {
		dst = appendText(appendText(dst, b.Meter), b.Item)
		for _, n := range [...]int64{b.Time, b.Limit, b.Start, b.Until} {
			dst = binary.AppendVarint(dst, n)
		}
		dst = binary.LittleEndian.AppendUint64(dst, b.Rule)
	}
	return dst
}

// ReadBurns reads what AppendBurns wrote; nil if it is nothing like it.
func ReadBurns(raw []byte) []engine.Burn {
	in := bytesReader{raw: raw}
	var out []engine.Burn
	for range in.number(maxSessionBurns) {
		b := engine.Burn{Meter: in.text(), Item: in.text(), Time: in.signed(), Limit: in.signed(), Start: in.signed(), Until: in.signed()}
		if len(in.raw) < 8 {
			return nil
		}
		b.Rule = binary.LittleEndian.Uint64(in.raw)
		in.raw = in.raw[8:]
		out = append(out, b)
	}
	if in.bad || len(in.raw) > 0 {
		return nil
	}
	return out
}

// of returns the burns of a meter.
func (s *Session) of(meter string) (out []engine.Burn) {
	if s == nil {
		return nil
	}
	for _, b := range s.Burns {
		if b.Meter == meter {
			out = append(out, b)
		}
	}
	return out
}
