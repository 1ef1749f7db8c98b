package engine

import (
	"encoding/json"
	"fmt"
	"slices"
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
	e.dispatched.Add(1)
	defer e.dispatched.Add(1)
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
				if it.one != nil && it.one != s {
					continue
				}
				if !s.send(work{command: it.command}) {
					return false
				}
			}
		}
		return e.Failure() == nil
	}
	<-e.room
	if uint64(it.position) <= e.received.Load() {
		return true
	}
	e.received.Store(uint64(it.position))
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
	if e.cfg.FactsOnly {
		for i := range m.Sites {
			m.Sites[i].N = 0
		}
	}
	if m.Stamp > e.logTime.Load() {
		e.logTime.Store(m.Stamp)
	}
	for i := range m.Facts {
		if !e.fact(m, &m.Facts[i]) {
			return false
		}
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
	e.watchSites(m)
	m.left = int32(len(e.shards))
	for _, s := range e.shards {
		if !s.send(work{message: m}) {
			return false
		}
	}
	return true
}

// prepare takes note of the message's sites as of it and hashes its devices.
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
		c := siteContext{}
		if site, ok := e.facts.site(rows.Site); ok {
			c = siteContext{now: m.Stamp, window: site.WindowDuration().Milliseconds(), known: true,
				site: site, profiles: e.facts.profilesOf(rows.Site), items: e.facts.catalog(rows.Site)}
			begun := e.facts.beginning(rows.Site)
			c.decided = begun.Cut == 0 || begun.Told
			if site.Clock == event.ClockEvent {
				if rows.HasClock {
					e.facts.setClock(rows.Site, rows.Clock)
				}
				c.now, c.known = e.facts.clock(rows.Site)
			}
		}
		if i < cap(m.sites) { // the memory that the message had before
			before := m.sites[:i+1][i].prepared
			clear(before)
			c.prepared = before[:0]
		}
		m.sites = append(m.sites, c)
		h := m.hashes[i][:0]
		last, hash := uint32(0), subject.Hash("")
		for _, d := range rows.Device[:rows.N] {
			if d != last {
				last, hash = d, subject.Hash(m.Strings[d])
			}
			h = append(h, hash)
		}
		m.hashes[i] = h
		e.prepareCommits(m, i)
	}
	m.exchange = nil
	if e.crosses(m) {
		m.exchange = newExchange(len(e.shards))
	}
}

// crosses says whether the shards have to meet in a message: it has rows of a
// site that knows accounts.
func (e *Engine) crosses(m *message) (crosses bool) {
	if len(e.shards) == 1 {
		return false
	}
	named := slices.ContainsFunc(m.Shapes, func(shape []uint32) bool { return slices.Contains(shape, uint32(event.ColAccount)) })
	for i := range m.Sites {
		rows := &m.Sites[i]
		if rows.N == 0 {
			continue
		}
		if named && !e.accounts[rows.Site] {
			e.accounts[strings.Clone(rows.Site)] = true
		}
		crosses = crosses || e.accounts[rows.Site]
	}
	return crosses
}

func hasSite(rows []event.Rows, id string) bool {
	for i := range rows {
		if rows[i].Site == id {
			return true
		}
	}
	return false
}

// fact applies a fact of a message: to the engine, or to the shards; false means
// that the engine has stopped.
func (e *Engine) fact(m *message, f *event.Fact) bool {
	own := event.Fact{Kind: f.Kind, Site: strings.Clone(f.Site), Key: strings.Clone(f.Key), Value: f.Value}
	site, known := e.facts.site(own.Site)
	switch {
	case f.Kind == event.FactBegin:
		e.begins(&own, m.Stamp)
		return true
	case e.cfg.FactsOnly && ofRows(f.Kind):
		return true
	case f.Kind == event.FactSeen:
		return !known || e.each(m, func(s *shard) { s.seen(&own) })
	case f.Kind == event.FactPair:
		return !known || e.each(m, func(s *shard) { s.pairs(&own) })
	case f.Kind == event.FactBurns && len(f.Value) == 0:
		return !known || e.tells(m, site)
	case f.Kind == event.FactBurns:
		return !known || e.each(m, func(s *shard) { s.burnsTold(&own) })
	case f.Kind == event.FactEmpty:
		reader, meter, ok := strings.Cut(own.Key, "\x00")
		return !known || !ok || e.each(m, func(s *shard) { s.applier.empty(own.Site, reader, meter) })
	case f.Kind == event.FactJoin:
		return !known || e.join(m, &own)
	case f.Kind == event.FactErase:
		if !known {
			return true
		}
		e.facts.erase(&own, m.Stamp)
		e.erasures.Add(1)
		return e.each(m, func(s *shard) { s.applier.erase(own.Site, own.Key) })
	}
	_, stood := e.facts.site(own.Key)
	e.facts.apply(f, m.Stamp)
	switch {
	case f.Kind == event.FactSite && len(f.Value) > 0 && !stood:
		if b := e.facts.beginning(own.Key); b.Cut == 0 { // else its snapshot brings it
			e.facts.begun(own.Key, beginning{Position: m.position})
		}
	case f.Kind == event.FactSite && len(f.Value) == 0:
		site := own.Key
		delete(e.accounts, site)
		e.ledger.forget(site)
		return e.each(m, func(s *shard) {
			s.unwatch(s.applier.sites[site])
			delete(s.applier.sites, site)
			s.ledger.forget(site)
			s.gone = append(s.gone, site)
		})
	}
	return true
}

// ofRows says whether facts of a kind are about rows of readers, or burns, and
// nothing else.
func ofRows(kind string) bool {
	switch kind {
	case event.FactSeen, event.FactPair, event.FactBurns, event.FactEmpty, event.FactJoin:
		return true
	}
	return false
}

// each runs fn in every shard, as part of a message; false means that the engine has
// stopped.
func (e *Engine) each(m *message, fn func(*shard)) bool {
	for _, s := range e.shards {
		if !s.send(work{command: fn, position: m.position}) {
			return false
		}
	}
	return true
}

// join lets the shards join the rows of a device to an account.
func (e *Engine) join(m *message, f *event.Fact) bool {
	var login event.Login
	if json.Unmarshal(f.Value, &login) != nil || login.Account == "" || f.Key == "" {
		return true
	}
	now := m.Stamp
	if s, ok := e.facts.site(f.Site); ok {
		now = e.siteClock(s)
	}
	step := &joinStep{position: m.position, stamp: m.Stamp, now: now, site: f.Site, device: f.Key, account: login.Account}
	if e.accounts[f.Site] = true; len(e.shards) > 1 {
		step.exchange = newExchange(len(e.shards))
	}
	for _, s := range e.shards {
		if !s.send(work{join: step}) {
			return false
		}
	}
	return true
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
