package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/cluster"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// Names under which the process of the role api lays out what edges need of the
// application database.
const (
	laidKeys   = "keys"
	laidSecret = "secret"
)

// layAgain is how long after a failure keys are laid out again.
const layAgain = time.Second

// join connects to other processes.
func (n *node) join(ctx context.Context) error {
	a, err := cluster.ParseAddress(n.cfg.NATS)
	if err != nil {
		return err
	}
	if n.conn, err = cluster.Connect(ctx, a, n.name(), n.cfg.Logger); err != nil {
		return err
	}
	n.stops.add("connection to the nats-server", n.conn.Close)
	return nil
}

// name is what the process is called among others.
func (n *node) name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a process"
	}
	return fmt.Sprintf("%s, process %d at %s", host, os.Getpid(), n.cfg.Listen)
}

// signedIn are the sessions of the dashboard; nil: this process has none.
func (n *node) signedIn() collect.Sessions {
	if n.sessions == nil {
		return nil
	}
	return n.sessions
}

// sink is what the committer hands commits to.
func (n *node) sink() eventlog.Sink {
	if n.conn == nil {
		return n.engine
	}
	return cluster.Announced{Sink: n.engine, Conn: n.conn}
}

// serveWriter lets other processes write to the log, and tells them that this one
// does.
func (n *node) serveWriter(c *eventlog.Committer) error {
	if n.conn == nil {
		return nil
	}
	n.cfg.Logger.Info("the event log lies on a nats-server: commits survive the loss of its power if it runs with sync_interval: always")
	stop, err := n.conn.ServeWriter(&cluster.Log{Committer: c, Site: n.engine.Site, Drop: n.log.DropBefore, Name: n.name()})
	if err != nil {
		return err
	}
	n.stops.add("writing for others", stop)
	return nil
}

// follow reads the log into the engine, now and as it grows by another process's
// commits, through which this one writes.
func (n *node) follow(ctx context.Context) error {
	writer, err := n.conn.NewWriter(n.engine.Wait, n.log.Saw)
	if err != nil {
		return err
	}
	n.committer, n.facts = writer, &factGate{committer: writer}
	if err := n.catchUp(ctx, n.engine.Position(), nil); err != nil {
		return err
	}
	n.background("following the log", func(ctx context.Context) {
		err := n.log.Follow(ctx, n.engine.Queued(), n.engine.Apply)
		if ctx.Err() == nil && n.engine.Failure() == nil {
			n.front.fail(fmt.Errorf("follow the event log: %w", err))
		}
	})
	return nil
}

// awayWait is how long a start waits for the process that writes the log before it
// asks again.
const awayWait = time.Second

// mustWrite writes what the start cannot do without; it waits for the process that
// writes the log.
func (n *node) mustWrite(ctx context.Context, facts ...event.Fact) error {
	for {
		_, err := n.facts.CommitFacts(ctx, facts...)
		if n.cfg.runs("edge") || !errors.Is(err, eventlog.ErrUnavailable) {
			return err
		}
		n.front.starting("waiting for the edge, which writes the log")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awayWait):
		}
	}
}

// layKeysOut lays keys and the secret of devices and links out for edges, now and
// whenever a key changes.
func (n *node) layKeysOut(ctx context.Context) error {
	secret, err := n.store.Secret(ctx, secretName, secretBytes, n.cfg.Random)
	if err != nil {
		return err
	}
	if err := n.conn.Put(ctx, laidSecret, secret); err != nil {
		return err
	}
	again := make(chan struct{}, 1)
	lay := func(ctx context.Context) error {
		laid, err := n.keys.Laid()
		if err == nil {
			err = n.conn.Put(ctx, laidKeys, laid)
		}
		if err != nil {
			n.cfg.Logger.Warn("edges do not know of the keys as they are; it is tried again", "error", err)
			select {
			case again <- struct{}{}:
			default:
			}
		}
		return err
	}
	n.keys.OnChange(func() { _ = lay(context.Background()) })
	n.background("keys for edges", func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-again:
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(layAgain):
				_ = lay(ctx)
			}
		}
	})
	return lay(ctx)
}

// learnKeys waits for keys and the secret, and learns of every change from then on.
func (n *node) learnKeys(ctx context.Context) error {
	n.keys = credentials.LearnKeys(n.cfg.RootKey)
	secret, known := make(chan []byte, 1), make(chan struct{}, 1)
	n.watch(laidSecret, func(value []byte) {
		select {
		case secret <- value:
		default: // it is there for good
		}
	})
	n.watch(laidKeys, func(value []byte) {
		if err := n.keys.Learn(value); err != nil {
			n.cfg.Logger.Error("keys cannot be read; those before stay in force", "error", err)
			return
		}
		select {
		case known <- struct{}{}:
		default:
		}
	})
	n.front.starting("waiting for the keys, which the process of the role api lays out")
	for range 2 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n.secret = <-secret:
		case <-known:
		}
	}
	if len(n.secret) < secretBytes {
		return errors.New("what is laid out for edges has no secret")
	}
	return nil
}

// watch calls fn with what is laid out, for as long as the node runs.
func (n *node) watch(key string, fn func(value []byte)) {
	n.background("watching "+key, func(ctx context.Context) {
		for ctx.Err() == nil {
			if err := n.conn.Watch(ctx, key, fn); ctx.Err() == nil {
				n.cfg.Logger.Warn("what is laid out for edges cannot be watched; it is tried again", "key", key, "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(layAgain):
				}
			}
		}
	})
}

// answerEdges answers what edges ask.
func (n *node) answerEdges(context.Context) error {
	stop, err := n.conn.Answer(n.decisions.Service.Answer)
	if err != nil {
		return err
	}
	n.stops.add("questions of edges", stop)
	if stop, err = n.conn.ServeHTTP(n.api); err != nil {
		return err
	}
	n.stops.add("requests of edges", stop)
	return nil
}

// followedLog is the log of a process that does not write it itself.
type followedLog struct {
	*eventlog.Log
	writer *cluster.Writer
}

// DropBefore has the process that writes the log drop days.
func (l followedLog) DropBefore(day int) error { return l.writer.DropBefore(day) }

func (n *node) keptLog() keptLog {
	if writer, ok := n.committer.(*cluster.Writer); ok {
		return followedLog{n.log, writer}
	}
	return n.log
}

// startCheckpoints is the upkeep of an edge: what it knows is the log's.
func (n *node) startCheckpoints(context.Context) error {
	u := &upkeep{engine: n.engine, logger: n.cfg.Logger}
	n.background("checkpoints", u.checkpoints)
	m := &memory{limit: n.cfg.Memory, engine: n.engine, committer: n.committer}
	n.background("memory", m.run)
	return nil
}

// checkpoints writes checkpoints until ctx ends.
func (u *upkeep) checkpoints(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-u.engine.CheckpointDue():
		}
		u.step(ctx, "checkpoint", u.engine.Checkpoint)
	}
}

// apart says what an operator should know of other processes.
func (n *node) apart(ctx context.Context) []string {
	if n.asker != nil && n.asker.Away() {
		return []string{"the engine does not answer: access blocks answer by their policies"}
	}
	if n.conn != nil && !n.cfg.runs("edge") {
		if _, err := n.conn.Who(ctx); err != nil {
			return []string{"the edge that writes the event log does not answer: nothing can be changed"}
		}
	}
	return nil
}
