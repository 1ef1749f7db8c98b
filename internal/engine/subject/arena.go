package subject

import (
	"encoding/hex"
	"fmt"
)

// arena holds names in pages of 64 KB; a place is page << 16 | offset. A name
// is one byte of length and its bytes, or, for the usual lower-case UUID, a mark
// and its 16 bytes. Pages are append-only, so a view shares them; to erase a
// name its page is replaced.
type arena struct {
	pages      [][]byte
	savedPages int   // pages that no longer change and are in the checkpoint
	replaced   []int // pages below savedPages that are not
}

// noName is the place of a name that was erased.
const noName = 1<<32 - 1

const (
	arenaPage = 1 << 16
	markUUID  = 0xff // 16 bytes follow
	markLong  = 0xfe // two bytes of length follow, then the name
)

// MaxName is the longest name kept; longer ones must be refused earlier.
const MaxName = 1024

func newArena() arena { return arena{} }

func (a *arena) add(name string) uint32 {
	var uuid [16]byte
	isUUID := packUUID(&uuid, name)
	need := 1 + len(name)
	switch {
	case isUUID:
		need = 17
	case len(name) >= markLong:
		need = 3 + len(name)
	}
	last := len(a.pages) - 1
	if last < 0 || len(a.pages[last])+need > arenaPage {
		size := arenaPage
		if last < 0 {
			size = 4096
		}
		a.pages = append(a.pages, make([]byte, 0, size))
		last++
	}
	page := a.pages[last]
	place := uint32(last)<<16 | uint32(len(page))
	switch {
	case isUUID:
		page = append(append(page, markUUID), uuid[:]...)
	case len(name) >= markLong:
		page = append(append(page, markLong, byte(len(name)), byte(len(name)>>8)), name...)
	default:
		page = append(append(page, byte(len(name))), name...)
	}
	a.pages[last] = page
	return place
}

func (a *arena) raw(place uint32) (b []byte, uuid bool) {
	page := a.pages[place>>16]
	i := int(place & 0xffff)
	switch n := page[i]; n {
	case markUUID:
		return page[i+1 : i+17], true
	case markLong:
		size := int(page[i+1]) | int(page[i+2])<<8
		return page[i+3 : i+3+size], false
	default:
		return page[i+1 : i+1+int(n)], false
	}
}

func (a *arena) text(place uint32) string {
	if place == noName {
		return ""
	}
	b, uuid := a.raw(place)
	if !uuid {
		return string(b)
	}
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

func (a *arena) equal(place uint32, name string) bool {
	if place == noName {
		return false
	}
	b, uuid := a.raw(place)
	if !uuid {
		return string(b) == name
	}
	var packed [16]byte
	return packUUID(&packed, name) && string(packed[:]) == string(b)
}

// erase overwrites a name with zeros. Who holds its place forgets it.
func (a *arena) erase(place uint32) {
	if place == noName {
		return
	}
	p := int(place >> 16)
	a.pages[p] = append(make([]byte, 0, cap(a.pages[p])), a.pages[p]...)
	b, _ := a.raw(place)
	clear(b)
	if p < a.savedPages {
		a.replaced = append(a.replaced, p)
	}
}

// unsaved calls fn with the pages that changed since the last checkpoint.
func (a *arena) unsaved(fn func(page int)) {
	for _, p := range a.replaced {
		if p < a.savedPages {
			fn(p)
		}
	}
	a.replaced = nil
	for p := a.savedPages; p < len(a.pages); p++ {
		fn(p)
	}
	a.savedPages = max(len(a.pages)-1, 0)
}

// load appends a page of a checkpoint.
func (a *arena) load(data []byte) error {
	if len(data) > arenaPage {
		return fmt.Errorf("%w: page of %d bytes", ErrFormat, len(data))
	}
	a.pages = append(a.pages, append([]byte(nil), data...))
	a.savedPages = len(a.pages) - 1
	return nil
}

// view shares the pages as they are now.
func (a *arena) view() arena {
	return arena{pages: append([][]byte(nil), a.pages...)}
}

func (a *arena) bytes() int64 {
	n := int64(24 * len(a.pages))
	for _, p := range a.pages {
		n += int64(cap(p))
	}
	return n
}

// packUUID packs the form 8-4-4-4-12 of lower-case hexadecimal digits.
func packUUID(dst *[16]byte, s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	n := 0
	for i := 0; i < 36; i++ {
		switch i {
		case 8, 13, 18, 23:
			continue
		}
		d := digits[s[i]]
		if d > 15 {
			return false
		}
		if n&1 == 0 {
			dst[n>>1] = d << 4
		} else {
			dst[n>>1] |= d
		}
		n++
	}
	return true
}

// digits maps '0'-'9' and 'a'-'f' to their value, all else to 255.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := byte(0); i < 10; i++ {
		t['0'+i] = i
	}
	for i := byte(0); i < 6; i++ {
		t['a'+i] = 10 + i
	}
	return t
}()
