package access

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/rubric/plan"
)

// Remote reaches the Service of the process that holds the engine. *cluster.Asker is
// one.
type Remote interface {
	// Ask sends a question to Service.Answer and calls done once, within limit, from
	// any goroutine, which goes on only when it returns.
	Ask(limit time.Duration, question []byte, done func(answer []byte, err error))
}

// ErrAway says that the process that holds the engine does not answer.
var ErrAway = errors.New("the engine does not answer")

// send asks the process that holds the engine. Its answer ends the attempt. A fifth of
// the time is left for the policy's answer to reach who asks within it.
func (a *attempt) send() {
	limit := a.limit - a.limit/5 - a.Now().Sub(a.begun)
	a.Remote.Ask(limit, a.appendQuestion(nil, limit), func(raw []byte, err error) {
		if err != nil {
			a.end(answer{err: errors.Join(ErrAway, err)})
			return
		}
		a.end(readAnswer(raw))
	})
}

// keep writes the commit of an attempt that nobody has decided in time, under the id
// under which it was asked: if it was written all the same, it is written once. What
// a claimed device's events come to nobody can say here, and nothing is kept of it.
func (a *attempt) keep() {
	if a.ask.Claimed != "" {
		return
	}
	if a.id == "" {
		if a.ticket.packed(nil) != nil {
			return
		}
		a.id = a.ticket.seal(a.IDs, a.ask.Site.ID)
	}
	sub := &eventlog.Submission{Site: a.ask.Site, Events: []event.Event{a.ticket.event(a.IDs, a.id, a.ask.Given.Columns)}}
	_ = a.Committer.Submit(sub, func(error) {}) // the answer says that what came of it is not known
}

// A question is an open ticket and what its attempt needs beside it:
//
//	1 byte    version, 1
//	1 byte    flags of the question
//	uvarint   limit, milliseconds
//	uvarint   position that the answer includes
//	texts     site, device, claimed reader
//	nonce
//	texts     reader, item
//	varint    at, Unix milliseconds
//	uvarint   version of the program
//	text      access block
//	1 byte    what was shown, uvarint the clause
//	given     with its columns
//	text      burns of a session
//	uvarint   columns of the request's row, each 1 byte and a text
//	text      id of the decision that is committed, "" if it is to be made
const questionVersion = 1

const (
	askCommit = 1 << iota
	askSegments
	askKnown = 1<<iota - 1
)

func (a *attempt) appendQuestion(dst []byte, limit time.Duration) []byte {
	t, flags := a.ticket, byte(0)
	if a.ask.Commit {
		flags |= askCommit
	}
	if a.ask.Segments {
		flags |= askSegments
	}
	dst = append(dst, questionVersion, flags)
	dst = binary.AppendUvarint(dst, uint64(max(0, limit.Milliseconds())))
	dst = binary.AppendUvarint(dst, uint64(a.ask.Position))
	dst = appendText(appendText(appendText(dst, a.ask.Site.ID), a.ask.Device), a.ask.Claimed)
	dst = append(dst, t.Nonce[:]...)
	dst = t.head(dst)
	dst = binary.AppendUvarint(dst, uint64(t.Version))
	dst = append(appendText(dst, t.Access), byte(t.Shown))
	dst = binary.AppendUvarint(dst, uint64(t.Clause))
	dst = t.Given.append(dst, true, 0)
	var burns []byte
	if t.Given.Session != nil && len(t.Given.Session.Burns) > 0 {
		burns = AppendBurns(nil, t.Given.Session.Burns, t.At)
	}
	dst = appendText(dst, string(burns))
	return appendText(a.ask.Given.appendColumns(dst, 0), a.id)
}

// errQuestion says that a question cannot be read.
var errQuestion = errors.New("the question cannot be read")

// readQuestion reads what appendQuestion wrote; its site is looked up by sites.
func readQuestion(raw []byte, sites func(string) (*event.Site, bool)) (*attempt, error) {
	in := bytesReader{raw: raw}
	if in.byte() != questionVersion {
		return nil, errQuestion
	}
	flags := in.byte()
	limit := time.Duration(in.number(1<<31)) * time.Millisecond
	position := event.Position(in.number(1<<64 - 1))
	site, ask := in.text(), &Ask{Device: in.text(), Claimed: in.text(), Position: position}
	t := &ticket{}
	if len(in.raw) < identity.NonceBytes {
		return nil, errQuestion
	}
	in.raw = in.raw[copy(t.Nonce[:], in.raw):]
	t.Reader, t.Item, t.At = in.text(), in.text(), in.signed()
	t.Version, t.Access = int(in.number(1<<31)), in.text()
	t.Shown, t.Clause = shown(in.byte()), int(in.number(1<<31))
	t.Given = in.given()
	burns := in.text()
	for range in.number(uint64(event.NumColumns)) {
		c := in.byte()
		if c >= byte(event.NumColumns) {
			return nil, errQuestion
		}
		ask.Given.setColumn(event.Column(c), in.text())
	}
	id := in.text()
	if in.bad || len(in.raw) > 0 || flags > askKnown || t.Shown > showing(plan.Charge) || id != "" && len(id) < codeLetters {
		return nil, errQuestion
	}
	if t.Given.Session != nil {
		t.Given.Session.Burns = ReadBurns([]byte(burns))
	}
	var ok bool
	if ask.Site, ok = sites(site); !ok {
		return nil, engine.ErrUnknownSite
	}
	ask.Reader, ask.Access, ask.Item = t.Reader, t.Access, t.Item
	ask.Commit, ask.Segments = flags&askCommit != 0, flags&askSegments != 0
	return &attempt{ask: ask, ticket: t, id: id, limit: limit}, nil
}

