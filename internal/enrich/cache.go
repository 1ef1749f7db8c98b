package enrich

import (
	"hash/maphash"
	"sync"
)

// cacheShards spread the locks of a cache.
const cacheShards = 16

// cache keeps values by key, at most a number of them: of each shard two
// generations. When the younger is full the older is forgotten, so what is asked
// for often stays. Safe for concurrent use; a hit does not allocate.
type cache[K comparable, V any] struct {
	seed   maphash.Seed
	half   int // entries of one generation of a shard
	shards [cacheShards]struct {
		sync.RWMutex
		young, old map[K]*entry[K, V]
	}
}

// entry has its own key: the one that is asked for may be of memory that is
// used again.
type entry[K comparable, V any] struct {
	key   K
	value V
}

// newCache makes a cache of at most size values.
func newCache[K comparable, V any](size int) *cache[K, V] {
	c := &cache[K, V]{seed: maphash.MakeSeed(), half: max(size/(2*cacheShards), 1)}
	for i := range c.shards {
		c.shards[i].young = map[K]*entry[K, V]{}
	}
	return c
}

// get returns a value; ok is false if it is not kept.
func (c *cache[K, V]) get(key K) (value V, ok bool) {
	s := &c.shards[maphash.Comparable(c.seed, key)%cacheShards]
	s.RLock()
	found, young := s.young[key]
	if !young {
		found = s.old[key]
	}
	s.RUnlock()
	switch {
	case found == nil:
		return value, false
	case !young:
		c.keep(found)
	}
	return found.value, true
}

// put keeps a value.
func (c *cache[K, V]) put(key K, value V) { c.keep(&entry[K, V]{key, value}) }

func (c *cache[K, V]) keep(e *entry[K, V]) {
	s := &c.shards[maphash.Comparable(c.seed, e.key)%cacheShards]
	s.Lock()
	defer s.Unlock()
	if len(s.young) >= c.half {
		s.young, s.old = make(map[K]*entry[K, V], c.half), s.young
	}
	s.young[e.key] = e
}
