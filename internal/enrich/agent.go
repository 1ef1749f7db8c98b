package enrich

import (
	"regexp"
	"strings"
	"sync"

	"github.com/ua-parser/uap-go/uaparser"
)

// Agent is what a user agent says. Missing texts are "".
type Agent struct {
	// Class is the class of a robot, "" for what looks like a person's browser.
	Class string
	// Operator is who runs the robot.
	Operator string
	// Robots have none of these, but for browsers that are driven.
	Device  string // one of the Device constants
	Browser string // family, as uap-core calls it: "Chrome Mobile"
	OS      string // family, as uap-core calls it: "Mac OS X"

	chromium int // major version that it names, 0 if it is no Chromium
	system   system
	engine   engine
}

// Robot says whether the agent is a robot's.
func (a *Agent) Robot() bool { return a.Class != "" }

// maxAgent is how much of a user agent is looked at, in bytes.
const maxAgent = 512

// maxTries bounds the patterns of all lists that are run on one agent, and so the
// time: 0.4 ms for one that is made of their literals (docs/measurements.md). The
// agents that uap-core and crawler-user-agents are tested with take at most 59.
const maxTries = 100

// Bounds of the cache of agents: a parse takes some 10 µs, a hit 50 ns.
const cachedAgents = 64 << 10

// Agents parses user agents and keeps what it found, bounded. Safe for
// concurrent use; an agent that is known costs no allocation.
type Agents struct{ known *cache[string, *Agent] }

// NewAgents makes an empty cache.
func NewAgents() *Agents { return &Agents{newCache[string, *Agent](cachedAgents)} }

// Parse returns what a user agent says; the result is shared. text may be of
// memory that is used again.
func (a *Agents) Parse(text string) *Agent {
	if len(text) > maxAgent {
		text = text[:maxAgent]
	}
	if known, ok := a.known.get(text); ok {
		return known
	}
	text = strings.Clone(text)
	agent := ParseAgent(text)
	a.known.put(text, agent)
	return agent
}

// ParseAgent is Agents.Parse without a cache.
func ParseAgent(text string) *Agent {
	if text == "" {
		return &Agent{}
	}
	text = strings.ToValidUTF8(text, "\uFFFD") // families are parts of it
	l := loadLists()
	a := &Agent{chromium: chromiumOf(text), system: systemOf(text)}
	a.engine = engineOf(text, a.chromium)
	tries := maxTries
	a.Class, a.Operator = l.robot(text, &tries)
	if a.Class == "" || a.Class == ClassAutomation {
		a.Browser, a.OS = l.browser(text, &tries), l.os(text, &tries)
		a.Device = deviceOf(text, a.OS)
	}
	return a
}

// lists are the lists of agents, ready to be asked.
type lists struct {
	parser             *uaparser.Parser
	browsers, systems  *patterns
	devices, crawlers  *patterns
	spiders            []bool // of devices: says that it is a robot
	classes, operators []string
}

// loadLists reads the lists when the first agent is parsed.
var loadLists = sync.OnceValue(func() *lists {
	parser, err := uaparser.New(uaparser.WithCacheSize(1))
	if err != nil {
		panic("enrich: the list of browsers is malformed: " + err.Error())
	}
	l := &lists{parser: parser, browsers: newPatterns(nil), systems: newPatterns(nil), devices: newPatterns(nil)}
	var exprs []*regexp.Regexp
	for _, p := range parser.UA {
		exprs = append(exprs, p.Reg)
	}
	l.browsers, exprs = compiled(exprs), nil
	for _, p := range parser.OS {
		exprs = append(exprs, p.Reg)
	}
	l.systems, exprs = compiled(exprs), nil
	for _, p := range parser.Device {
		exprs = append(exprs, p.Reg)
		l.spiders = append(l.spiders, p.DeviceReplacement == "Spider")
	}
	l.devices = compiled(exprs)
	l.loadCrawlers()
	return l
})

// compiled makes patterns of expressions that are compiled already.
func compiled(exprs []*regexp.Regexp) *patterns {
	texts := make([]string, len(exprs))
	for i, re := range exprs {
		texts[i] = re.String()
	}
	p := newPatterns(texts)
	for i, re := range exprs {
		p.list[i].re = re
		p.list[i].once.Do(func() {})
	}
	return p
}

// browser returns the family of an agent's browser.
func (l *lists) browser(text string, tries *int) string {
	var found uaparser.UserAgent
	if i := l.browsers.first(text, nil, tries); i >= 0 {
		l.parser.UA[i].Match(text, &found)
	}
	return found.Family
}

// os returns the family of an agent's operating system.
func (l *lists) os(text string, tries *int) string {
	var found uaparser.Os
	if i := l.systems.first(text, nil, tries); i >= 0 {
		l.parser.OS[i].Match(text, &found)
	}
	if found.Family == "Other" {
		return ""
	}
	return found.Family
}

// chromiumOf returns the major version that an agent names after Chrome/, 0 if
// it names none.
func chromiumOf(text string) int {
	const name = "Chrome/"
	at := strings.Index(text, name)
	if at < 0 {
		return 0
	}
	return leadingNumber(text[at+len(name):])
}

// leadingNumber returns the number at the start of a text, 0 if there is none
// or it has more than 6 digits.
func leadingNumber(text string) int {
	n := 0
	for i := 0; i < len(text) && text[i]-'0' <= 9; i++ {
		if i == 6 {
			return 0
		}
		n = 10*n + int(text[i]-'0')
	}
	return n
}
