package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/readership/readership/internal/client"
)

const (
	// pollEvery is how often a log is looked at that does not grow.
	pollEvery = 250 * time.Millisecond
	// settle is how long a renamed file is read on: servers write to the old one
	// until they have been told to open the new one.
	settle = 30 * time.Second
	// maxTails bounds the files of one log that are open at once. Of more, the
	// oldest are held to be finished.
	maxTails = 16
	// stopGrace bounds how long a stop waits for what was read to be acknowledged.
	stopGrace = 10 * time.Second
	// noticeEvery is how often a follower that is no terminal says how far it is.
	noticeEvery = 10 * time.Minute
	// forever is the patience of a follower: the log itself is the queue.
	forever = time.Duration(math.MaxInt64 / 2)
)

// Follow sends what access logs hold and what is written to them, until ctx
// ends: then it waits for the acknowledgement of what it has read, stopGrace at
// most. Logs may be rotated by renaming and by copying and emptying; what was
// written before a rotation is looked for in the rotated file. How far each log
// was acknowledged is kept in o.Positions, so that another run goes on there.
//
// Files are polled: notices of the operating system do not come from network
// file systems and from outside a container, and a poll is two system calls.
func Follow(ctx context.Context, c *client.Client, o Options) (*Summary, error) {
	o.fill()
	if o.Patience == 0 {
		o.Patience = forever
	}
	f := &follower{run: newRun(c, o), part: &part{}}
	f.progress.plain = noticeEvery
	if _, _, err := f.rule(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Positions, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of positions: %w", err)
	}
	defer f.close()
	for _, name := range o.Files {
		if err := f.add(name); err != nil {
			return nil, err
		}
	}
	begin := o.Now()
	f.progress.begin()
	err := f.follow(ctx)
	return f.conclude(begin, err)
}

// follower is a run that does not end by itself.
type follower struct {
	*run
	logs []*followed
	part *part
}

// followed is one log: the file of that name and those that it was before and
// that are not read to their end.
type followed struct {
	name   string
	tails  []*tail // oldest first
	format *Format // of the file before; found from the first line
	quiet  map[*tail]time.Time
	done   []position // of files that were read to their end, maxDone at most
	keep   string     // where its position is kept
	kept   positions  // as it stands there
	waits  bool       // the file is missing, and that was said
}

// add begins with a log where its last follower was.
func (f *follower) add(name string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name the files in it", name)
	}
	l := &followed{name: name, quiet: make(map[*tail]time.Time), keep: positionsFile(f.o.Positions, f.client.Server(), f.o.Site, name)}
	f.logs = append(f.logs, l)
	if l.kept, err = loadPositions(l.keep); err != nil {
		return err
	}
	l.done = l.kept.Done
	since := int64(math.MaxInt64)
	for _, p := range l.kept.Files {
		if p.Bytes == 0 {
			since = min(since, p.Since)
			continue
		}
		t, err := f.find(l, p, true)
		switch {
		case err != nil:
			return err
		case t == nil:
			f.say("%s: the file of which %s bytes were read is gone; older files can be imported by name", name, thousands(p.Bytes))
		default:
			l.tails = append(l.tails, t)
			fmt.Fprintf(f.o.Out, "follows %s from line %s\n", t.name, thousands(int64(t.number)+1))
		}
	}
	switch n := len(l.tails); {
	case since < math.MaxInt64:
		err = f.between(l, time.Unix(0, since))
	case n > 0 && !l.tails[n-1].own:
		err = f.after(l, l.tails[n-1])
	}
	if err != nil {
		return err
	}
	if len(l.tails) == 0 {
		fmt.Fprintf(f.o.Out, "follows %s from its first line\n", name)
	}
	return nil
}

// find opens the file of which a position tells how far it was read, behind
// that position; nil if there is none. The log's own name counts if own is set.
func (f *follower) find(l *followed, p position, own bool) (*tail, error) {
	files, err := rotated(l.name)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(files)+1)
	if own {
		names = append(names, l.name)
	}
	for _, file := range files {
		names = append(names, file.name)
	}
	for _, name := range names {
		t, err := openTail(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		found := false
		if err == nil {
			if found, err = t.resume(p, l.maker(f.run)); !found {
				t.close()
			}
		}
		switch {
		case found:
			t.own = name == l.name
			return t, t.grows()
		case err != nil && name == l.name:
			return nil, err
		case err != nil: // one that is being compressed, for example
			f.say("%v", err)
		}
	}
	return nil, nil
}

