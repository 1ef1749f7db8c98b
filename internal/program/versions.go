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

	compiling sync.Mutex // one at a time: whoever wants the same one finds it then
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
	text := p.text(site, version)
	if !stands(version, text) {
		return program, false, nil
	}
	program, err = read(site, version, text)
	return program, err == nil, err
}

// read reads a version from its fact.
func read(site string, version int, text []byte) (program event.Program, err error) {
	if version == 0 {
		return event.Program{Files: map[string]string{event.MainFile: Initial}}, nil
	}
	if err := json.Unmarshal(text, &program); err != nil {
		return program, fmt.Errorf("read version %d of the program of site %s: %w", version, site, err)
	}
	return program, nil
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

// At returns a version of a site's program as its settings have it now. Errors:
// ErrNotKept.
func (p *Programs) At(site *event.Site, version int) (*Compiled, error) {
	text := p.text(site.ID, version)
	if c := p.find(site, version, text); c != nil {
		return c, nil
	}
	return p.compiled(site, version, text)
}

// Compiling is a version of a program that is on its way.
type Compiling struct {
	done     chan struct{}
	compiled *Compiled
	err      error
	panicked any
}

// Wait returns it. Errors: those of At.
func (c *Compiling) Wait() (*Compiled, error) {
	if <-c.done; c.panicked != nil {
		panic(c.panicked) // the engine stops with it
	}
	return c.compiled, c.err
}

// Begin returns a version of a site's program, or the active one where that cannot be
// had, as facts and settings have them now. Where it has to be compiled it does not
// wait: Compiling is not nil, and comes to the same whatever happens to the facts.
func (p *Programs) Begin(site *event.Site, version int) (*Compiled, *Compiling) {
	text := p.text(site.ID, version)
	if c := p.find(site, version, text); c != nil {
		return c, nil
	}
	active, failed := p.activeOf(site)
	instead := p.text(site.ID, active)
	if failed == nil && !stands(version, text) {
		if c := p.find(site, active, instead); c != nil {
			return c, nil
		}
	}
	c := &Compiling{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer func() { c.panicked = recover() }()
		if c.compiled, c.err = p.compiled(site, version, text); c.err == nil {
			return
		}
		if c.err = failed; failed == nil {
			c.compiled, c.err = p.compiled(site, active, instead)
		}
	}()
	return nil, c
}

// text returns the fact that a version is compiled from, empty if there is none.
func (p *Programs) text(site string, version int) []byte {
	text, _ := p.facts.Fact(event.FactProgram, site, strconv.Itoa(version))
	return text
}

// stands says whether there is a version with such a text.
func stands(version int, text []byte) bool { return version == 0 || len(text) > 0 }

// find returns what is compiled already, nil if it is not.
func (p *Programs) find(site *event.Site, version int, text []byte) *Compiled {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of(site).find(version, text)
}

// compiled compiles a version, unless somebody else has. Nobody waits for that who
// only wants what is compiled.
func (p *Programs) compiled(site *event.Site, version int, text []byte) (*Compiled, error) {
	p.compiling.Lock()
	defer p.compiling.Unlock()
	if c := p.find(site, version, text); c != nil {
		return c, nil
	}
	c, err := compile(site.ID, version, text, Schema(site))
	if err != nil {
		return nil, err
	}
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

func compile(site string, version int, text []byte, s *schema.Schema) (*Compiled, error) {
	if !stands(version, text) {
		return nil, fmt.Errorf("compile version %d of the program of site %s: %w", version, site, ErrNotKept)
	}
	program, err := read(site, version, text)
	if err != nil {
		return nil, err
	}
	checked := rubric.CheckText(program.Files, s)
	if !checked.OK() {
		return nil, fmt.Errorf("compile version %d of the program of site %s: %s", version, site, checked.Diagnostics[0].Message)
	}
	return &Compiled{Version: version, Plan: checked.Plan, text: text}, nil
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
