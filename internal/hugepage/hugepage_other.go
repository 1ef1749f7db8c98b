//go:build !linux || race || msan || asan

package hugepage

// Reserve does nothing here, and reports so: outside Linux there is nothing to
// ask, and detectors of races and the like touch what is allocated.
func Reserve(int64) bool { return false }

// Advise does nothing here.
func Advise([]byte) {}
