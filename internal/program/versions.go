package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
)

// Facts is what is read of the engine.
type Facts interface {
	Fact(kind, site, key string) (value []byte, ok bool)
}

// Programs finds the programs of sites among the facts of the log, and keeps
// the plans of those that are in use.
type Programs struct {
	facts Facts

	mu    sync.Mutex
	plans map[string]*plans // by site
}

// plans are those of a site that were asked for lately.
type plans struct {
	settings string // of the site, that they depend on
	site     *event.Site
	latest   []*Compiled // the last one asked for first
	// active is the value of the fact that made state, so that it is read once.
	active []byte
	state  event.Active
}

// maxPlans is how many versions of a site's program are kept compiled.
const maxPlans = 8

// Compiled is a version of a site's program.
type Compiled struct {
	Version int // 0: Initial
	Plan    *plan.Program
	text    []byte // the fact that it was compiled from
}

// New returns the programs among facts.
func New(facts Facts) *Programs { return &Programs{facts: facts, plans: map[string]*plans{}} }

// State returns which version of a site's program is active, and which is the
// newest.
func (p *Programs) State(site string) (event.Active, error) {
	value, _ := p.facts.Fact(event.FactActive, site, "")
	return stateOf(site, value)
}

func stateOf(site string, value []byte) (a event.Active, err error) {
	if len(value) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(value, &a); err != nil {
		return a, fmt.Errorf("read which program of site %s is active: %w", site, err)
	}
	return a, nil
}

// Version returns a version of a site's program; version 0 is Initial.
func (p *Programs) Version(site string, version int) (program event.Program, ok bool, err error) {
	if version == 0 {
		return event.Program{Files: map[string]string{event.MainFile: Initial}}, true, nil
	}
	value, ok := p.facts.Fact(event.FactProgram, site, strconv.Itoa(version))
	if !ok {
		return program, false, nil
	}
	if err := json.Unmarshal(value, &program); err != nil {
		return program, false, fmt.Errorf("read version %d of the program of site %s: %w", version, site, err)
	}
	return program, true, nil
}

// Active returns the program that a site runs. A site's settings are part of
// what a program means, so it is compiled again when they change.
func (p *Programs) Active(site *event.Site) (*Compiled, error) {
	version, err := p.activeOf(site)
	if err != nil {
		return nil, err
	}
	return p.At(site, version)
}

