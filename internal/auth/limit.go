package auth

import (
	"sync"
	"time"
)

// Limiter counts attempts by name (an address, an e-mail) and refuses a name
// that makes too many: Burst at once, then one every Every. It remembers
// MaxNames names; past that the ones that have recovered go, and while none
// has, new names are refused.
type Limiter struct {
	Burst    int
	Every    time.Duration
	MaxNames int
	Now      func() time.Time

	mu    sync.Mutex
	names map[string]time.Time // when the name's bucket is full again
}

// Allow counts an attempt. When it is refused, wait says how long until the
// next one would be allowed; refused attempts do not count.
func (l *Limiter) Allow(name string) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	if l.names == nil {
		l.names = map[string]time.Time{}
	}
	full, known := l.names[name]
	if !known && len(l.names) >= l.MaxNames {
		for n, t := range l.names {
			if !t.After(now) {
				delete(l.names, n)
			}
		}
		if len(l.names) >= l.MaxNames {
			return l.Every, false
		}
	}
	if full.Before(now) {
		full = now
	}
	// A full bucket holds Burst attempts; each empties it by Every.
	full = full.Add(l.Every)
	if excess := full.Sub(now) - time.Duration(l.Burst)*l.Every; excess > 0 {
		return excess, false
	}
	l.names[name] = full
	return 0, true
}

// Forgive forgets a name's attempts, after one that succeeded.
func (l *Limiter) Forgive(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, name)
}
