package collect

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// Bounds of what is committed at once.
const (
	partEvents = 1000
	partBytes  = 256 << 10
)

// The ledger's verdicts that the collector counts; eventlog counts the others.
const (
	verdictRejected  = "rejected"   // an event, to its sender, with a code
	verdictNoConsent = "no_consent" // an event that the site drops
	verdictRefused   = "refused"    // a whole body that was not read
)

// lack is why an event has no consent.
type lack uint8

const (
	lackRefused lack = iota // consent says no
	lackGPC
	lackDNT
	lackSilent
	numLacks
)

var lackNames = [numLacks]string{"refused", "gpc", "dnt", "silent"}

// part is a run of events of one body that is committed together: parsed and
// judged, with what was wrong with the others. It is reused, and used by one
// goroutine at a time.
type part struct {
	request *request
	arena   arena
	fields  fields
	random  *rand.ChaCha8

	n         int // events seen
	events    []event.Event
	index     []int32 // of each of events, among the n
	rejected  []rejection
	total     int // rejected
	codes     [numCodes]int
	cuts      []cut
	noConsent [numLacks]int
	refused   []event.Count // scratch of submission
	sub       eventlog.Submission
	err       error // of the commit
}

// keep bounds what a part keeps for its next use.
const (
	keepEvents     = 4 * partEvents
	keepProperties = 32
)

// reset empties the part for a request.
func (p *part) reset(r *request) {
	if cap(p.events) > keepEvents {
		p.events, p.index = nil, nil
	}
	p.request = r
	p.arena.reset()
	p.n, p.total, p.err = 0, 0, nil
	p.sub.Done, p.sub.Position = 0, 0
	p.events, p.index = p.events[:0], p.index[:0]
	clear(p.rejected)
	p.rejected = p.rejected[:0]
	clear(p.cuts)
	p.cuts = p.cuts[:0]
	p.codes = [numCodes]int{}
	p.noConsent = [numLacks]int{}
}

// begin makes room for the next event.
func (p *part) begin() *event.Event {
	n := len(p.events)
	if n < cap(p.events) {
		p.events = p.events[:n+1]
	} else {
		p.events = append(p.events, event.Event{})
	}
	ev := &p.events[n]
	if cap(ev.Properties) > keepProperties {
		ev.Properties = nil
	}
	p.fields.reset(ev)
	return ev
}

// value reads one JSON value of s as the next event. With a fault of the JSON
// the event is not counted: the caller says what becomes of it.
func (p *part) value(s *scanner) {
	ev := p.begin()
	readEvent(s, &p.fields)
	if s.why != "" {
		p.events = p.events[:len(p.events)-1]
		return
	}
	p.finish(ev)
}

// finish judges the event that was read last, ev.
func (p *part) finish(ev *event.Event) {
	stored := false
	if p.fields.fault.code == codeNone {
		stored = p.judge(ev)
	}
	if fault := &p.fields.fault; fault.code != codeNone {
		p.events = p.events[:len(p.events)-1]
		for n := len(p.cuts); n > 0 && p.cuts[n-1].index == p.n; n-- {
			p.cuts = p.cuts[:n-1]
		}
		path := fault.path
		if fault.name != "" && len(p.rejected) < MaxListed {
			path += "." + fault.name
		}
		p.reject(fault.code, path, fault.message)
		return
	}
	if stored {
		p.index = append(p.index, int32(p.n))
	} else {
		p.events = p.events[:len(p.events)-1]
	}
	p.n++
}

// reject notes that the next event is rejected. path and message may alias the
// body.
func (p *part) reject(code Code, path, message string) {
	if len(p.rejected) < MaxListed {
		p.rejected = append(p.rejected, rejection{p.n, codeNames[code], strings.Clone(path), strings.Clone(message)})
	}
	p.codes[code]++
	p.total++
	p.n++
}

// full says whether the part holds as many events as are committed at once.
func (p *part) full() bool { return len(p.events) >= partEvents }

// cut cuts a text to limit bytes and notes it.
func (p *part) cut(path, name, s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	if len(p.cuts) < MaxListed {
		if name != "" {
			path += "." + strings.TrimPrefix(name, traitPrefix)
		}
		p.cuts = append(p.cuts, cut{p.n, strings.Clone(path)})
	}
	return s[:cutAt(s, limit)]
}

// makeID makes an id of 128 random bits for an event without one.
func (p *part) makeID() string {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:], p.random.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], p.random.Uint64())
	return p.arena.take(base64.RawURLEncoding.AppendEncode(p.arena.room(22), raw[:]))
}

// submission prepares what is committed of the part.
func (p *part) submission() *eventlog.Submission {
	r := p.request
	p.refused = p.refused[:0]
	p.eachCount(func(verdict, reason string, n uint64) {
		p.refused = append(p.refused, event.Count{Site: r.site.ID, Verdict: verdict, Reason: reason, N: n})
	})
	p.sub.Site, p.sub.Events, p.sub.Refused = r.site.Site, p.events, p.refused
	p.sub.Import, p.sub.Advance = r.bulk, r.advance
	return &p.sub
}

// eachCount calls fn with the ledger's lines for what is not committed.
func (p *part) eachCount(fn func(verdict, reason string, n uint64)) {
	if p.total > 0 {
		for code, n := range p.codes {
			switch {
			case n == 0:
			case Code(code) == codeTooOften:
				fn(verdictRefused, limitedNames[limitedDevice], uint64(n))
			default:
				fn(verdictRejected, p.request.reason(codeNames[code]), uint64(n))
			}
		}
	}
	for lack, n := range p.noConsent {
		if n > 0 {
			fn(verdictNoConsent, lackNames[lack], uint64(n))
		}
	}
}

// utf8Fault returns where b stops to be UTF-8, -1 if it is.
func utf8Fault(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}
