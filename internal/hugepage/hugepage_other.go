//go:build !linux || race || msan || asan

package hugepage

// Reserve does nothing here: outside Linux there is nothing to ask, and detectors of
// races and the like touch what is allocated.
func Reserve(int64) *Reserved { return nil }

// Reserved is never made here.
type Reserved struct{}

// Touch says that there is none.
func (*Reserved) Touch() (more bool, err error) { return false, nil }

// Advise does nothing here.
func Advise([]byte) {}