// maker makes translators for a log's files: all are written in one format.
func (l *followed) maker(r *run) maker {
	return func(name string, head []byte) (translator, error) {
		if l.format == nil {
			format, err := r.format(name, head)
			if err != nil {
				return nil, err
			}
			l.format = &format
		}
		return r.requests(*l.format), nil
	}
}

// follow reads, sends and keeps positions until ctx ends.
func (f *follower) follow(ctx context.Context) error {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(f.o.grace, func() {
			cancel(fmt.Errorf("what was read last is not acknowledged %s after the stop", f.o.grace))
		})
		context.AfterFunc(sending, func() { timer.Stop() })
	})
	defer stop()
	for ctx.Err() == nil {
		more := false
		for _, l := range f.logs {
			full, err := f.read(l)
			if err != nil {
				return err
			}
			more = more || full
		}
		if f.part.lines > 0 {
			if err := f.sendPart(sending, f.part); err != nil {
				if cause := context.Cause(sending); cause != nil {
					return cause
				}
				return err
			}
			f.part.reset()
		}
		for _, l := range f.logs {
			if err := l.save(); err != nil {
				return err
			}
		}
		if !more && f.o.Wait(ctx, pollEvery) != nil {
			break
		}
	}
	return nil
}

// read looks what became of a log and reads on. It tells whether there is more.
func (f *follower) read(l *followed) (more bool, err error) {
	if err := f.look(l); err != nil {
		return false, err
	}
	for i := 0; i < len(l.tails) && !f.full(); i++ {
		t := l.tails[i]
		if t.done {
			continue
		}
		first, wrote := t.read == 0, t.wrote
		grew, err := f.lines(l, t)
		if first {
			if err := f.first(l, t, wrote); err != nil {
				return false, err
			}
			i = slices.Index(l.tails, t)
		}
		switch {
		case errors.Is(err, errReplaced):
			if err := f.replaced(l, i); err != nil {
				return false, err
			}
			more = true
		case err != nil:
			return false, err
		case grew:
			delete(l.quiet, t)
		case !t.own && !t.ended && l.current(): // servers have a new one to write to
			l.settled(t, f.o.Now(), len(l.tails)-i > maxTails)
			more = more || t.ended
		}
	}
	l.drop()
	return more || f.full(), nil
}

// settled ends a renamed file to which nothing was written for a while.
func (l *followed) settled(t *tail, now time.Time, atOnce bool) {
	since, known := l.quiet[t]
	if !known {
		l.quiet[t] = now
	}
	t.ended = atOnce || known && now.Sub(since) >= settle
}

// current tells whether the file of the log's name is known.
func (l *followed) current() bool {
	n := len(l.tails)
	return n > 0 && l.tails[n-1].own
}

// drop closes the files that were read to their end. As long as there is no
// file of the log's name they tell which files come after them.
func (l *followed) drop() {
	if !l.current() {
		return
	}
	kept := l.tails[:0]
	for _, t := range l.tails {
		if t.done {
			if p := t.position(); p.Bytes > 0 {
				l.done = append(l.done, p)[max(0, len(l.done)+1-maxDone):]
			}
			t.close()
			delete(l.quiet, t)
			continue
		}
		kept = append(kept, t)
	}
	clear(l.tails[len(kept):])
	l.tails = kept
}

