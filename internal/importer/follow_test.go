package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/client"
)

// rotating is a log as a server and logrotate treat it. Times of files are those
// of its own clock, so that no test depends on how fine the file system's are.
type rotating struct {
	fatal   func(...any)
	path    string
	writer  *os.File // what the server writes to
	writing *bytes.Buffer
	whole   []*bytes.Buffer // what every file of the log held, one after the other
	clock   time.Time
	lines   int
}

func newRotating(fatal func(...any), folder string) *rotating {
	l := &rotating{fatal: fatal, path: filepath.Join(folder, "access.log"), clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	l.reopen()
	return l
}

func (l *rotating) must(err error) {
	if err != nil {
		l.fatal(err)
	}
}

// touch lets a file have been written to now.
func (l *rotating) touch(name string) {
	l.clock = l.clock.Add(time.Second)
	l.must(os.Chtimes(name, l.clock, l.clock))
}

// reopen makes the server open the file of the log's name.
func (l *rotating) reopen() {
	if l.writer != nil {
		l.must(l.writer.Close())
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	l.must(err)
	l.writer = f
	l.begin()
	l.touch(l.path)
}

func (l *rotating) begin() {
	l.writing = new(bytes.Buffer)
	l.whole = append(l.whole, l.writing)
}

func (l *rotating) write(text string) {
	_, err := l.writer.WriteString(text)
	l.must(err)
	l.writing.WriteString(text)
	name := l.path
	if here, err := os.Stat(name); err != nil {
		name += ".1"
	} else if own, _ := l.writer.Stat(); !os.SameFile(here, own) {
		name += ".1"
	}
	l.touch(name)
}

// line is one that no other file has; every third is written twice.
func (l *rotating) line() string {
	l.lines++
	return fmt.Sprintf("1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /%d/%d HTTP/1.1\" 200 1 \"-\" \"a\"\n", len(l.whole), l.lines/3*3)
}

// shift makes room for access.log.1.
func (l *rotating) shift() {
	for n := 20; n > 0; n-- {
		for _, end := range []string{"", ".gz"} {
			err := os.Rename(fmt.Sprintf("%s.%d%s", l.path, n, end), fmt.Sprintf("%s.%d%s", l.path, n+1, end))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				l.fatal(err)
			}
		}
	}
}

// rename rotates; the server writes to the old file until it reopens.
func (l *rotating) rename() {
	l.shift()
	l.must(os.Rename(l.path, l.path+".1"))
}

// copyTruncate rotates behind the server's back.
func (l *rotating) copyTruncate() {
	l.shift()
	text, err := os.ReadFile(l.path)
	l.must(err)
	l.must(os.WriteFile(l.path+".1", text, 0o600))
	l.touch(l.path + ".1")
	l.must(os.Truncate(l.path, 0))
	l.begin()
	l.touch(l.path)
}

// compress compresses a rotated file and keeps its time, as gzip does.
func (l *rotating) compress(n int) {
	name := fmt.Sprintf("%s.%d", l.path, n)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	l.must(err)
	info, err := os.Stat(name)
	l.must(err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(text)
	_ = z.Close()
	l.must(os.WriteFile(name+".gz", packed.Bytes(), 0o600))
	l.must(os.Chtimes(name+".gz", info.ModTime(), info.ModTime()))
	l.must(os.Remove(name))
}

// ids are those of the events of every file that the log was.
func (l *rotating) ids() map[string]bool {
	ids := make(map[string]bool)
	for _, file := range l.whole {
		t := requestEvents{parser: Parser{Format: Combined}, typ: "request"}
		for line := range strings.Lines(file.String()) {
			event, _, err := t.translate(nil, []byte(strings.TrimSuffix(line, "\n")))
			l.must(err)
			ids[string(event[len(`{"id":"`):][:idLen])] = true
		}
	}
	return ids
}

// following runs a follower; each time it would wait, step is called, which
// stops it by returning false.
func following(fatal func(...any), s *server, o Options, step func() bool) (out, errs string, err error) {
	web := httptest.NewServer(s)
	defer web.Close()
	c, err := client.New(web.URL, "key")
	if err != nil {
		fatal(err)
	}
	defer c.Close()
	// The name of a server is part of a position's, and the port another each time.
	entries, _ := os.ReadDir(o.Positions)
	for _, e := range entries {
		if err := os.Rename(filepath.Join(o.Positions, e.Name()), positionsFile(o.Positions, c.Server(), "news", o.Files[0])); err != nil {
			fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Site, o.Out, o.Err = "news", &stdout, &stderr
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	o.Wait = func(context.Context, time.Duration) error {
		now = now.Add(10 * time.Second)
		if !step() {
			cancel()
		}
		return ctx.Err()
	}
	_, err = Follow(ctx, c, o)
	return stdout.String(), stderr.String(), err
}

// TestFollowLosesAndDoublesNothing: whatever happens to a log, and however often
// its follower is stopped, each line is sent once.
func TestFollowLosesAndDoublesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		folder, err := os.MkdirTemp("", "follow")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		log := newRotating(t.Fatal, folder)
		defer func() { log.writer.Close() }()
		s := &server{site: wallSite, ids: make(map[string]bool)}
		o := Options{Files: []string{log.path}, Positions: filepath.Join(folder, "positions"), PartSize: rapid.SampledFrom([]int{300, 1 << 20}).Draw(t, "part")}
		open := "" // the rest of a line of which half is written
		write := func(text string) { log.write(open + text); open = "" }
		act := func() {
			renamed := !exists(log.path)
			switch rapid.IntRange(0, 9).Draw(t, "action") {
			case 0, 1, 2:
				for range rapid.IntRange(1, 8).Draw(t, "lines") {
					write(log.line())
				}
			case 3:
				if open == "" {
					line := log.line()
					log.write(line[:len(line)-8]) // with what tells it from others
					open = line[len(line)-8:]
				}
			case 4, 5:
				if !renamed && open == "" {
					log.rename()
				}
			case 6:
				if renamed && open == "" {
					log.reopen()
				}
			case 7:
				if !renamed && open == "" {
					log.copyTruncate()
				}
			case 8:
				if !renamed {
					log.compress(rapid.IntRange(1, 3).Draw(t, "rotated"))
				}
			case 9:
				s.refuse = rapid.IntRange(0, 1).Draw(t, "refuse")
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			polls := rapid.IntRange(0, 6).Draw(t, "polls")
			_, errs, err := following(t.Fatal, s, o, func() bool {
				if polls--; polls < 0 {
					return false
				}
				for range rapid.IntRange(0, 4).Draw(t, "actions") {
					act()
				}
				return true
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, errs)
			}
			for range rapid.IntRange(0, 8).Draw(t, "meanwhile") {
				act()
			}
		}
		if open != "" {
			write("")
		}
		polls := 8
		out, errs, err := following(t.Fatal, s, o, func() bool { polls--; return polls > 0 })
		if err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(log.ids())), slices.Sorted(maps.Keys(s.ids))); diff != "" {
			t.Fatalf("-written +sent\n%s%s%s", diff, out, errs)
		}
		if s.twice > 0 {
			t.Fatalf("%d lines were sent twice\n%s%s", s.twice, out, errs)
		}
	})
}

