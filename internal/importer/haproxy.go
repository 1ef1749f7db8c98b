package importer

import "bytes"

// haproxy reads a line of HAProxy's HTTP log, with or without what syslog puts
// before it. Its times have no zone: they are read as UTC, which is what
// servers are set to.
//
//	Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"
func (p *Parser) haproxy(line []byte, e *Entry) error {
	c := cursor{line: line}
	before := c.upTo(" [", "client")
	ok := false
	if e.IP, ok = withoutPort(before[bytes.LastIndexByte(before, ' ')+1:]); !ok && c.err == nil {
		c.at = 0
		c.fail("an address and a port before [time]")
	}
	const shape = "06/Feb/2009:12:14:14.655] "
	if rest := line[c.at:]; c.err == nil && len(rest) >= len(shape) && rest[20] == '.' && allDigits(rest[21:24]) && rest[24] == ']' {
		var ms int64
		if ms, ok = clfTime(append(append(p.scratch, rest[:20]...), " +0000"...)); ok {
			e.Time = ms + wholeNumber(rest[21:24], 999)
			c.at += len(shape)
		}
	} else {
		ok = false
	}
	if !ok {
		c.fail("a time like " + shape[:len(shape)-2])
	}
	for _, what := range []string{"frontend", "backend/server", "timers"} {
		c.word(what)
	}
	e.Status = int(wholeNumber(c.word("status"), 999))
	e.Bytes = wholeNumber(c.word("bytes"), maxSize)
	for _, what := range []string{"request cookie", "response cookie", "state", "connections", "queues"} {
		c.word(what)
	}
	if c.err == nil {
		if i := bytes.IndexByte(line[c.at:], '"'); i >= 0 {
			c.at += i // captured headers stand between
		}
	}
	splitRequest(p.quoted(&c, "request"), e)
	return c.err
}