// look opens the file of the log's name if it is another one than before, and
// those in between, if it was renamed more than once meanwhile.
func (f *follower) look(l *followed) error {
	info, err := os.Stat(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		if len(l.tails) == 0 && !l.waits {
			l.waits = true
			f.say("%s does not exist; waiting for it", l.name)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", l.name, err)
	}
	l.waits = false
	var last *tail
	if n := len(l.tails); n > 0 {
		last = l.tails[n-1]
	}
	if last != nil && last.own {
		before, err := last.file.Stat()
		if err != nil {
			return fmt.Errorf("look at %s: %w", l.name, err)
		}
		if os.SameFile(before, info) {
			return nil
		}
		last.own = false
		f.say("%s is another file now", l.name)
	}
	return f.begin(l, last)
}

// begin opens the file of the log's name at its first line, and before it those
// that bore the name after last.
func (f *follower) begin(l *followed, last *tail) error {
	t, err := openTail(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is looked for again
	}
	if err != nil {
		return err
	}
	t.own = true
	if err := t.grows(); err != nil {
		return err
	}
	if last != nil {
		err = f.after(l, last)
	}
	l.tails = append(l.tails, t)
	return err
}

// after adds the rotated files that bore the log's name after last.
func (f *follower) after(l *followed, last *tail) error {
	than, err := last.modified()
	if err != nil {
		return err
	}
	return f.between(l, than)
}

// between adds the rotated files that were written to after a time: they were
// renamed before anybody looked.
func (f *follower) between(l *followed, than time.Time) error {
	files, err := rotated(l.name)
	if err != nil {
		return err
	}
	for _, file := range newer(files, than) {
		t, err := openTail(file.name)
		known := false
		if err == nil {
			if known, err = l.knows(t, file.info); known || err != nil {
				t.close()
			}
		}
		if err != nil {
			f.say("%v", err)
		}
		if known || err != nil {
			continue
		}
		at := len(l.tails)
		if l.current() {
			at--
		}
		l.tails = slices.Insert(l.tails, at, t)
	}
	return nil
}

// knows tells whether a rotated file is one that is read or was, or its copy.
func (l *followed) knows(t *tail, info os.FileInfo) (bool, error) {
	for _, other := range l.tails {
		if other.file == nil {
			if other.name == t.name {
				return true, nil
			}
		} else if known, err := other.file.Stat(); err == nil && os.SameFile(known, info) {
			return true, nil
		}
		if same, err := t.begins(other.position()); same || err != nil {
			return same, err
		}
	}
	for _, p := range l.done {
		if same, err := t.begins(p); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// first looks for what a file held before anything was read of it: if it was
// written to since the last look, when that was at wrote, it may have been copied
// and emptied, and its own bytes do not tell.
func (f *follower) first(l *followed, t *tail, wrote time.Time) error {
	if t.file == nil {
		return nil
	}
	at, err := t.modified()
	if err != nil || at.Equal(wrote) {
		return err
	}
	if t.read == 0 {
		t.wrote = at
	}
	return f.between(l, wrote.Add(-1))
}

// replaced goes on with a file that was emptied: what was written to it before,
// and not read, is in the copy that was made. There are more copies if it was
// emptied more than once; then the one of what was read may be gone already.
func (f *follower) replaced(l *followed, i int) error {
	t := l.tails[i]
	f.say("%s was emptied", t.name)
	p := t.position()
	anew, err := t.again()
	if err != nil {
		return err
	}
	l.tails[i] = anew
	if p.Bytes == 0 {
		return f.between(l, time.Unix(0, p.Since))
	}
	copied, err := f.find(l, p, false)
	if err != nil {
		return err
	}
	since := t.wrote
	if copied != nil {
		copied.ended = true
		l.tails = slices.Insert(l.tails, i, copied)
		if since, err = copied.modified(); err != nil {
			return err
		}
	}
	return f.between(l, since.Add(-1))
}

func (f *follower) full() bool {
	return len(f.part.body) >= f.o.PartSize || len(f.part.failed) >= maxFailed
}

// lines adds the whole lines of a file to the part. It tells whether there was
// one.
func (f *follower) lines(l *followed, t *tail) (grew bool, err error) {
	for !f.full() {
		line, err := t.next()
		switch {
		case errors.Is(err, errLongLine):
			f.part.reject(t.name, t.number, err)
			grew = true
			continue
		case errors.Is(err, io.EOF):
			return grew, nil
		case err != nil:
			return grew, err
		}
		grew = true
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := t.make(line, l.maker(f.run)); err != nil {
			return grew, err
		}
		f.part.take(t.lines, line, t.name, t.number)
	}
	return grew, nil
}

// save keeps how far the log was acknowledged, where that has changed.
func (l *followed) save() error {
	now := positions{Log: l.name, Done: slices.Clone(l.done)}
	for _, t := range l.tails {
		now.Files = append(now.Files, t.position())
	}
	if now.equal(&l.kept) {
		return nil
	}
	if err := now.save(l.keep); err != nil {
		return err
	}
	l.kept = now
	return nil
}

// say prints a line about what happened to a log.
func (f *follower) say(format string, args ...any) {
	f.progress.clear()
	fmt.Fprintf(f.o.Err, format+"\n", args...)
}

func (f *follower) close() {
	for _, l := range f.logs {
		for _, t := range l.tails {
			t.close()
		}
	}
}
