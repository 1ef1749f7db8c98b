package load

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// tokenLen is the length of a token: the id of an event.
const tokenLen = 24

// Mix says what the simulated readers send.
type Mix struct {
	Devices int     // how many devices there are; they return by a Zipf law
	Items   int     // how many items there are; they are read by a Zipf law
	Host    string  // if set, events name the page's address on it
	Numbers bool    // events carry their token as property "load", to be found again
	Engaged float64 // share of page views that are followed by an engagement
	Clicks  float64 // share of page views that are followed by a click
}

// DefaultMix is what readers of a newspaper send, roughly.
func DefaultMix() Mix {
	return Mix{Devices: 200_000, Items: 5_000, Engaged: 0.3, Clicks: 0.05}
}

// hole is a place of a template that a token is written to.
type hole struct {
	at   int
	back int // how many events before this one the token's event lies
}

// template is the text of one request, head and body, but for the tokens.
type template struct {
	text  []byte
	holes []hole
	// event is the number of the template's event that each hole belongs to.
	event []int
	fresh bool // refers to no event of a template before
}

// corpus is a seeded run of requests that connections send round and round,
// each from another place and with tokens of its own, so that sending one is a
// copy and a few bytes.
type corpus struct {
	templates []template
	starts    []int // templates that are fresh
	batch     int
}

// newCorpus makes about 16 MB of requests at most.
func newCorpus(seed uint64, mix Mix, batch int, head func(size int) string) *corpus {
	rng := rand.New(rand.NewPCG(seed, 1))
	devices := rand.NewZipf(rng, 1.05, 50, uint64(max(mix.Devices, 1)-1))
	items := rand.NewZipf(rng, 1.1, 5, uint64(max(mix.Items, 1)-1))
	c := &corpus{batch: batch}
	size, gen := 0, generator{rng: rng, mix: mix, devices: devices, items: items}
	for len(c.templates) < 4096 && (size < 16<<20 || len(c.templates) < 16) {
		t := gen.request(batch, head)
		if t.fresh {
			c.starts = append(c.starts, len(c.templates))
		}
		size += len(t.text)
		c.templates = append(c.templates, t)
	}
	return c
}

// generator writes one reader's session after the other.
type generator struct {
	rng            *rand.Rand
	mix            Mix
	devices, items *rand.Zipf

	device, item uint64
	pages        int // left in this session
	follow       []string
	since        int // events since the page view
}

var referrers = []string{"", "", "", "https://www.google.com/", "https://news.google.com/", "https://t.co/x", "https://www.facebook.com/", "https://newsletter.example/"}

// request makes a template of batch events.
func (g *generator) request(batch int, head func(size int) string) template {
	t := template{fresh: true}
	var body []byte
	if batch > 1 {
		body = append(body, '[')
	}
	for i := range batch {
		if i > 0 {
			body = append(body, ',')
		}
		var back int
		body, back = g.event(body, &t, i)
		if back > i {
			t.fresh = false
		}
	}
	if batch > 1 {
		body = append(body, ']')
	}
	start := head(len(body))
	for i := range t.holes {
		t.holes[i].at += len(start)
	}
	t.text = append([]byte(start), body...)
	return t
}

// event appends the next event of the session; back is how many events before
// it the one lies that it refers to.
func (g *generator) event(b []byte, t *template, index int) (out []byte, back int) {
	token := func(back int) {
		t.holes = append(t.holes, hole{at: len(b), back: back})
		t.event = append(t.event, index)
		b = append(b, "000000000000000000000000"...)
	}
	typ := "page_view"
	if len(g.follow) > 0 {
		typ, g.follow = g.follow[0], g.follow[1:]
		g.since++
		back = g.since
	} else {
		if g.pages == 0 {
			g.device, g.pages = g.devices.Uint64(), 1+int(g.rng.ExpFloat64()*1.2)
		}
		g.pages--
		g.item, g.since = g.items.Uint64(), 0
		if g.rng.Float64() < g.mix.Engaged {
			g.follow = append(g.follow, "engagement")
		}
		if g.rng.Float64() < g.mix.Clicks {
			g.follow = append(g.follow, "click")
		}
	}
	b = append(b, `{"type":"`...)
	b = append(b, typ...)
	b = append(b, `","id":"`...)
	token(0)
	b = append(b, `","device":"`...)
	b = fmt.Appendf(b, "%016x", g.device*0x9e3779b97f4a7c15)
	b = append(b, '"')
	if typ == "engagement" {
		b = append(b, `,"view":"`...)
		token(back)
		b = append(b, `","engaged_seconds":`...)
		b = strconv.AppendInt(b, 1+g.rng.Int64N(40), 10)
		b = append(b, `,"scroll_percent":`...)
		b = strconv.AppendInt(b, g.rng.Int64N(101), 10)
		return append(b, '}'), back
	}
	if typ == "page_view" {
		b = append(b, `,"view":"`...)
		token(0)
		b = append(b, '"')
	}
	b = fmt.Appendf(b, `,"item":"a%d"`, g.item)
	if g.mix.Host != "" {
		b = fmt.Appendf(b, `,"url":"https://%s/section/article-%d"`, g.mix.Host, g.item)
	}
	if r := referrers[g.rng.IntN(len(referrers))]; r != "" && typ == "page_view" {
		b = append(b, `,"referrer":"`...)
		b = append(b, r...)
		b = append(b, '"')
	}
	b = fmt.Appendf(b, `,"properties":{"section":"s%d","position":%d`, g.item%12, g.rng.IntN(30))
	if g.mix.Numbers {
		b = append(b, `,"load":"`...)
		token(0)
		b = append(b, '"')
	}
	return append(b, '}', '}'), back
}

// appendRequest appends template i to dst for a connection whose next event
// has the number next.
func (c *corpus) appendRequest(dst []byte, i int, run uint32, conn uint16, next uint64) []byte {
	t := &c.templates[i]
	start := len(dst)
	dst = append(dst, t.text...)
	for k, h := range t.holes {
		writeToken(dst[start+h.at:], run, conn, next+uint64(t.event[k]-h.back))
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// writeToken writes tokenLen bytes: run, connection, number, in hexadecimal.
func writeToken(dst []byte, run uint32, conn uint16, number uint64) {
	_ = dst[tokenLen-1]
	for i := 7; i >= 0; i-- {
		dst[i] = hexDigits[run&15]
		run >>= 4
	}
	for i := 11; i >= 8; i-- {
		dst[i] = hexDigits[conn&15]
		conn >>= 4
	}
	for i := tokenLen - 1; i >= 12; i-- {
		dst[i] = hexDigits[number&15]
		number >>= 4
	}
}

// readToken is the inverse of writeToken.
func readToken(text []byte) (run uint32, conn uint16, number uint64, ok bool) {
	if len(text) < tokenLen {
		return 0, 0, 0, false
	}
	a, err1 := strconv.ParseUint(string(text[:8]), 16, 32)
	b, err2 := strconv.ParseUint(string(text[8:12]), 16, 16)
	n, err3 := strconv.ParseUint(string(text[12:tokenLen]), 16, 48)
	return uint32(a), uint16(b), n, err1 == nil && err2 == nil && err3 == nil
}
