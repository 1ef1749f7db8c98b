package subject

import "github.com/zeebo/xxh3"

// Hash is the hash of a subject's name by which it is found and routed: the
// partition of a subject is its highest 6 bits of Hash(site, name) mixed with
// the site. It is part of the log's meaning in a cluster and never changes.
func Hash(name string) uint64 { return xxh3.HashString(name) }

// Partitions is the number of hash slots.
const Partitions = 64

// Partition returns the slot of a hash, by bits that the index does not use to
// choose a table, so that the tables of a shard fill evenly.
func Partition(hash uint64) int { return int(hash>>48) & (Partitions - 1) }
