package engine

// What asks about every reader of a view, one after the other, goes through the
// subjects of each shard: names need not be looked up, and one Rows will do.

// ReaderAt returns the reader with an ordinal of a shard, below that of
// ShardView.Subjects.Len; ok is false if it was erased. The view was asked for
// with Engine.Readers.
func (v *View) ReaderAt(shard int, ordinal uint32) (r Reader, ok bool) {
	s := v.Shards[shard]
	own := s.Subjects.Name(ordinal)
	if own == "" {
		return Reader{}, false
	}
	r = v.about(ReaderName(own), own)
	r.view, r.ordinal, r.found = s, ordinal, true
	r.seen(s.Subjects.Subjects.At(int(ordinal)))
	return r, true
}

// SharedDevices returns the ordinals of the devices on which an account was
// proven; nil where the site has no accounts.
func (s *ShardView) SharedDevices() map[uint32]bool {
	if s.Readers == nil || s.Readers.devices.Len() == 0 {
		return nil
	}
	out := map[uint32]bool{}
	for n := range s.Readers.devices.Len() {
		if pair, ok := s.Readers.devices.At(n); ok {
			out[pair.Owner] = true
		}
	}
	return out
}

// FirstDevices returns what Reader.FirstDevice says of each account of the
// shard, by the account's ordinal.
func (s *ShardView) FirstDevices() map[uint32]string {
	out := map[uint32]string{}
	if s.Readers == nil {
		return out
	}
	for n := range s.Readers.accounts.Len() {
		pair, ok := s.Readers.accounts.At(n)
		if _, known := out[pair.Owner]; ok && !known {
			out[pair.Owner] = ReaderName(s.Readers.accounts.Name(n))
		}
	}
	return out
}
