package engine

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// dispatch decodes messages and hands them to the shards, in order.
func (e *Engine) dispatch() {
	defer func() {
		for _, s := range e.shards {
			close(s.in)
		}
	}()
	for {
		select {
		case it := <-e.queue:
			if !e.take(it) {
				return
			}
		case <-e.closing:
			return
		}
	}
}

// take handles one item; false means that the engine has stopped.
func (e *Engine) take(it item) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			e.fail(it.position, fmt.Errorf("dispatch message: panic: %v", p))
			ok = false
		}
	}()
	if it.raw == nil {
		if it.dispatch != nil {
			it.dispatch()
		}
		if it.command != nil {
			for _, s := range e.shards {
				if !s.send(work{command: it.command}) {
					return false
				}
			}
		}
		return e.Failure() == nil
	}
	if it.position <= e.received {
		return true
	}
	e.received = it.position
	m := e.pool.Get().(*message)
	m.position, m.raw = it.position, it.raw
	if err := m.Decode(it.raw); err != nil {
		if !e.cfg.Skip[it.position] {
			e.fail(it.position, fmt.Errorf("decode message: %w", err))
			return false
		}
		m.Batch = event.Batch{}
	}
	if e.cfg.Skip[it.position] {
		for i := range m.Sites {
			if rows := &m.Sites[i]; rows.N > 0 {
				e.ledger.add(m.Stamp, &event.Count{Site: rows.Site, Verdict: lossNames[lossQuarantined].verdict, Reason: lossNames[lossQuarantined].reason, N: uint64(rows.N)})
			}
		}
		m.Sites, m.Facts = m.Sites[:0], m.Facts[:0]
	}
	if m.Stamp > e.logTime.Load() {
		e.logTime.Store(m.Stamp)
	}
	for i := range m.Facts {
		e.fact(&m.Facts[i], m.Stamp)
	}
	for i := range m.Counts {
		e.ledger.add(m.Stamp, &m.Counts[i])
	}
	e.sinceCheckpoint += int64(len(it.raw))
	if e.ckpt != nil && e.sinceCheckpoint >= e.ckpt.every.Load() {
		select {
		case e.ckpt.due <- struct{}{}:
		default:
		}
	}
	e.prepare(m)
	m.left = int32(len(e.shards))
	for _, s := range e.shards {
		if !s.send(work{message: m}) {
			return false
		}
	}
	return true
}

// prepare finds the clocks of the message's sites and hashes its devices.
func (e *Engine) prepare(m *message) {
	if minute := m.Stamp / 60_000; minute != e.minute {
		// Every site's clock moves once a minute, whether it has rows or not.
		e.minute = minute
		daily := minute%(24*60) == 0
		if daily {
			e.ledger.trim(m.Stamp - ledgerKept)
		}
		for _, site := range e.facts.list() {
			e.facts.forget(site, m.Stamp, daily)
			if site.Clock != event.ClockEvent && !hasSite(m.Sites, site.ID) {
				m.Sites = append(m.Sites, event.Rows{Site: site.ID})
			}
		}
	}
	m.sites, m.hashes = m.sites[:0], m.hashes[:min(len(m.Sites), cap(m.hashes))]
	for len(m.hashes) < len(m.Sites) {
		m.hashes = append(m.hashes, nil)
	}
	for i := range m.Sites {
		rows := &m.Sites[i]
		clock := siteClock{}
		if site, ok := e.facts.site(rows.Site); ok {
			clock = siteClock{now: m.Stamp, window: site.WindowDuration().Milliseconds(), known: true}
			if site.Clock == event.ClockEvent {
				if rows.HasClock {
					e.facts.setClock(rows.Site, rows.Clock)
				}
				clock.now, clock.known = e.facts.clock(rows.Site)
			}
		}
		m.sites = append(m.sites, clock)
		h := m.hashes[i][:0]
		last, hash := uint32(0), subject.Hash("")
		for _, d := range rows.Device[:rows.N] {
			if d != last {
				last, hash = d, subject.Hash(m.Strings[d])
			}
			h = append(h, hash)
		}
		m.hashes[i] = h
	}
}

func hasSite(rows []event.Rows, id string) bool {
	for i := range rows {
		if rows[i].Site == id {
			return true
		}
	}
	return false
}

// fact applies a fact: to the engine, or to the shard that it belongs to.
func (e *Engine) fact(f *event.Fact, stamp int64) {
	if f.Kind == event.FactSeen {
		seen := *f
		for _, s := range e.shards {
			s.send(work{command: func(s *shard) { s.seen(&seen) }})
		}
		return
	}
	if f.Kind == event.FactErase {
		e.facts.erase(strings.Clone(f.Site), strings.Clone(f.Key))
		return
	}
	e.facts.apply(f, stamp)
	if f.Kind == event.FactSite && len(f.Value) == 0 {
		site := f.Key
		for _, s := range e.shards {
			s.send(work{command: func(s *shard) { delete(s.applier.sites, site); s.ledger.forget(site); s.gone = append(s.gone, site) }})
		}
		e.ledger.forget(site)
	}
}

// release notes that a shard has applied a message.
func (e *Engine) release(m *message) {
	if atomic.AddInt32(&m.left, -1) == 0 {
		position := m.position
		m.raw = nil
		e.pool.Put(m)
		e.finished(position)
	}
}
