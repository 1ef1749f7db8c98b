package eventlog

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

func drawBlock(t *rapid.T) journalBlock {
	from := rapid.Uint64Range(0, 1<<40).Draw(t, "from")
	b := journalBlock{
		from:  event.Position(from),
		to:    event.Position(from + rapid.Uint64Range(0, 9).Draw(t, "length")),
		stamp: rapid.Int64().Draw(t, "stamp"),
		ids:   []byte{},
	}
	for range rapid.IntRange(0, 20).Draw(t, "ids") {
		b.ids = binary.LittleEndian.AppendUint64(b.ids, rapid.Uint64().Draw(t, "id"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "clocks") {
		b.clocks = append(b.clocks, siteClock{rapid.StringN(0, 20, 40).Draw(t, "site"), rapid.Int64().Draw(t, "now")})
	}
	return b
}

func TestJournalBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		data := appendBlock(nil, &b)
		var got journalBlock
		n, err := readBlock(append(slices.Clone(data), "what follows"...), &got)
		if err != nil || n != len(data) {
			t.Fatal(n, err)
		}
		if diff := cmp.Diff(b, got, cmp.AllowUnexported(journalBlock{}, siteClock{})); diff != "" {
			t.Fatal(diff)
		}
		data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		if _, err := readBlock(data, &got); err == nil {
			t.Fatal("a damaged block was read")
		}
	})
}

func FuzzJournal(f *testing.F) {
	block := appendBlock(nil, &journalBlock{from: 1, to: 5, stamp: math.MaxInt64, ids: make([]byte, 16), clocks: []siteClock{{"news", -1}}})
	f.Add(block)
	f.Add(appendJournalHeader(nil, 498670, -1))
	f.Add(append(appendJournalHeader(nil, 1, 0), block...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if hour, before, err := readJournalHeader(data); err == nil {
			if again := appendJournalHeader(nil, hour, before); string(again) != string(data[:journalHeader]) {
				t.Fatal("a header is not what it is read as")
			}
		}
		// The checksum would keep the fuzzer out.
		if len(data) >= blockHeader {
			fixed := slices.Clone(data)
			seal := fixed[blockHeader:]
			binary.LittleEndian.PutUint32(fixed, uint32(len(seal)))
			binary.LittleEndian.PutUint32(fixed[4:], checksum(seal))
			data = fixed
		}
		var b journalBlock
		n, err := readBlock(data, &b)
		if err != nil {
			if !errors.Is(err, errBlock) {
				t.Fatal(err)
			}
			return
		}
		if n > len(data) || b.from > b.to || len(b.ids)%8 != 0 {
			t.Fatal(n, b)
		}
		if again := appendBlock(nil, &b); len(again) > n {
			t.Fatal("a block is read as more than it holds")
		}
	})
}

// TestJournalFull gives up on a journal that cannot be written, and does not
// leave one behind that lacks something.
func TestJournalFull(t *testing.T) {
	dir := t.TempDir()
	forgotten := 0
	open := func(last event.Position) (*journal, []uint64) {
		var ids []uint64
		j, err := openJournal(dir, last, quiet, func(_ int64, b *journalBlock) {
			for i := 0; i < len(b.ids); i += 8 {
				ids = append(ids, leUint64(b.ids[i:]))
			}
		}, func() { ids = nil; forgotten++ })
		if err != nil {
			t.Fatal(err)
		}
		return j, ids
	}
	j, _ := open(0)
	hour := int64(498670) * hourMillis
	j.add(1, hour, []uint64{1}, nil)
	j.flush()
	whole := j.file
	readOnly, err := os.Open(j.path(j.hour))
	if err != nil {
		t.Fatal(err)
	}
	j.file = readOnly
	j.add(2, hour+1, []uint64{2}, nil)
	j.flush() // fails
	j.file = whole
	j.add(3, hour+2, []uint64{3}, nil)
	j.close() // writes both
	j, ids := open(3)
	if !slices.Equal(ids, []uint64{1, 2, 3}) || j.to != 3 {
		t.Errorf("the journal holds %v up to %s", ids, j.to)
	}
	_ = j.file.Close()
	if j.file, err = os.Open(j.path(j.hour)); err != nil {
		t.Fatal(err)
	}
	j.add(4, hour+3, []uint64{4}, nil)
	j.add(5, hour+hourMillis, []uint64{5}, nil) // the hour ends and 4 is not written
	if !j.broken {
		t.Error("the journal goes on without an id")
	}
	j.close()
	if _, ids := open(5); len(ids) > 0 {
		t.Errorf("the journal still holds %v", ids)
	}
	_ = readOnly.Close()
}

// TestJournalCutAtHeader cuts a file to its header: what is written into it
// afterwards must hold the clocks of the files before it, which are dropped.
func TestJournalCutAtHeader(t *testing.T) {
	dir := t.TempDir()
	clocks := map[string]int64{}
	open := func(last event.Position) *journal {
		clear(clocks)
		j, err := openJournal(dir, last, quiet, func(_ int64, b *journalBlock) {
			for _, c := range b.clocks {
				clocks[c.site] = c.now
			}
		}, func() { clear(clocks) })
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	const hour = 498670
	j := open(0)
	j.add(1, hour*hourMillis, []uint64{1}, []siteClock{{"replay", 7}})
	j.add(2, (hour+1)*hourMillis, []uint64{2}, nil)
	j.close()
	if err := os.Truncate(j.path(hour+1), int64(journalHeader)); err != nil {
		t.Fatal(err)
	}
	j = open(2)
	if j.to != 1 {
		t.Fatalf("the journal ends at %s", j.to)
	}
	j.add(2, (hour+1)*hourMillis, []uint64{2}, nil)
	j.add(3, (hour+60)*hourMillis, []uint64{3}, nil)
	j.close()
	j = open(3)
	defer j.close()
	if j.to != 3 || clocks["replay"] != 7 {
		t.Errorf("the journal ends at %s with clocks %v", j.to, clocks)
	}
}
