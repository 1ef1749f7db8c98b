//go:build linux && !race && !msan && !asan

package hugepage

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enabled says by which of always, madvise and never the system gives huge pages,
// sizeFile how large they are, in bytes.
const (
	enabled  = "/sys/kernel/mm/transparent_hugepage/enabled"
	sizeFile = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
)

// wanted says whether the system gives huge pages to who asks.
var wanted = sync.OnceValue(func() bool {
	mode, err := os.ReadFile(enabled)
	return err == nil && bytes.Contains(mode, []byte("[madvise]"))
})

// Reserve has the next bytes by which Go's heap grows lie in huge pages; nil if it
// cannot, or need not. Addresses are taken, and a thousandth of the memory; and garbage is
// collected.
//
// It allocates that much, never touched, asks for huge pages there and lets go of
// it: the heap then takes its next pages from there, lowest addresses first.
func Reserve(bytes int64) *Reserved {
	if bytes <= 0 || !wanted() || !mappable(bytes) {
		return nil
	}
	defer debug.FreeOSMemory()
	return reserve(int(bytes))
}

func reserve(size int) *Reserved {
	var b strings.Builder // the way to memory that nobody sets to zero
	b.Grow(size)
	b.WriteByte(0)
	first, end := pages(unsafe.StringData(b.String()), b.Cap())
	if madvise(first, end, unix.MADV_HUGEPAGE) != nil {
		return nil
	}
	r := &Reserved{(first + Size - 1) &^ (Size - 1), end &^ (Size - 1)}
	if huge, err := os.ReadFile(sizeFile); err != nil || string(bytes.TrimSpace(huge)) != strconv.Itoa(Size) {
		r.next = r.end // a page would be more than is asked for
	}
	return r
}

// Reserved is where the heap grows next. It is used by one goroutine.
type Reserved struct{ next, end uintptr }

// Touch has the next huge page taken from the system, unless the heap has grown to it
// before; more is false if there was none. It takes as long as the heap's own first
// touch would. Errors: EINVAL before Linux 5.14, ENOMEM where there is no memory.
func (r *Reserved) Touch() (more bool, err error) {
	if r.next >= r.end {
		return false, nil
	}
	if err := madvise(r.next, r.next+Size, unix.MADV_POPULATE_WRITE); err != nil {
		return false, fmt.Errorf("touch the heap's next pages: %w", err)
	}
	r.next += Size
	return true, nil
}

// mappable says whether the system maps so much: the runtime would end the
// program where it does not.
func mappable(bytes int64) bool {
	mem, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	return err == nil && unix.Munmap(mem) == nil
}

// Advise has memory that was mapped outside Go's heap lie in huge pages.
func Advise(mem []byte) {
	if len(mem) > 0 && wanted() {
		advise(unsafe.SliceData(mem), len(mem))
	}
}

// advise asks for huge pages for the whole pages from an address on.
func advise(from *byte, size int) {
	first, end := pages(from, size)
	_ = madvise(first, end, unix.MADV_HUGEPAGE)
}

// pages are the whole pages from an address on.
func pages(from *byte, size int) (first, end uintptr) {
	page := uintptr(os.Getpagesize())
	first = (uintptr(unsafe.Pointer(from)) + page - 1) &^ (page - 1)
	return first, (uintptr(unsafe.Pointer(from)) + uintptr(size)) &^ (page - 1)
}

func madvise(first, end, how uintptr) error {
	if end <= first {
		return unix.EINVAL
	}
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, first, end-first, how); errno != 0 {
		return errno
	}
	return nil
}
