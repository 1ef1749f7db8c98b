package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// holdTime is how long the committer holds still for a fact that is read elsewhere.
const holdTime = 250 * time.Millisecond

// Log is what is served of the log and its committer.
type Log struct {
	Committer interface {
		Commit(ctx context.Context, s *eventlog.Submission) error
		CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error)
		CommitRead(ctx context.Context, read func() (event.Fact, bool, error)) (event.Position, error)
		Acked() event.Position
		Count(site, verdict, reason string, n uint64)
	}
	Site func(id string) (*event.Site, bool)
	Drop func(day int) error
	Name string // of the process
}

// Claim fails if another process writes the log, or does not say so.
func (c *Conn) Claim(ctx context.Context) error {
	name, err := c.Who(ctx)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil
	case errors.Is(err, ErrAway):
		return errors.New("another process writes this log, but it does not answer: end it first; several edges are not available yet")
	case err != nil:
		return err
	}
	return fmt.Errorf("%s writes this log: end it first; several edges are not available yet", name)
}

// ServeWriter lets other processes write through l.
func (c *Conn) ServeWriter(l *Log) (stop func() error, err error) {
	slots := make(chan struct{}, maxWriting)
	ctx, cancel := context.WithCancel(context.Background())
	var subs []*nats.Subscription
	stop = func() error {
		for _, s := range subs {
			_ = s.Unsubscribe()
		}
		cancel()
		for range maxWriting { // what is on its way ends
			slots <- struct{}{}
		}
		return nil
	}
	handle := func(subject string, fn func(ctx context.Context, body []byte) (writeReply, error)) {
		if err != nil {
			return
		}
		var sub *nats.Subscription
		sub, err = c.nc.Subscribe(subject, func(m *nats.Msg) {
			select {
			case slots <- struct{}{}:
			default:
				respond(m, &writeReply{}, eventlog.ErrOverloaded)
				return
			}
			go func() {
				defer func() { <-slots }()
				ctx, cancel := context.WithTimeout(ctx, writeTime)
				defer cancel()
				r, err := fn(ctx, m.Data)
				respond(m, &r, err)
			}()
		})
		if err == nil {
			subs = append(subs, sub)
		}
	}
	handle(subjectCommit, l.commit)
	handle(subjectFacts, l.facts)
	handle(subjectRead, func(ctx context.Context, body []byte) (writeReply, error) { return l.read(ctx, c, string(body)) })
	handle(subjectDrop, func(_ context.Context, body []byte) (r writeReply, err error) {
		var day int
		if err = json.Unmarshal(body, &day); err == nil {
			err = l.Drop(day)
		}
		return r, err
	})
	if err == nil {
		var sub *nats.Subscription
		sub, err = c.nc.Subscribe(subjectWriter, func(m *nats.Msg) { _ = m.Respond([]byte(l.Name)) })
		subs = append(subs, sub)
	}
	if err == nil {
		err = c.nc.Flush()
	}
	if err != nil {
		_ = stop()
		return nil, fmt.Errorf("serve the log to other processes: %w", err)
	}
	return stop, nil
}

func respond(m *nats.Msg, r *writeReply, err error) {
	r.failed(err)
	body, err := json.Marshal(r)
	if err == nil {
		_ = m.Respond(body) // who asked sends it again, or asks what became of it
	}
}

func (l *Log) commit(ctx context.Context, body []byte) (r writeReply, err error) {
	var q commitRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return r, err
	}
	s := &eventlog.Submission{Events: q.Events, Import: q.Import, Advance: q.Advance, Refused: q.Refused}
	var ok bool
	if s.Site, ok = l.Site(q.Site); !ok {
		return r, fmt.Errorf("there is no site %q", q.Site)
	}
	if len(s.Events) == 0 { // nothing to wait for, or to write for its own sake
		for _, n := range s.Refused {
			l.Committer.Count(n.Site, n.Verdict, n.Reason, n.N)
		}
		return r, nil
	}
	err = l.Committer.Commit(ctx, s)
	r.Verdicts, r.Done, r.Position = s.Verdicts, s.Done, s.Position
	return r, err
}

func (l *Log) facts(ctx context.Context, body []byte) (r writeReply, err error) {
	var facts []event.Fact
	if err := json.Unmarshal(body, &facts); err != nil {
		return r, err
	}
	r.Position, err = l.Committer.CommitFacts(ctx, facts...)
	return r, err
}

// read commits a fact that the process at an inbox is asked for, while nothing
// else goes to the log.
func (l *Log) read(ctx context.Context, c *Conn, inbox string) (r writeReply, err error) {
	r.Position, err = l.Committer.CommitRead(ctx, func() (event.Fact, bool, error) {
		var position [8]byte
		binary.BigEndian.PutUint64(position[:], uint64(l.Committer.Acked()))
		m, err := c.nc.Request(inbox, position[:], holdTime)
		if err != nil {
			return event.Fact{}, false, fmt.Errorf("ask for the fact: %w", away(err))
		}
		var answer readReply
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return event.Fact{}, false, fmt.Errorf("read the fact: %w", err)
		}
		if answer.Message != "" {
			return event.Fact{}, false, errors.New(answer.Message)
		}
		return answer.Fact, answer.OK, nil
	})
	return r, err
}

// Announced is a sink that says each position to whoever follows the log, once
// another sink has it.
type Announced struct {
	Sink eventlog.Sink
	Conn *Conn
}

// Apply implements eventlog.Sink.
func (a Announced) Apply(position event.Position, message []byte) error {
	if err := a.Sink.Apply(position, message); err != nil {
		return err
	}
	var said [8]byte
	binary.BigEndian.PutUint64(said[:], uint64(position))
	_ = a.Conn.nc.Publish(subjectAcked, said[:]) // followers look by themselves, too
	return nil
}
