package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/natstest"
)

// openExternal opens the log of a nats-server.
func openExternal(t *testing.T, s *natstest.Server, partBytes int64) *Log {
	t.Helper()
	return openLog(t, Config{External: &External{URL: s.URL}, PartBytes: partBytes})
}

func TestExternalFollow(t *testing.T) {
	server := natstest.Start(t)
	l := openExternal(t, server, 3000)
	follower := openExternal(t, server, 3000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan event.Position, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- follower.Follow(ctx, 0, func(pos event.Position, message []byte) error {
			if len(message) != 1000 {
				t.Errorf("%s has %d bytes", pos, len(message))
			}
			got <- pos
			return nil
		})
	}()
	var want []event.Position
	for i := range 20 {
		pos, err := l.Append(ctx, testStamp(testDay+i/10), randomBytes(1000))
		if err != nil {
			t.Fatal(err)
		}
		follower.Saw(pos)
		want = append(want, pos)
	}
	for _, pos := range want {
		if at := <-got; at != pos {
			t.Fatalf("followed %s, want %s", at, pos)
		}
	}
	// Who opens it later finds the same, sealed parts included, and goes on.
	_ = l.Close()
	l = openExternal(t, server, 3000)
	if l.Last() != want[len(want)-1] {
		t.Fatalf("ends at %s, want %s", l.Last(), want[len(want)-1])
	}
	if err := l.DropBefore(testDay + 1); err != nil {
		t.Fatal(err)
	}
	pos, err := l.Append(ctx, testStamp(testDay+1), randomBytes(1000))
	if err != nil {
		t.Fatal(err)
	}
	if at := <-got; at != pos { // without a word
		t.Fatalf("followed %s, want %s", at, pos)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if again := openExternal(t, server, 0); again.First().Day() != testDay+1 {
		t.Errorf("begins at %s", again.First())
	}
}

func TestExternalAnotherLog(t *testing.T) {
	l := openExternal(t, natstest.Start(t), 0)
	_ = l.Close()
	if _, err := Open(Config{Dir: l.cfg.Dir, External: &External{URL: natstest.Start(t).URL}, Logger: quiet}); err == nil {
		t.Error("a folder of another log was taken")
	}
}

// Two committers write one log: what each acknowledges is stored once, and neither
// takes an id that the other has stored.
func TestExternalTwoCommitters(t *testing.T) {
	server := natstest.Start(t)
	var committers [2]*Committer
	var sinks [2]memorySink
	for i := range committers {
		committers[i] = startCommitter(t, CommitterConfig{}, openExternal(t, server, 64<<10), &sinks[i])
	}
	const ids = 200
	var stored, tries [ids]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range committers {
		wg.Go(func() {
			for i := range ids {
				for {
					s := single(fmt.Sprint(i))
					err := c.Commit(t.Context(), s)
					mu.Lock()
					tries[i]++
					if err == nil && s.Verdicts[0].Outcome == Stored {
						stored[i]++
					}
					mu.Unlock()
					if err == nil {
						break
					}
					if !errors.Is(err, ErrUnavailable) {
						t.Errorf("commit: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	for i, n := range stored {
		if n > 1 {
			t.Errorf("id %d was acknowledged as stored %d times", i, n)
		}
	}
	seen := map[uint64]int{}
	rows := 0
	err := openExternal(t, server, 0).Read(t.Context(), 0, func(_ event.Position, message []byte) error {
		var b event.Batch
		if err := b.Decode(message); err != nil {
			return err
		}
		for i := range b.Sites {
			rows += b.Sites[i].N
			for _, id := range b.Sites[i].ID {
				seen[id]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows != ids || len(seen) != ids {
		t.Errorf("%d rows of %d ids, want %d", rows, len(seen), ids)
	}
}

// The server is killed while commits are on their way: what was acknowledged is
// there, and committing goes on when the server is back.
func TestExternalServerKilled(t *testing.T) {
	server := natstest.Start(t)
	l := openExternal(t, server, 0)
	var sink memorySink
	c := startCommitter(t, CommitterConfig{}, l, &sink)
	var ids []string
	for round := range 3 {
		for i := 0; i < 50; i++ {
			id := fmt.Sprintf("%d-%d", round, i)
			if i == 25 {
				server.Kill()
				if err := c.Commit(t.Context(), single(id+"-away")); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("commit without a server: %v", err)
				}
				server.Run()
			}
			for {
				err := c.Commit(t.Context(), single(id))
				if err == nil {
					break
				}
				if !errors.Is(err, ErrUnavailable) {
					t.Fatal(err)
				}
			}
			ids = append(ids, id)
		}
	}
	checkStored(t, c, l, ids)
	if sink.rows < len(ids) {
		t.Errorf("the sink was given %d rows, want %d", sink.rows, len(ids))
	}
}