// activeOf returns the number of the version that a site runs.
func (p *Programs) activeOf(site *event.Site) (version int, err error) {
	value, _ := p.facts.Fact(event.FactActive, site.ID, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.of(site)
	if !bytes.Equal(of.active, value) {
		state, err := stateOf(site.ID, value)
		if err != nil {
			return 0, err
		}
		of.active, of.state = value, state
	}
	return of.state.Version, nil
}

// ErrNotKept says that a version of a program is not kept any more.
var ErrNotKept = errors.New("this version of the program is not kept")

// At returns a version of a site's program as its settings have it now. It is
// compiled outside the lock: writers of the engine ask for versions too. Errors:
// ErrNotKept.
func (p *Programs) At(site *event.Site, version int) (*Compiled, error) {
	text, _ := p.facts.Fact(event.FactProgram, site.ID, strconv.Itoa(version))
	p.mu.Lock()
	c := p.of(site).find(version, text)
	p.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := p.compile(site.ID, version, Schema(site))
	if err != nil {
		return nil, err
	}
	c.text = text
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(site).keep(c)
	return c, nil
}

// of returns the plans of a site under its settings.
func (p *Programs) of(site *event.Site) *plans {
	of := p.plans[site.ID]
	if of != nil && of.site == site {
		return of
	}
	settings := Settings(site)
	if of == nil || of.settings != settings {
		of = &plans{settings: settings}
		p.plans[site.ID] = of
	}
	of.site = site
	return of
}

// Settings tells apart what of a site's settings a program's meaning depends on.
func Settings(site *event.Site) string {
	return site.Timezone + "\x00" + strings.ToLower(site.WeekStart) + "\x00" + site.WindowDuration().String()
}

// find returns a version that was compiled from a text, nil if there is none. A
// site that was removed and made again has other texts under the same numbers.
func (of *plans) find(version int, text []byte) *Compiled {
	i := slices.IndexFunc(of.latest, func(c *Compiled) bool { return c.Version == version && bytes.Equal(c.text, text) })
	if i < 0 {
		return nil
	}
	c := of.latest[i]
	if i > 0 {
		of.latest = slices.Insert(slices.Delete(of.latest, i, i+1), 0, c)
	}
	return c
}

// keep puts a version first, in place of what it was compiled from before.
func (of *plans) keep(c *Compiled) {
	of.latest = slices.DeleteFunc(of.latest, func(o *Compiled) bool { return o.Version == c.Version })
	of.latest = slices.Insert(of.latest[:min(len(of.latest), maxPlans-1)], 0, c)
}

func (p *Programs) compile(site string, version int, s *schema.Schema) (*Compiled, error) {
	text, ok, err := p.Version(site, version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("compile version %d of the program of site %s: %w", version, site, ErrNotKept)
	}
	checked := rubric.CheckText(text.Files, s)
	if !checked.OK() {
		return nil, fmt.Errorf("compile version %d of the program of site %s: %s", version, site, checked.Diagnostics[0].Message)
	}
	return &Compiled{Version: version, Plan: checked.Plan}, nil
}

// MaxVersions is how many versions of a site's program are kept, the active one
// beside them if it is older: facts stand in the log's snapshot of every day.
const MaxVersions = 200

// Stored returns the facts that add a version to a site's program and, if
// activate is set, have it hold from there on; its number is one after the
// newest.
func Stored(site string, state event.Active, program event.Program, activate bool) (version int, facts []event.Fact, err error) {
	value, err := json.Marshal(program)
	if err != nil {
		return 0, nil, fmt.Errorf("encode the program of site %s: %w", site, err)
	}
	before := state.Version
	state.Stored++
	version = state.Stored
	if activate {
		state.Version = version
	}
	active, err := json.Marshal(state)
	if err != nil {
		return 0, nil, fmt.Errorf("encode the state of the program of site %s: %w", site, err)
	}
	facts = []event.Fact{
		{Kind: event.FactProgram, Site: site, Key: strconv.Itoa(version), Value: value},
		{Kind: event.FactActive, Site: site, Value: active},
	}
	drop := func(old int) {
		facts = append(facts, event.Fact{Kind: event.FactProgram, Site: site, Key: strconv.Itoa(old)})
	}
	last := version - MaxVersions // the newest that goes
	if last > 0 && last != state.Version {
		drop(last)
	}
	if activate && before > 0 && before < last { // it was kept for being active
		drop(before)
	}
	return version, facts, nil
}

// Prepare returns the fact that has a stored version made ready beside the active
// one.
func Prepare(site string, version int) event.Fact {
	return event.Fact{Kind: event.FactPrepare, Site: site, Value: fmt.Appendf(nil, `{"version":%d}`, version)}
}

// Abandon returns the fact that ends what Prepare began.
func Abandon(site string) event.Fact { return event.Fact{Kind: event.FactPrepare, Site: site} }

// Activated returns the facts that have a stored version hold from there on.
func Activated(site string, state event.Active, version int) ([]event.Fact, error) {
	before := state.Version
	state.Version = version
	active, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("encode the state of the program of site %s: %w", site, err)
	}
	facts := []event.Fact{{Kind: event.FactActive, Site: site, Value: active}, Abandon(site)}
	if before > 0 && before <= state.Stored-MaxVersions { // it was kept for being active
		facts = append(facts, event.Fact{Kind: event.FactProgram, Site: site, Key: strconv.Itoa(before)})
	}
	return facts, nil
}
