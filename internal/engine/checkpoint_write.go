package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/viewid"
	"github.com/readership/readership/internal/event"
)

// write makes the table of one checkpoint beside the store and lets it be taken
// in, as a whole or not at all. After each key it rests, unless rest is nil.
func (c *checkpointer) write(h *head, changed []event.Fact, lines []ledgerSave, parts []*shardSave, rest func()) error {
	w := changes{rest: rest, room: c.room}
	for _, f := range changed {
		key, err := json.Marshal([]string{f.Kind, f.Site, f.Key})
		w.note(err)
		key = append([]byte{keyFact}, key...)
		if len(f.Value) == 0 {
			w.delete(key)
		} else {
			w.set(key, f.Value)
		}
	}
	w.ledger(dispatcherLedger, lines)
	for _, p := range parts {
		w.ledger(byte(p.number), p.lines)
		w.shard(p)
	}
	value, err := json.Marshal(h)
	w.note(err)
	w.set([]byte{keyHead}, value)
	if w.err != nil {
		return fmt.Errorf("write checkpoint: %w", w.err)
	}
	path := c.path + ".sst"
	size, err := w.table(path, c.format)
	c.room = w.room
	if cap(c.room) > mostRoom {
		c.room = nil
	}
	if err == nil {
		err = c.db.Ingest(context.Background(), []string{path})
	}
	if removed := os.Remove(path); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	c.every.Store(min(max(int64(size), minCheckpointEvery), maxCheckpointEvery))
	m := c.db.Metrics()
	c.cache.Store(m.BlockCache.Size + m.FileCache.Size + int64(m.MemTable.Size) + int64(cap(c.room)))
	return nil
}

// mostRoom bounds what is kept for the next checkpoint: the rows of most full blocks
// fit (6 MB), whose memory would otherwise be new, and touched for the first time, each
// time.
const mostRoom = 8 << 20

// partBytes is how much of a value of several parts is compressed at once.
const partBytes = 256 << 10

// bytesPerSync is how much of a table is sent to the disk at once while it is written: a
// commit of the log that meets all of it there waits as long. bytesPerWrite is how much
// is written between two rests.
const (
	bytesPerSync  = 512 << 10
	bytesPerWrite = 128 << 10
)

// restingFile rests after each part of what it writes.
type restingFile struct {
	objstorage.Writable
	rest func() // nil: never
}

// Write implements objstorage.Writable.
func (f *restingFile) Write(p []byte) error {
	for part := range slices.Chunk(p, bytesPerWrite) {
		if err := f.Writable.Write(part); err != nil {
			return err
		}
		if f.rest != nil {
			f.rest()
		}
	}
	return nil
}

// changes are the keys of one checkpoint. Values are made one at a time while
// the table is written: together they may take as much as what they describe.
type changes struct {
	keys  []change
	spans []span
	rest  func() // nil: never
	room  []byte // for the value that is made
	err   error
}

// change sets a key to what value appends to dst, or deletes it.
type change struct {
	key   []byte
	value func(dst []byte) []byte // nil: delete
	parts bool                    // one key each, numbered from 0, for so many bytes of the value
}

// span is a range of keys to delete; keys that are set in the same checkpoint
// stay.
type span struct{ from, to []byte }

func (w *changes) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *changes) set(key, value []byte) {
	w.make(key, func(dst []byte) []byte { return append(dst, value...) })
}

func (w *changes) make(key []byte, value func(dst []byte) []byte) {
	w.keys = append(w.keys, change{key: key, value: value})
}

func (w *changes) makeParts(key []byte, value func(dst []byte) []byte) {
	w.keys = append(w.keys, change{key, value, true})
}

func (w *changes) delete(key []byte) { w.keys = append(w.keys, change{key: key}) }