// Answer answers a question of another process's Service, as Decide or Commit do,
// but that its policy is for the other to apply. It does not block; reply is called
// once, from any goroutine.
func (s *Service) Answer(question []byte, reply func(answer []byte)) {
	a, err := readQuestion(question, s.Engine.Site)
	if err == nil {
		a.Service, a.begun = s, s.Now()
		err = a.reopen()
	}
	if err == nil {
		a.program, a.block, err = s.Decider.find(a.ask.Site, a.ticket)
	}
	if err != nil {
		reply(appendAnswer(nil, err))
		return
	}
	s.asked.Add(1)
	if a.direct() && a.start(context.Background(), func() { a.replied(reply) }) == nil {
		return
	}
	if !s.remotes.TryAcquire(1) {
		reply(appendAnswer(nil, eventlog.ErrOverloaded))
		return
	}
	go func() {
		defer s.remotes.Release(1)
		ctx, cancel := context.WithTimeout(context.Background(), a.limit)
		defer cancel()
		reply(appendAnswer(a.patiently(ctx)))
	}()
}

// reopen has a decision that was made before speak for itself.
func (a *attempt) reopen() error {
	if a.id == "" {
		return nil
	}
	t, err := openTicket(a.IDs, a.ask.Site.ID, a.id)
	if err != nil {
		return ErrNotDecision
	}
	if t.Given.Session != nil && a.ticket.Given.Session != nil {
		t.Given.Session.Burns = a.ticket.Given.Session.Burns
	}
	a.ticket = t
	return nil
}

// maxRemotes is how many questions of other processes may wait for more than the
// turn of their reader.
const maxRemotes = 1024

// patiently answers a question before which something has to be waited for.
func (a *attempt) patiently(ctx context.Context) (*Verdict, error) {
	a.wait = true
	if !a.direct() {
		if err := a.prepare(ctx); err != nil {
			return nil, err
		}
	}
	v, err := a.await(ctx)
	if errors.Is(err, errRepeated) {
		return a.again(ctx, a.ask.Site, a.ticket, a.id)
	}
	return v, err
}

// replied answers once the attempt has ended.
func (a *attempt) replied(reply func([]byte)) {
	v, err := a.result()
	if !errors.Is(err, errRepeated) {
		reply(appendAnswer(v, err))
		return
	}
	if !a.remotes.TryAcquire(1) {
		reply(appendAnswer(nil, eventlog.ErrOverloaded))
		return
	}
	go func() { // the caller goes on
		defer a.remotes.Release(1)
		ctx, cancel := context.WithTimeout(context.Background(), a.limit)
		defer cancel()
		reply(appendAnswer(a.again(ctx, a.ask.Site, a.ticket, a.id)))
	}()
}

// remoteAnswer is the answer to a question: JSON.
type remoteAnswer struct {
	Verdict *Verdict     `json:"verdict,omitempty"`
	Burned  *engine.Burn `json:"burned,omitempty"`
	Fault   string       `json:"fault,omitempty"`
	Code    string       `json:"code,omitempty"` // of a commit that was rejected
	Message string       `json:"message,omitempty"`
}

// remoteFaults are the errors of Decide and Commit by their names in an answer.
var remoteFaults = map[string]error{
	"outside": ErrOutside, "not_kept": ErrNotKept, "too_long": ErrTooLong, "no_block": errNoBlock,
	"unknown_site": engine.ErrUnknownSite, "unknown_reader": engine.ErrUnknownReader, "not_decision": ErrNotDecision,
}

// Faults of an answer that are no errors of their own.
const (
	faultAway     = "away"
	faultRejected = "rejected"
	faultFailed   = "failed"
)

func appendAnswer(v *Verdict, err error) []byte {
	out := remoteAnswer{Verdict: v}
	if v != nil {
		out.Burned = v.Burned
	}
	if err != nil {
		out = remoteAnswer{Fault: faultFailed, Message: err.Error()}
		var rejected *Rejected
		switch {
		case errors.As(err, &rejected):
			out = remoteAnswer{Fault: faultRejected, Code: rejected.Code, Message: rejected.Message}
		case Away(err) || errors.Is(err, engine.ErrBusy):
			out.Fault = faultAway
		default:
			for name, of := range remoteFaults {
				if errors.Is(err, of) {
					out.Fault = name
				}
			}
		}
	}
	raw, err := json.Marshal(&out)
	if err != nil {
		panic(err) // structs of texts and numbers can be encoded
	}
	return raw
}

func readAnswer(raw []byte) answer {
	var in remoteAnswer
	if err := json.Unmarshal(raw, &in); err != nil {
		return answer{err: err}
	}
	switch of := remoteFaults[in.Fault]; {
	case of != nil:
		return answer{err: of}
	case in.Fault == faultAway:
		return answer{err: errors.Join(ErrAway, errors.New(in.Message))}
	case in.Fault == faultRejected:
		return answer{err: &Rejected{in.Code, in.Message}}
	case in.Fault != "" || in.Verdict == nil:
		return answer{err: errors.New("the engine's process: " + in.Message)}
	}
	in.Verdict.Burned = in.Burned
	return answer{verdict: in.Verdict}
}
