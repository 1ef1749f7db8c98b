package edge

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sockets of loops never block, so their system calls need not tell the
// scheduler: that costs more than it gains, and has its monitor take the
// processor away from a call of microseconds.

// readNow is unix.Read for a descriptor that does not block. p is not empty.
func readNow(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeNow is unix.Write for a descriptor that does not block. p is not empty.
func writeNow(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// waitNow is unix.EpollWait without a wait.
func waitNow(fd int, events []unix.EpollEvent) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
