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

// Reserve has the next bytes by which Go's heap grows lie in huge pages, and
// reports whether it could. Addresses are taken, and a thousandth of the memory;
// and garbage is collected.
//
// It allocates that much, never touched, asks for huge pages there and lets go of
// it: the heap then takes its next pages from there.
func Reserve(bytes int64) bool {
	if bytes <= 0 || !wanted() || !mappable(bytes) {
		return false
	}
	defer debug.FreeOSMemory()
	return reserve(int(bytes))
}

func reserve(bytes int) bool {
	var b strings.Builder // the way to memory that nobody sets to zero
	b.Grow(bytes)
	b.WriteByte(0)
	return advise(unsafe.StringData(b.String()), b.Cap())
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
	page := uintptr(os.Getpagesize())
	first := (uintptr(unsafe.Pointer(from)) + page - 1) &^ (page - 1)
	end := (uintptr(unsafe.Pointer(from)) + uintptr(size)) &^ (page - 1)
	if end <= first {
		return false
	}
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, first, end-first, unix.MADV_HUGEPAGE)
	return errno == 0
}
