package subject

// Touch reads what Get and AddRow will read of the subjects with these hashes,
// stage by stage, so that the cache misses of many rows overlap instead of
// following one another. It changes nothing, fills in the n newest visits it
// met on the way, and returns a sum that keeps the reads from being dropped.
func (t *Table) Touch(hashes []uint64, visits *[TouchRows]uint32) (n int, sum uint64) {
	var ordinals [TouchRows]uint32
	for _, h := range hashes[:min(len(hashes), TouchRows)] {
		h = t.index.mix(h)
		s := &t.index.tables[h>>(64-indexBits)]
		if s.n == 0 {
			continue
		}
		// A probe or two: most subjects are near their place.
		i := s.start(uint32(h))
		slot := s.slots[i]
		if uint32(slot>>32) != uint32(h) && i+1 < len(s.slots) {
			slot = s.slots[i+1]
		}
		if slot != 0 && uint32(slot>>32) == uint32(h) {
			ordinals[n] = uint32(slot) - 1
			n++
		}
	}
	var names, chains [TouchRows]uint32
	for i, o := range ordinals[:n] {
		s := t.subjects.Ptr(int(o))
		names[i], chains[i], visits[i] = s.name, s.chain, s.Visit
		if s.name == noName {
			names[i] = 0
		}
	}
	for i := range n {
		page := t.names.pages[names[i]>>16]
		sum += uint64(page[names[i]&0xffff])
		if chains[i] == 0 {
			continue
		}
		switch class, place := split(chains[i]); class {
		case classSmall:
			sum += uint64(t.chains.small.chunks.Ptr(int(place))[0])
		case classMedium:
			sum += uint64(t.chains.medium.chunks.Ptr(int(place))[0])
		default:
			sum += uint64(t.chains.large.chunks.Ptr(int(place))[0])
		}
	}
	return n, sum
}

// TouchRows is how many hashes Touch takes at a time.
const TouchRows = 64
