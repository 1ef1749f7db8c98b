package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/readership/readership/internal/event"
)

// Bounds of what waits to be written to the journal.
const (
	journalFlush = 64 << 10
	journalGiven = 8 << 20 // after this much could not be written, it is given up
)

// journal keeps what the committer learned from the log, one file an hour of
// log time, so that a restart need not read 48 hours of log. It is written
// behind the log and never ahead of it; it is not synced, since blocks name the
// positions between which they were written: a lost one breaks the chain, and
// the log is read from there. Owned by the gatherer.
type journal struct {
	dir    string
	logger *slog.Logger

	file   *os.File
	hour   int64 // of file
	offset int64 // end of the good blocks of file
	before int64 // hour of the file before, -1: none

	from, to event.Position // what pending covers
	stamp    int64
	ids      []byte
	pending  []siteClock
	clocks   map[string]int64 // every clock; the first block of a file has them all
	buffer   []byte

	broken  bool // given up until the next start
	closing sync.WaitGroup
}

// openJournal opens the journal in dir and passes what it holds to learn, hours
// in order. last is the log's last position. Where the journal lacks something
// of the last keepHours or does not belong to the log, it calls forget and
// begins anew.
func openJournal(dir string, last event.Position, logger *slog.Logger, learn func(hour int64, b *journalBlock), forget func()) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create id journal: %w", err)
	}
	j := &journal{dir: dir, logger: logger, before: -1, clocks: make(map[string]int64)}
	hours, err := j.list()
	if err != nil {
		return nil, err
	}
	good, missing := 0, int64(-1)
	for whole := true; whole && good < len(hours); {
		var before int64
		before, whole, err = j.load(hours[good], learn)
		if errors.Is(err, errJournalHeader) {
			break
		}
		if err != nil {
			j.close()
			return nil, err
		}
		if good == 0 {
			missing = before
		}
		good++
	}
	if good == 0 || j.to == 0 || j.to > last || (missing >= 0 && missing >= j.hour-keepHours) {
		good = 0
		j.close()
		*j = journal{dir: dir, logger: logger, before: -1, clocks: make(map[string]int64)}
		forget()
	}
	for _, hour := range hours[good:] {
		if err := os.Remove(j.path(hour)); err != nil {
			j.close()
			return nil, fmt.Errorf("remove id journal of hour %d: %w", hour, err)
		}
	}
	return j, nil
}

func (j *journal) path(hour int64) string {
	return filepath.Join(j.dir, "ids-"+strconv.FormatInt(hour, 10)+".journal")
}

// list returns the hours of the files in dir, in order.
func (j *journal) list() ([]int64, error) {
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fmt.Errorf("list id journal: %w", err)
	}
	var hours []int64
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "ids-")
		text, ok2 := strings.CutSuffix(text, ".journal")
		hour, err := strconv.ParseInt(text, 10, 64)
		if ok && ok2 && err == nil && hour >= 0 && j.path(hour) == filepath.Join(j.dir, e.Name()) {
			hours = append(hours, hour)
		}
	}
	slices.Sort(hours)
	return hours, nil
}

