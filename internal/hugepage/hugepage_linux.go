//go:build linux && !race && !msan && !asan

package hugepage

import (
	"bytes"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enabled says by which of always, madvise and never the system gives huge pages.
const enabled = "/sys/kernel/mm/transparent_hugepage/enabled"

// wanted says whether the system gives huge pages to who asks.
var wanted = sync.OnceValue(func() bool {
	mode, err := os.ReadFile(enabled)
	return err == nil && bytes.Contains(mode, []byte("[madvise]"))
})

// Reserve has the next bytes by which Go's heap grows lie in huge pages; nil if it
// cannot. Addresses are taken, and a thousandth of the memory; and garbage is
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

func reserve(bytes int) *Reserved {
	var b strings.Builder // the way to memory that nobody sets to zero
	b.Grow(bytes)
	b.WriteByte(0)
	first, end := pages(unsafe.StringData(b.String()), b.Cap())
	if !madvise(first, end, unix.MADV_HUGEPAGE) {
		return nil
	}
	return &Reserved{first, end}
}

// Reserved is where the heap grows. It is used by one goroutine.
type Reserved struct{ next, end uintptr }

// Touch has the next huge page taken from the system, unless the heap has grown to it
// before, and reports whether there are more. It takes as long as the heap's own first
// touch would: up to milliseconds on a virtual machine whose host has yet to give the
// memory.
func (r *Reserved) Touch() (more bool) {
	if r.next >= r.end {
		return false
	}
	to := min((r.next+Size)&^(Size-1), r.end)
	if !madvise(r.next, to, unix.MADV_POPULATE_WRITE) { // before Linux 5.14
		r.next = r.end
		return false
	}
	r.next = to
	return r.next < r.end
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
func advise(from *byte, size int) bool {
	first, end := pages(from, size)
	return madvise(first, end, unix.MADV_HUGEPAGE)
}

// pages are the whole pages from an address on.
func pages(from *byte, size int) (first, end uintptr) {
	page := uintptr(os.Getpagesize())
	first = (uintptr(unsafe.Pointer(from)) + page - 1) &^ (page - 1)
	return first, (uintptr(unsafe.Pointer(from)) + uintptr(size)) &^ (page - 1)
}

func madvise(first, end uintptr, how uintptr) bool {
	if end <= first {
		return false
	}
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, first, end-first, how)
	return errno == 0
}