// TestFollowFindsEveryCopy: a log is copied and emptied any number of times
// between two looks, with and without anything read of it before.
func TestFollowFindsEveryCopy(t *testing.T) {
	for _, c := range []struct {
		name         string
		read         bool // something was read before
		times, keeps int  // copies that are made, and that are kept
		lost         int  // lines that stand nowhere any more
	}{
		{"nothing read, once", false, 1, 9, 0},
		{"nothing read, twice", false, 2, 9, 0},
		{"once", true, 1, 9, 0},
		{"twice", true, 2, 9, 0},
		{"four times", true, 4, 9, 0},
		{"three times, one copy kept", true, 3, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			log := newRotating(t.Fatal, folder)
			defer func() { log.writer.Close() }()
			s := &server{site: wallSite, ids: make(map[string]bool)}
			looks := 0
			_, errs, err := following(t.Fatal, s, Options{Files: []string{log.path}, Positions: filepath.Join(folder, "positions")}, func() bool {
				looks++
				switch {
				case looks == 1 && c.read:
					log.write(log.line())
				case looks == 2:
					for range c.times {
						log.write(log.line())
						log.copyTruncate()
						_ = os.Remove(fmt.Sprintf("%s.%d", log.path, c.keeps+1))
					}
					log.write(log.line())
				}
				return looks < 5
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, errs)
			}
			if got, want := len(s.ids), len(log.ids())-c.lost; got != want || s.twice > 0 {
				t.Errorf("%d lines of %d, %d twice\n%s", got, want, s.twice, errs)
			}
		})
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// TestFollowEnds: a stop waits for the acknowledgement of what was read, but not
// for a server that does not come back; then nothing is taken for read.
func TestFollowEnds(t *testing.T) {
	folder := t.TempDir()
	log := newRotating(t.Fatal, folder)
	defer log.writer.Close()
	log.write(log.line())
	s := &server{site: wallSite, ids: make(map[string]bool), refuse: 1 << 30, whole: true}
	o := Options{Files: []string{log.path}, Positions: filepath.Join(folder, "positions"), grace: time.Millisecond}
	web := httptest.NewServer(s)
	defer web.Close()
	c, err := client.New(web.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	s.asked = cancel
	o.Site, o.Out, o.Err, o.Now = "news", io.Discard, io.Discard, time.Now
	_, err = Follow(ctx, c, o)
	if err == nil || !strings.Contains(err.Error(), "not acknowledged") {
		t.Errorf("error %v", err)
	}
	if got, err := loadPositions(positionsFile(o.Positions, c.Server(), "news", log.path)); err != nil || len(got.Files) > 0 {
		t.Errorf("position %+v, %v", got, err)
	}
	s.refuse = 0
	polls := 2
	if _, errs, err := following(t.Fatal, s, o, func() bool { polls--; return polls > 0 }); err != nil || len(s.ids) != 1 {
		t.Errorf("%d lines, %v\n%s", len(s.ids), err, errs)
	}
}

// TestFollowRefuses: what cannot be followed is said at once.
func TestFollowRefuses(t *testing.T) {
	folder := t.TempDir()
	notes := filepath.Join(folder, "notes.log")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(notes, "Dear diary\n")
	write(filepath.Join(folder, "packed"), "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, tt := range []struct{ file, position, want string }{
		{"notes.log", "", "none of its first lines is of an access-log format"},
		{"packed", "", "compressed"},
		{".", "", "is a folder"},
		{"notes.log", `{"files":[{"bytes":-1}]}`, "no file has -1 bytes"},
		{"notes.log", `{"files":`, "Delete the file to begin with the log's first line"},
	} {
		t.Run(tt.file+" "+tt.position, func(t *testing.T) {
			positions := t.TempDir()
			if tt.position != "" {
				write(filepath.Join(positions, "any.json"), tt.position)
			}
			s := &server{site: wallSite, ids: make(map[string]bool)}
			_, _, err := following(t.Fatal, s, Options{Files: []string{filepath.Join(folder, tt.file)}, Positions: positions}, func() bool { return false })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestFollowTakesOddLines: a line that is too long is passed over, also when it
// comes in pieces, and the file's last line without an end is taken when nobody
// writes to the file any more.
func TestFollowTakesOddLines(t *testing.T) {
	folder := t.TempDir()
	log := newRotating(t.Fatal, folder)
	defer func() { log.writer.Close() }()
	s := &server{site: wallSite, ids: make(map[string]bool)}
	steps := []func(){
		func() { log.write(strings.Repeat("x", MaxLine)) },
		func() { log.write(strings.Repeat("x", MaxLine)) },
		func() { log.write("x\n" + log.line()) },
		func() { log.write(strings.TrimSuffix(log.line(), "\n")) },
		func() { log.rename(); log.reopen() },
		func() { log.write(log.line()) },
		func() {}, func() {}, func() {}, func() {}, func() {},
	}
	_, errs, err := following(t.Fatal, s, Options{Files: []string{log.path}, Positions: filepath.Join(folder, "positions")}, func() bool {
		if len(steps) == 0 {
			return false
		}
		steps[0]()
		steps = steps[1:]
		return true
	})
	if err != nil || len(s.ids) != 3 || !strings.Contains(errs, "access.log:1: the line is longer") {
		t.Errorf("%d lines, %v\n%s", len(s.ids), err, errs)
	}
}

func TestRotatedNames(t *testing.T) {
	name := rotatedName("access.log")
	for file, want := range map[string]bool{
		"access.log": false, "access.log.1": true, "access.log.12.gz": true, "access.log-20260131": true, "access.log-20260131-1700000000.zst": true,
		"access-2026-01-31.log": true, "access-2026-01-31T10-00-00.000.log.gz": true, "access.log.old": true, "access.log.bak": false,
		"access.log.conf": false, "accessxlog.1": false, "access-admin.log": false, "other.log.1": false,
	} {
		if got := name.MatchString(file); got != want {
			t.Errorf("%s: %v", file, got)
		}
	}
}

func FuzzPositions(f *testing.F) {
	f.Add([]byte(`{"log":"/a","files":[{"bytes":5,"head":"00","sum":"00"},{"bytes":0,"since":5}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "p.json")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := loadPositions(name)
		if err != nil {
			return
		}
		if err := p.save(name); err != nil {
			t.Fatal(err)
		}
		again, err := loadPositions(name)
		if err != nil || again.Log != p.Log || !again.equal(&p) {
			t.Fatalf("%+v came back as %+v, %v", p, again, err)
		}
	})
}

// TestEqualLinesApart: within the limit the count of equal lines goes on, as it
// does without one.
func TestEqualLinesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		with, without := lineIDs{limit: limit}, lineIDs{}
		last := make(map[int]int) // by line: how many different lines were new before it came last
		fresh := 0
		for range rapid.IntRange(1, 300).Draw(t, "lines") {
			line := rapid.IntRange(0, 80).Draw(t, "line")
			at, known := last[line]
			if !known || fresh-at >= limit {
				fresh += limit // too far apart for a promise: forget the line
				with, without, last = lineIDs{limit: limit}, lineIDs{}, map[int]int{}
			}
			fresh++
			last[line] = fresh
			text := []byte(fmt.Sprint(line))
			if a, b := with.append(nil, text), without.append(nil, text); !bytes.Equal(a, b) {
				t.Fatalf("line %d: %s, without a limit %s", line, a, b)
			}
		}
	})
}
