package collect

import (
	"net/netip"

	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
)

// connection is what follows from the agent and the address of a reader.
type connection struct {
	agent           *enrich.Agent // nil: it is not known
	place           *enrich.Place // nil: no address is known
	class, operator string        // of a robot
}

// setAgent sets what follows from a user agent.
func (c *connection) setAgent(agent *enrich.Agent) {
	c.agent, c.class, c.operator = agent, agent.Class, agent.Operator
}

// person takes back that it is a robot.
func (c *connection) person() { c.class, c.operator = "", "" }

// set sets the columns of ev.
func (c *connection) set(ev *event.Event) {
	if p := c.place; p != nil {
		ev.Columns[event.ColCountry], ev.Columns[event.ColRegion], ev.Columns[event.ColCity] = p.Country, p.Region, p.City
	}
	if c.agent == nil {
		return
	}
	ev.Columns[event.ColDeviceClass], ev.Columns[event.ColBrowser], ev.Columns[event.ColOS] = c.agent.Device, c.agent.Browser, c.agent.OS
	if c.class != "" {
		ev.Columns[event.ColBotClass], ev.Columns[event.ColBotOperator] = c.class, c.operator
		ev.Flags |= event.FlagRobot
	}
}

// Verified says whether a visitor is a robot that is known to be its operator's.
// It does not wait: DNS may not have been asked yet.
func (c *Collector) Verified(v *Visitor) bool {
	return v.who.class != "" && c.enrich.Crawlers.Verified(v.who.operator, v.Address)
}

// placeOf says where an address is used, where the site lets it be used for that.
func (c *Collector) placeOf(site *siteInfo, address netip.Addr) *enrich.Place {
	if site.Privacy.IP == "none" {
		return nil
	}
	return c.enrich.Geo.Place(address)
}

// connectionOf says what follows from the headers and the address of a request
// with a write key.
func (c *Collector) connectionOf(site *siteInfo, q *Request, agent string, address netip.Addr, secure bool) (who connection) {
	who.place = c.placeOf(site, address)
	if agent == "" {
		return who
	}
	who.setAgent(c.enrich.Agents.Parse(agent))
	switch {
	case who.class == enrich.ClassLibrary && !q.Fetch:
		// An HTTP library that sends an event is no reader and no robot that
		// reads: its program tells of a reader, whose place is not its own.
		return connection{}
	case who.class == enrich.ClassAutomation && address.IsLoopback():
		who.person() // the publisher's own tests
	case who.class == "":
		hints := enrich.Hints{Secure: secure, Brands: q.Header.Get("Sec-CH-UA"), Platform: q.Header.Get("Sec-CH-UA-Platform"),
			FetchSite: q.Header.Get("Sec-Fetch-Site"), Languages: q.Header.Get("Accept-Language")}
		if hints.Contradicts(who.agent) {
			who.class = enrich.ClassSuspect
		}
	}
	return who
}
