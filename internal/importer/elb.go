package importer

import (
	"bytes"
	"net/netip"
)

// elb reads a line of Amazon's load balancers: of the classic one, or of the
// application one, which has the kind of connection in front.
//
//	http 2018-07-02T22:23:00.186641Z app/lb/50dc 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - …
func (p *Parser) elb(line []byte, e *Entry) error {
	c := cursor{line: line}
	word := c.word("kind or time")
	ms, ok := isoTime(word)
	if !ok && c.err == nil {
		if ms, ok = isoTime(c.word("time")); !ok {
			c.fail("a time like 2018-07-02T22:23:00.186641Z")
		}
	}
	e.Time = ms
	c.word("load balancer")
	client := c.word("client")
	c.word("target")
	for range 3 {
		c.word("duration")
	}
	e.Status = int(wholeNumber(c.word("status"), 999))
	c.word("status of the target")
	c.word("bytes received")
	e.Bytes = wholeNumber(c.word("bytes sent"), maxSize)
	splitRequest(p.quoted(&c, "request"), e)
	if c.err == nil && c.at < len(line) {
		c.expect(' ', "a blank after the request")
		e.Agent = dash(p.quoted(&c, "user agent"))
	}
	if c.err != nil {
		return c.err
	}
	if e.IP, ok = withoutPort(client); !ok {
		c.fail("an address and a port of the client")
	}
	return c.err
}

// withoutPort returns the address of address:port; "-" is none.
func withoutPort(client []byte) (address []byte, ok bool) {
	if dash(client) == nil {
		return nil, true
	}
	if _, err := netip.ParseAddrPort(string(client)); err == nil {
		return bytes.Trim(client[:bytes.LastIndexByte(client, ':')], "[]"), true
	}
	i := bytes.LastIndexByte(client, ':') // an IPv6 address without brackets, as HAProxy has it
	if i < 0 || !allDigits(client[i+1:]) {
		return nil, false
	}
	_, err := netip.ParseAddr(string(client[:i]))
	return client[:i], err == nil
}
