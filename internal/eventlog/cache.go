package eventlog

// blockBytes is the size of the log server's blocks of a part.
const blockBytes = 8 << 20

// CacheBytes returns the most that the log server keeps in memory of the log:
// the block that is being written. It lets go of it after 10 s without a write,
// and of earlier blocks as soon as they are full. An external server keeps nothing
// of it here.
func (l *Log) CacheBytes() int64 {
	if l.cfg.External != nil {
		return 0
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if n := len(l.parts); n > 0 {
		return min(l.parts[n-1].bytes, blockBytes)
	}
	return 0
}
