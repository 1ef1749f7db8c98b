// Package trie is an immutable map from texts: a change makes a new map that
// shares all but a few nodes with the old one. So one goroutine can change it
// while any number read what they hold, without a lock and without copies.
//
// It is a hash array mapped trie in the compressed form of Steindorfer and
// Vinju (CHAMP, 2015): a node keeps its entries and its children apart, each
// found by a bitmap of 5 bits of the key's hash a level. A look-up among a
// million keys passes four nodes.
package trie

import (
	"iter"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// Map is an immutable map. The zero Map is empty.
type Map[V any] struct {
	root *node[V]
	n    int
}

const (
	levelBits = 5
	levelMask = 1<<levelBits - 1
	hashBits  = 64
)

// node holds entries and children by the bits of their level. Below the last
// level, where hashes are alike, it only lists entries and its bitmaps are 0.
type node[V any] struct {
	entryMap, childMap uint32
	entries            []entry[V]
	children           []*node[V]
}

type entry[V any] struct {
	key   string
	value V
}

// Len returns the number of keys.
func (m Map[V]) Len() int { return m.n }

// Get returns the value of a key.
func (m Map[V]) Get(key string) (value V, ok bool) {
	hash := xxh3.HashString(key)
	n := m.root
	for shift := uint(0); n != nil; shift += levelBits {
		if shift >= hashBits {
			for i := range n.entries {
				if n.entries[i].key == key {
					return n.entries[i].value, true
				}
			}
			return value, false
		}
		bit := bitAt(hash, shift)
		if n.entryMap&bit != 0 {
			if e := &n.entries[place(n.entryMap, bit)]; e.key == key {
				return e.value, true
			}
			return value, false
		}
		if n.childMap&bit == 0 {
			return value, false
		}
		n = n.children[place(n.childMap, bit)]
	}
	return value, false
}

// Set returns the map with a value for a key. It keeps key.
func (m Map[V]) Set(key string, value V) Map[V] {
	root := m.root
	if root == nil {
		root = &node[V]{}
	}
	root, added := root.set(xxh3.HashString(key), 0, entry[V]{key, value})
	m.root = root
	if added {
		m.n++
	}
	return m
}

// Delete returns the map without a key.
func (m Map[V]) Delete(key string) Map[V] {
	if m.root == nil {
		return m
	}
	root, removed := m.root.remove(xxh3.HashString(key), 0, key)
	if !removed {
		return m
	}
	m.root = root
	m.n--
	return m
}

// All returns the keys and values in an order that depends on the keys alone.
func (m Map[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if m.root != nil {
			m.root.each(yield)
		}
	}
}

func (n *node[V]) each(yield func(string, V) bool) bool {
	for i := range n.entries {
		if !yield(n.entries[i].key, n.entries[i].value) {
			return false
		}
	}
	for _, c := range n.children {
		if !c.each(yield) {
			return false
		}
	}
	return true
}

func bitAt(hash uint64, shift uint) uint32 { return 1 << (hash >> shift & levelMask) }

func place(bitmap, bit uint32) int { return bits.OnesCount32(bitmap & (bit - 1)) }

// set returns a copy of n with an entry.
func (n *node[V]) set(hash uint64, shift uint, e entry[V]) (out *node[V], added bool) {
	if shift >= hashBits {
		for i := range n.entries {
			if n.entries[i].key == e.key {
				return &node[V]{entries: replaced(n.entries, i, e)}, false
			}
		}
		return &node[V]{entries: inserted(n.entries, len(n.entries), e)}, true
	}
	c := *n
	bit := bitAt(hash, shift)
	switch {
	case n.entryMap&bit != 0:
		i := place(n.entryMap, bit)
		old := n.entries[i]
		if old.key == e.key {
			c.entries = replaced(n.entries, i, e)
			return &c, false
		}
		// Both go one level down.
		child := &node[V]{}
		child, _ = child.set(xxh3.HashString(old.key), shift+levelBits, old)
		child, _ = child.set(hash, shift+levelBits, e)
		c.entryMap &^= bit
		c.entries = without(n.entries, i)
		c.children = inserted(n.children, place(n.childMap, bit), child)
		c.childMap |= bit
		return &c, true
	case n.childMap&bit != 0:
		i := place(n.childMap, bit)
		child, added := n.children[i].set(hash, shift+levelBits, e)
		c.children = replaced(n.children, i, child)
		return &c, added
	}
	c.entries = inserted(n.entries, place(n.entryMap, bit), e)
	c.entryMap |= bit
	return &c, true
}

// remove returns a copy of n without a key. A child that is left with one entry
// becomes that entry, so that equal maps have equal shapes.
func (n *node[V]) remove(hash uint64, shift uint, key string) (out *node[V], removed bool) {
	if shift >= hashBits {
		for i := range n.entries {
			if n.entries[i].key == key {
				return &node[V]{entries: without(n.entries, i)}, true
			}
		}
		return n, false
	}
	c := *n
	bit := bitAt(hash, shift)
	switch {
	case n.entryMap&bit != 0:
		i := place(n.entryMap, bit)
		if n.entries[i].key != key {
			return n, false
		}
		c.entries = without(n.entries, i)
		c.entryMap &^= bit
		return &c, true
	case n.childMap&bit != 0:
		i := place(n.childMap, bit)
		child, removed := n.children[i].remove(hash, shift+levelBits, key)
		if !removed {
			return n, false
		}
		if len(child.children) > 0 || len(child.entries) > 1 {
			c.children = replaced(n.children, i, child)
			return &c, true
		}
		c.children = without(n.children, i)
		c.childMap &^= bit
		c.entries = inserted(n.entries, place(n.entryMap, bit), child.entries[0])
		c.entryMap |= bit
		return &c, true
	}
	return n, false
}

func replaced[T any](list []T, i int, v T) []T {
	out := append(make([]T, 0, len(list)), list...)
	out[i] = v
	return out
}

func inserted[T any](list []T, i int, v T) []T {
	out := append(make([]T, 0, len(list)+1), list[:i]...)
	return append(append(out, v), list[i:]...)
}

func without[T any](list []T, i int) []T {
	return append(append(make([]T, 0, len(list)-1), list[:i]...), list[i+1:]...)
}
