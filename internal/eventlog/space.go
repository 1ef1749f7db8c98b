package eventlog

import "fmt"

// Margins of the size limit that applies without Config.Max, and of the room
// that always stays free. The small ones are for disks of a few megabytes.
const (
	maxMargin  = 10 << 30
	minReserve = 2 << 20
	maxReserve = 256 << 20

	// smallCommit is what a log with room has room for.
	smallCommit = 4 << 10
)

// reserve is the room that stays free on a disk of total bytes.
func (l *Log) reserve(total int64) int64 {
	if l.cfg.MinFree > 0 {
		return l.cfg.MinFree
	}
	return min(max(total/20, minReserve), maxReserve)
}

// room returns nil if n more bytes fit into the log of held bytes, else an
// error that wraps ErrDiskFull.
func (l *Log) room(held, n int64) error {
	free, total, err := l.cfg.free()
	if err != nil {
		return fmt.Errorf("ask for free space of the log: %w", err)
	}
	if keep := l.reserve(total); free-n < keep {
		return fmt.Errorf("%w: %d bytes are free, %d of them stay free", ErrDiskFull, free, keep)
	}
	if l.cfg.Max > 0 {
		if held+n > l.cfg.Max {
			return fmt.Errorf("%w: it holds %d of %d bytes", ErrDiskFull, held, l.cfg.Max)
		}
		return nil
	}
	if margin := min(int64(maxMargin), (free+held)/10); free-n < margin {
		return fmt.Errorf("%w: %d bytes are free, %d of them stay free", ErrDiskFull, free, margin)
	}
	return nil
}

// exhausted says that the disk is so full that a write under way may be lost.
func (l *Log) exhausted() bool {
	free, total, err := l.cfg.free()
	return err == nil && free < l.reserve(total)/2
}
