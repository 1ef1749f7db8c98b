package fold

import (
	"hash/fnv"
	"math/bits"
)

// Arm returns the arm of an experiment that a subject is in, 0 to arms−1. It
// depends on both names alone, so it stays: one subject is in independent arms
// of different experiments, and each arm gets an equal share of subjects.
func Arm(subject, experiment string, arms int) int {
	h := fnv.New64a()
	h.Write([]byte(experiment))
	h.Write([]byte{0})
	h.Write([]byte(subject))
	share, _ := bits.Mul64(spread(h.Sum64()), uint64(arms))
	return int(share)
}

// spread makes every bit depend on all bits: the high bits of FNV-1a hardly
// differ between texts that differ in their last characters. It is the finaliser
// of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
// generators").
func spread(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
