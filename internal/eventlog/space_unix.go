//go:build unix

package eventlog

import "golang.org/x/sys/unix"

// diskSpace returns the bytes of dir's file system that are free to an
// ordinary user, and its size.
func diskSpace(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	unit := int64(st.Bsize)
	return int64(st.Bavail) * unit, int64(st.Blocks) * unit, nil
}
