package demo

import (
	"math"
	"strconv"

	"github.com/readership/readership/internal/event"
)

// visit is one reader on the site. Each call of event is its next step.
type visit struct {
	reader *reader
	source *source
	at     int64 // of the next event, Unix milliseconds
	pages  int   // page views left
	done   bool

	page    *Article // nil: the front page
	url     string
	view    string
	seconds float64 // of attention left on this page
	scroll  uint8
	extra   string // event to send before the page is left, "" if none
	before  string // address of the page before
}

// pingSeconds is how often an open page reports attention.
const pingSeconds = 60

// event writes the visit's next event and plans the one after.
func (s *Simulator) event(v *visit, e *event.Event) {
	e.Reset()
	e.Time, e.Device = v.at, v.reader.device
	e.Columns[event.ColAccount] = v.reader.account
	s.made++
	e.ID = s.prefix + strconv.FormatUint(s.made, 36)
	switch {
	case v.view == "":
		s.open(v, e)
	case v.extra != "":
		s.act(v, e)
	default:
		s.attend(v, e)
	}
}

// open views the next page.
func (s *Simulator) open(v *visit, e *event.Event) {
	first := v.url == ""
	fresh := v.source.fresh
	if first && s.rng.Float64() < v.source.home {
		v.page = nil
	} else {
		if !first {
			fresh = s.rng.Float64() < 0.85
		}
		v.page = s.choose(fresh)
	}
	v.before, v.url = v.url, "https://"+domain+"/"
	item, path, title := homeID, "/", "Front page – "+siteName
	if v.page != nil {
		item, path, title, v.url = v.page.ID, v.page.Path, v.page.Title, v.page.URL
	}
	v.view = e.ID
	v.pages--

	c := &e.Columns
	c[event.ColType], c[event.ColItem], c[event.ColTitle] = event.TypePageView, item, title
	c[event.ColURL], c[event.ColHost], c[event.ColPath] = v.url, domain, path
	e.View = v.view
	s.technical(v, e)
	if first {
		s.arrivedFrom(v, e)
	} else {
		c[event.ColReferrer], c[event.ColReferrerHost], c[event.ColChannel] = v.before, domain, "internal"
	}

	if v.reader.agent.Robot() { // takes the page and goes on
		v.view, v.done = "", v.pages <= 0
		v.at += 500 + int64(s.rng.ExpFloat64()*9000)
		return
	}
	median := 34.0
	if v.page == nil {
		median = 11
	}
	v.seconds = median * math.Exp(0.95*s.rng.NormFloat64())
	hurry := 0.12
	if first && !v.reader.loyal {
		hurry = 0.38
	}
	if s.rng.Float64() < hurry {
		v.seconds = 1 + 5*s.rng.Float64() // looked and left
	}
	v.seconds = min(v.seconds, 900)
	v.scroll = uint8(min(100, 12+70*math.Sqrt(v.seconds/median)*s.rng.Float64()))
	v.extra = ""
	switch r := s.rng.Float64(); {
	case v.page == nil && r < 0.5 && v.pages > 0:
		v.extra = event.TypeClick
	case r < 0.004:
		v.extra = "newsletter"
	case r < 0.0055 && v.reader.account == "":
		v.extra = "subscription"
	case v.page != nil && v.page.Tier == "premium" && v.reader.account == "" && r < 0.35:
		v.extra = event.TypeWallShown
	case r > 0.985 && v.page != nil:
		v.extra = "share"
	}
	if v.extra == "" {
		v.at += s.nextPing(v)
	} else {
		v.at += int64(1000 * min(v.seconds, 5+20*s.rng.Float64()))
	}
}

// arrivedFrom says where the visit came from.
func (s *Simulator) arrivedFrom(v *visit, e *event.Event) {
	c := &e.Columns
	c[event.ColChannel] = v.source.channel
	if n := len(v.source.referrers); n > 0 {
		i := s.rng.IntN(n)
		c[event.ColReferrer], c[event.ColReferrerHost] = v.source.referrers[i], v.source.hosts[i]
	}
	u := v.source.campaign
	c[event.ColUTMSource], c[event.ColUTMMedium], c[event.ColUTMCampaign] = u[0], u[1], u[2]
}

// technical says what the reader's device is.
func (s *Simulator) technical(v *visit, e *event.Event) {
	c, r := &e.Columns, v.reader
	c[event.ColDeviceClass], c[event.ColBrowser], c[event.ColOS] = r.agent.Device, r.agent.Browser, r.agent.OS
	c[event.ColCountry], c[event.ColRegion], c[event.ColCity], c[event.ColLanguage] = r.place.Country, r.place.Region, r.place.City, r.lang
	if r.agent.Robot() {
		c[event.ColBotClass], c[event.ColBotOperator] = r.agent.Class, r.agent.Operator
		e.Flags |= event.FlagRobot | event.FlagCookieless
	}
}

// act does what the reader does on the page beside reading.
func (s *Simulator) act(v *visit, e *event.Event) {
	c := &e.Columns
	c[event.ColURL] = v.url
	c[event.ColHost], c[event.ColPath] = domain, "/"
	c[event.ColItem] = homeID
	if v.page != nil {
		c[event.ColItem], c[event.ColPath] = v.page.ID, v.page.Path
	}
	s.technical(v, e)
	c[event.ColType] = v.extra
	switch v.extra {
	case "newsletter":
		c[event.ColType] = event.TypeConversion
		e.Properties = append(e.Properties, event.Property{Name: "goal", Value: "newsletter"})
	case "subscription":
		c[event.ColType], c[event.ColCurrency] = event.TypeConversion, "EUR"
		e.Properties = append(e.Properties, event.Property{Name: "goal", Value: "subscription"})
		e.Value, e.Flags = 9_900_000, e.Flags|event.FlagHasValue
	case event.TypeClick:
		e.Properties = append(e.Properties, event.Property{Name: "teaser", Value: strconv.Itoa(1 + s.rng.IntN(20)), Kind: event.KindNumber})
	case "share":
		e.Properties = append(e.Properties, event.Property{Name: "network", Value: "link"})
	}
	v.extra = ""
	v.at += s.nextPing(v)
}

// nextPing is how long until attention is reported, in milliseconds.
func (s *Simulator) nextPing(v *visit) int64 {
	return 1 + int64(1000*min(v.seconds, pingSeconds)*(1+0.2*s.rng.Float64()))
}

// attend reports attention and stays, goes on to another page or leaves.
func (s *Simulator) attend(v *visit, e *event.Event) {
	e.Columns[event.ColType] = event.TypeEngagement
	e.View = v.view
	part := min(v.seconds, pingSeconds)
	v.seconds -= part
	e.EngagedMillis, e.Scroll = uint32(part*1000), v.scroll
	switch {
	case v.seconds > 0.5:
		v.at += s.nextPing(v)
	case v.pages > 0:
		v.view = ""
		v.at += 200 + s.rng.Int64N(1500)
	default:
		v.done = true
	}
}
