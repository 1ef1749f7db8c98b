package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/readership/readership/internal/event"
)

// The journal's format is described in docs/format/log.md.
const (
	journalMagic  = "rdrids01"
	journalHeader = len(journalMagic) + 8 + 8 + 4
	blockHeader   = 8
	blockFixed    = 8 + 8 + 8 + 4 + 4
	maxBlock      = 64 << 20 // payload bytes
)

var (
	errJournalHeader = errors.New("journal header is damaged")
	errBlock         = errors.New("journal block is cut or damaged")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// siteClock is the clock of a site whose clock is "event".
type siteClock struct {
	site string
	now  int64
}

// journalBlock is what the commits in (from, to] taught.
type journalBlock struct {
	from, to event.Position
	stamp    int64 // greatest
	ids      []byte
	clocks   []siteClock
}

// appendJournalHeader begins a file: the hour of its ids, and the hour of the
// file before it (-1: none).
func appendJournalHeader(dst []byte, hour, before int64) []byte {
	start := len(dst)
	dst = append(dst, journalMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(hour))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(before))
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

// readJournalHeader reads what appendJournalHeader wrote.
func readJournalHeader(data []byte) (hour, before int64, err error) {
	if len(data) < journalHeader || string(data[:len(journalMagic)]) != journalMagic ||
		binary.LittleEndian.Uint32(data[journalHeader-4:]) != checksum(data[:journalHeader-4]) {
		return 0, 0, errJournalHeader
	}
	rest := data[len(journalMagic):]
	return int64(binary.LittleEndian.Uint64(rest)), int64(binary.LittleEndian.Uint64(rest[8:])), nil
}

// appendBlock appends a block with its length and checksum.
func appendBlock(dst []byte, b *journalBlock) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, blockHeader)...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.from))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.to))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.stamp))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.ids)/8))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.clocks)))
	dst = append(dst, b.ids...)
	for _, c := range b.clocks {
		dst = binary.AppendUvarint(dst, uint64(len(c.site)))
		dst = append(dst, c.site...)
		dst = binary.AppendVarint(dst, c.now)
	}
	payload := dst[start+blockHeader:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[start+4:], checksum(payload))
	return dst
}

// readBlock reads the first block of data into b and returns its bytes. b.ids
// shares data. An error wraps errBlock.
func readBlock(data []byte, b *journalBlock) (n int, err error) {
	if len(data) < blockHeader+blockFixed {
		return 0, errBlock
	}
	size := int(binary.LittleEndian.Uint32(data))
	if size < blockFixed || size > maxBlock || size > len(data)-blockHeader {
		return 0, errBlock
	}
	p := data[blockHeader : blockHeader+size]
	if checksum(p) != binary.LittleEndian.Uint32(data[4:]) {
		return 0, errBlock
	}
	b.from = event.Position(binary.LittleEndian.Uint64(p))
	b.to = event.Position(binary.LittleEndian.Uint64(p[8:]))
	b.stamp = int64(binary.LittleEndian.Uint64(p[16:]))
	ids := int(binary.LittleEndian.Uint32(p[24:]))
	clocks := int(binary.LittleEndian.Uint32(p[28:]))
	p = p[blockFixed:]
	if b.from > b.to || ids > len(p)/8 || clocks > len(p)-8*ids {
		return 0, fmt.Errorf("%w: its counts do not fit", errBlock)
	}
	b.ids, p = p[:8*ids], p[8*ids:]
	b.clocks = b.clocks[:0]
	for range clocks {
		length, k := binary.Uvarint(p)
		if k <= 0 || length > uint64(len(p)-k) {
			return 0, fmt.Errorf("%w: a clock's site is cut", errBlock)
		}
		site := string(p[k : k+int(length)])
		p = p[k+int(length):]
		now, k := binary.Varint(p)
		if k <= 0 {
			return 0, fmt.Errorf("%w: a clock is cut", errBlock)
		}
		p = p[k:]
		b.clocks = append(b.clocks, siteClock{site, now})
	}
	if len(p) != 0 {
		return 0, fmt.Errorf("%w: %d bytes are left over", errBlock, len(p))
	}
	return blockHeader + size, nil
}
