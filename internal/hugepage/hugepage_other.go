//go:build !linux || race || msan || asan

package hugepage

// Reserve does nothing here: outside Linux there is nothing to ask, and detectors of
// races and the like touch what is allocated.
func Reserve(int64) *Reserved { return nil }

// Reserved is never made here.
type Reserved struct{}

// Touch reports that there is nothing more.
func (*Reserved) Touch() bool { return false }

// Advise does nothing here.
func Advise([]byte) {}