// table writes the sorted table and returns its size.
func (w *changes) table(path string, format sstable.WriterOptions) (size uint64, err error) {
	file, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, err
	}
	if w.rest != nil {
		file = vfs.NewSyncingFile(file, vfs.SyncingFileOptions{BytesPerSync: bytesPerSync})
	}
	t := sstable.NewWriter(&restingFile{objstorageprovider.NewFileWritable(file), w.rest}, format)
	if err := errors.Join(w.fill(t), t.Close()); err != nil {
		return 0, err
	}
	written, err := t.Metadata()
	if err != nil {
		return 0, err
	}
	return written.Size, nil
}

func (w *changes) fill(t *sstable.Writer) error {
	slices.SortFunc(w.spans, func(a, b span) int { return bytes.Compare(a.from, b.from) })
	for _, s := range w.spans {
		if err := t.DeleteRange(s.from, s.to); err != nil {
			return err
		}
	}
	slices.SortStableFunc(w.keys, func(a, b change) int { return bytes.Compare(a.key, b.key) })
	for i, k := range w.keys {
		w.keys[i] = change{} // what is written need not be kept
		var err error
		switch {
		case i+1 < len(w.keys) && bytes.Equal(k.key, w.keys[i+1].key):
			// What was said of a key last counts.
		case k.value == nil:
			err = t.Delete(k.key)
		default:
			err = w.fillValue(t, k)
		}
		if err != nil {
			return err
		}
		w.pause()
	}
	return nil
}

func (w *changes) fillValue(t *sstable.Writer, k change) error {
	w.room = k.value(w.room[:0])
	if !k.parts {
		return t.Set(k.key, w.room)
	}
	n := uint32(0)
	for part := range slices.Chunk(w.room, partBytes) {
		if err := t.Set(binary.BigEndian.AppendUint32(slices.Clip(k.key), n), part); err != nil {
			return err
		}
		n++
		w.pause()
	}
	return nil
}

// pause rests, if it is time for it.
func (w *changes) pause() {
	if w.rest != nil {
		w.rest()
	}
}

// dispatcherLedger stands for a shard's number in keys of the ledger.
const dispatcherLedger = 0xff

func (w *changes) ledger(shard byte, lines []ledgerSave) {
	for _, l := range lines {
		key, err := json.Marshal([]any{l.site, l.key.bucket, l.key.verdict, l.key.reason})
		w.note(err)
		key = append([]byte{keyLedger, shard}, key...)
		if l.n == 0 {
			w.delete(key)
		} else {
			w.set(key, binary.AppendUvarint(nil, l.n))
		}
	}
}

func (w *changes) shard(p *shardSave) {
	slices.Sort(p.gone)
	for _, site := range slices.Compact(p.gone) {
		for _, letter := range siteLetters {
			from := siteKey(letter, p.number, site)
			to := append(append([]byte(nil), from[:len(from)-1]...), 1)
			w.spans = append(w.spans, span{from, to})
		}
	}
	for i := range p.sites {
		s := &p.sites[i]
		w.site(p.number, s)
		if !slices.Contains(p.gone, s.id) {
			w.pastRows(p.number, s)
			w.pastIDs(keyIDs, p.number, s, s.ids)
			if s.people != nil {
				w.pastIDs(keyCopies, p.number, s, s.people.views)
			}
			w.pastPages(p.number, s)
		}
	}
}

