//go:build unix

package eventlog

import (
	"golang.org/x/sys/unix"

	"github.com/readership/readership/internal/hugepage"
)

// allocate returns n zeroed bytes that the garbage collector neither scans nor
// counts. Ordinary memory is the fallback.
func allocate(n int) (mem []byte, mapped bool) {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n), false
	}
	hugepage.Advise(mem)
	return mem, true
}

// release gives back what allocate returned. Nobody may refer to it any more.
func release(mem []byte, mapped bool) {
	if mapped {
		_ = unix.Munmap(mem)
	}
}
