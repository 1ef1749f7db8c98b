package edge

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sockets of loops never block, so their system calls need not tell the
// scheduler: that costs more than it gains, and has its monitor take the
// processor away from a call of microseconds.

// readNow reads from a connection that does not block. p is not empty. What is only
// for sockets knows its way: read and write are also for files, and a fifth slower
// in the kernel.
func readNow(fd int, p []byte) (int, error) {
	return transferNow(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

// writeNow writes to a connection that does not block. p is not empty.
func writeNow(fd int, p []byte) (int, error) {
	return transferNow(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func transferNow(call uintptr, fd int, p []byte, flags uintptr) (int, error) {
	n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
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

// yieldNow lets another thread run, if one waits for this processor.
func yieldNow() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