func (w *changes) site(shard int, s *siteSave) {
	for _, id := range s.dropped {
		w.delete(numbered(keyAttention, shard, s.id, uint64(id)))
	}
	for _, blk := range s.blocks {
		w.makeParts(numbered(keyRows, shard, s.id, uint64(blk.ID)), blk.AppendRows)
		w.make(numbered(keyAttention, shard, s.id, uint64(blk.ID)), blk.AppendAttention)
	}
	for _, n := range s.noVisits {
		w.delete(numbered(keyVisits, shard, s.id, uint64(n)))
	}
	for _, c := range s.visits {
		w.make(numbered(keyVisits, shard, s.id, uint64(c.Number)), c.Append)
	}
	s.subjects.Each(func(part subject.Part, page int, value func(dst []byte) []byte) {
		w.make(pageKey(shard, s.id, part, uint32(page)), value)
	})
	for _, d := range s.dicts {
		key := binary.BigEndian.AppendUint32(numbered(keyDict, shard, s.id, uint64(d.column)), uint32(d.from))
		w.make(key, func(dst []byte) []byte { return block.AppendTexts(dst, d.view, d.from) })
	}
	s.burns.Each(func(page int, value func(dst []byte) []byte) {
		w.make(numbered(keyBurns, shard, s.id, uint64(page)), value)
	})
	w.ids(keyIDs, shard, s, s.ids)
	if p := s.people; p != nil {
		w.people(shard, s, p)
	}
	value, err := json.Marshal(&s.head)
	w.note(err)
	w.set(siteKey(keySite, shard, s.id), value)
}

func pageKey(shard int, site string, part subject.Part, page uint32) []byte {
	return binary.BigEndian.AppendUint32(append(siteKey(keyTable, shard, site), byte(part)), page)
}

// pastRows drops the parts that rows no longer have: those of blocks that are gone,
// and those that were there before what is written now.
func (w *changes) pastRows(shard int, s *siteSave) {
	ids := slices.Clone(s.dropped)
	for _, b := range s.blocks {
		ids = append(ids, b.ID)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		w.spans = append(w.spans, span{numbered(keyRows, shard, s.id, uint64(id)), numbered(keyRows, shard, s.id, uint64(id)+1)})
	}
}

// pastPages drops the pages that tables no longer have.
func (w *changes) pastPages(shard int, s *siteSave) {
	s.subjects.Ends(func(part subject.Part, pages int) {
		w.spans = append(w.spans, span{pageKey(shard, s.id, part, uint32(pages)), pageKey(shard, s.id, part, math.MaxUint32)})
	})
}

// people writes what changed of a site's accounts.
func (w *changes) people(shard int, s *siteSave, p *peopleSave) {
	page := func(part subject.Part, page int, value func(dst []byte) []byte) {
		w.make(pageKey(shard, s.id, part, uint32(page)), value)
	}
	p.devices.Each(subject.PartOfDevices, subject.PartDeviceNames, page)
	p.accounts.Each(subject.PartOfAccounts, subject.PartAccountNames, page)
	for _, n := range p.noVisits {
		w.delete(numbered(keyAccounts, shard, s.id, uint64(n)))
	}
	for _, c := range p.visits {
		w.make(numbered(keyAccounts, shard, s.id, uint64(c.Number)), c.Append)
	}
	w.ids(keyCopies, shard, s, p.views)
}

// ids appends the ids that were added, by hour.
func (w *changes) ids(letter byte, shard int, s *siteSave, list []viewid.Entry) {
	for len(list) > 0 {
		hour, n := list[0].Hour, 0
		for n < len(list) && list[n].Hour == hour {
			n++
		}
		added := list[:n]
		w.make(binary.BigEndian.AppendUint64(numbered(letter, shard, s.id, uint64(hour)), s.head.IDSequence), func(dst []byte) []byte {
			for _, id := range added {
				dst = binary.LittleEndian.AppendUint64(dst, id.Hash)
				dst = binary.LittleEndian.AppendUint32(dst, uint32(id.Row))
			}
			return dst
		})
		list = list[n:]
	}
}

// pastIDs drops the ids of hours that have passed.
func (w *changes) pastIDs(letter byte, shard int, s *siteSave, list []viewid.Entry) {
	if n := len(list); n > 0 && list[n-1].Hour > viewid.Hours+1 {
		before := uint64(list[n-1].Hour - viewid.Hours - 1)
		w.spans = append(w.spans, span{numbered(letter, shard, s.id, 0), numbered(letter, shard, s.id, before)})
	}
}