// load passes the blocks of the next file to learn, as long as each begins
// where the one before ended, and leaves the file open behind them. before is
// the hour of the file that came before this; whole says that no bytes were
// left over. A file that does not follow the last one, or begins with damage,
// fails with errJournalHeader.
func (j *journal) load(hour int64, learn func(int64, *journalBlock)) (before int64, whole bool, err error) {
	data, err := os.ReadFile(j.path(hour))
	if err != nil {
		return 0, false, fmt.Errorf("read id journal: %w", err)
	}
	named, before, err := readJournalHeader(data)
	if err != nil {
		return 0, false, err
	}
	if named != hour || (j.file != nil && before != j.hour) {
		return 0, false, fmt.Errorf("%w: it does not follow hour %d", errJournalHeader, j.hour)
	}
	anywhere := j.file == nil && before >= 0
	var first journalBlock
	if _, err := readBlock(data[journalHeader:], &first); err != nil || (first.from != j.to && !anywhere) {
		// Without its first block a file lacks the clocks of those before it.
		return 0, false, fmt.Errorf("%w: its first block is missing", errJournalHeader)
	}
	file, err := os.OpenFile(j.path(hour), os.O_RDWR, 0o600)
	if err != nil {
		return 0, false, fmt.Errorf("open id journal: %w", err)
	}
	offset := journalHeader
	var b journalBlock
	for offset < len(data) {
		n, err := readBlock(data[offset:], &b)
		if err != nil || (b.from != j.to && !anywhere) {
			break
		}
		for _, c := range b.clocks {
			j.note(c)
		}
		anywhere, j.to, j.from, j.stamp = false, b.to, b.to, max(j.stamp, b.stamp)
		learn(hour, &b)
		offset += n
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.before, j.hour, j.offset = file, hour, hour, int64(offset)
	if whole = offset == len(data); !whole {
		if err := file.Truncate(int64(offset)); err != nil {
			return 0, false, fmt.Errorf("cut id journal: %w", err)
		}
	}
	return before, whole, nil
}

// add notes what the commit at a position taught.
func (j *journal) add(pos event.Position, stamp int64, ids []uint64, clocks []siteClock) {
	if j.broken {
		return
	}
	if hour := stamp / hourMillis; hour != j.hour || j.file == nil {
		j.flush()
		j.roll(hour)
		if j.broken {
			return
		}
	}
	for _, id := range ids {
		j.ids = binary.LittleEndian.AppendUint64(j.ids, id)
	}
	for _, c := range clocks {
		j.note(c)
		j.pending = append(j.pending, c)
	}
	j.to, j.stamp = pos, max(j.stamp, stamp)
	if len(j.ids) >= journalFlush {
		j.flush()
	}
}

// note keeps the latest of each clock.
func (j *journal) note(c siteClock) {
	if c.now == clockForgotten {
		delete(j.clocks, c.site)
		return
	}
	j.clocks[c.site] = c.now
}

// flush writes what waits. A failure is tried again by the next flush.
func (j *journal) flush() {
	if j.broken || j.file == nil || j.to == j.from {
		return
	}
	j.buffer = appendBlock(j.buffer[:0], &journalBlock{from: j.from, to: j.to, stamp: j.stamp, ids: j.ids, clocks: j.pending})
	if _, err := j.file.WriteAt(j.buffer, j.offset); err != nil {
		j.logger.Warn("id journal: write", "error", err)
		if len(j.ids) > journalGiven {
			j.giveUp(err)
		}
		return
	}
	j.offset += int64(len(j.buffer))
	j.from = j.to
	j.ids, j.pending = j.ids[:0], j.pending[:0]
}

// roll begins the file of an hour and drops files that are out of date. Its
// first block holds every clock.
func (j *journal) roll(hour int64) {
	if j.from != j.to {
		j.giveUp(errors.New("the hour ended before it could be written"))
		return
	}
	all := make([]siteClock, 0, len(j.clocks))
	for site, now := range j.clocks {
		all = append(all, siteClock{site, now})
	}
	slices.SortFunc(all, func(a, b siteClock) int { return strings.Compare(a.site, b.site) })
	buffer := appendJournalHeader(nil, hour, j.before)
	buffer = appendBlock(buffer, &journalBlock{from: j.from, to: j.from, stamp: j.stamp, clocks: all})
	file, err := os.OpenFile(j.path(hour), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err == nil {
		if _, err = file.WriteAt(buffer, 0); err != nil {
			_ = file.Close()
		}
	}
	if err != nil {
		j.giveUp(err)
		return
	}
	if old := j.file; old != nil {
		j.closing.Go(func() {
			if err := old.Sync(); err != nil {
				j.logger.Warn("id journal: sync", "error", err)
			}
			_ = old.Close()
		})
	}
	j.file, j.hour, j.before, j.offset = file, hour, hour, int64(len(buffer))
	hours, err := j.list()
	for _, old := range hours {
		if err == nil && old < hour-keepHours-1 {
			err = os.Remove(j.path(old))
		}
	}
	if err != nil {
		j.logger.Warn("id journal: drop old hours", "error", err)
	}
}

// giveUp ends the journal until the next start, which reads the log instead.
func (j *journal) giveUp(cause error) {
	j.logger.Error("id journal: given up, the next start reads the log", "error", cause)
	j.broken = true
	j.ids, j.pending, j.buffer = nil, nil, nil
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	hours, _ := j.list()
	for _, hour := range hours {
		_ = os.Remove(j.path(hour))
	}
}

// close writes what waits, syncs and closes.
func (j *journal) close() {
	j.flush()
	if j.file != nil {
		if err := j.file.Sync(); err != nil {
			j.logger.Warn("id journal: sync", "error", err)
		}
		_ = j.file.Close()
		j.file = nil
	}
	j.closing.Wait()
}
