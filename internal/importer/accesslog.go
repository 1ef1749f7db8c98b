package importer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// Entry is one request of an access log. Its byte slices are nil where the log
// says "-" or nothing; they alias the parsed line or the parser's scratch and
// hold until the next Parse.
type Entry struct {
	Host     []byte // virtual host, of formats that begin with one
	IP       []byte
	User     []byte
	Time     int64 // Unix milliseconds
	Method   []byte
	Target   []byte
	Protocol []byte
	Status   int   // -1 if the log has none
	Bytes    int64 // -1 if the log has none
	Referrer []byte
	Agent    []byte
}

// Format is a way to write an access log.
type Format int

// The formats that are known. nginx's default, also called combined, is
// Combined; fields after the ones named here are ignored, so formats that only
// add to them are read too.
const (
	Common     Format = iota // host ident user [time] "request" status bytes
	Combined                 // Common "referer" "user agent"
	VHost                    // host:port Combined
	NginxJSON                // an object a line, with nginx's names (jsonlog.go)
	CaddyJSON                // Caddy's object a line (jsonlog.go)
	CloudFront               // Amazon CloudFront's standard log (cloudfront.go)
	ELB                      // Amazon's load balancers, classic and application (elb.go)
	HAProxy                  // HAProxy's HTTP log (haproxy.go)
	numFormat  = iota
)

var formatNames = [numFormat]string{"common", "combined", "vhost_combined", "nginx_json", "caddy_json", "cloudfront", "elb", "haproxy"}

// FormatNames lists the formats for people.
func FormatNames() string { return strings.Join(formatNames[:], ", ") }

// errNoRequest says that a line is as it should be and no request: a header.
var errNoRequest = errors.New("no request")

// String returns the format's name, as --format takes it.
func (f Format) String() string { return formatNames[f] }

// ParseFormat finds a format by name.
func ParseFormat(name string) (Format, error) {
	for f, n := range formatNames {
		if n == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("unknown access-log format %q: it is one of %s", name, FormatNames())
}

// Parser reads the lines of one access log. The zero value reads Common; it
// keeps scratch space, so it is not safe for concurrent use.
type Parser struct {
	Format  Format
	scratch []byte
	json    fastjson.Parser
	columns cloudFrontColumns
}

// Parse reads line into e. An error says what is wrong and at which byte; e is
// then undefined.
func (p *Parser) Parse(line []byte, e *Entry) error {
	*e = Entry{Status: -1, Bytes: -1}
	p.scratch = p.scratch[:0]
	switch p.Format {
	case NginxJSON:
		return p.nginxJSON(line, e)
	case CaddyJSON:
		return p.caddyJSON(line, e)
	case CloudFront:
		return p.cloudFront(line, e)
	case ELB:
		return p.elb(line, e)
	case HAProxy:
		return p.haproxy(line, e)
	}
	return p.common(line, e)
}

// common reads Common, Combined and VHost.
func (p *Parser) common(line []byte, e *Entry) error {
	c := cursor{line: line}
	if p.Format == VHost {
		host := c.word("virtual host")
		if i := bytes.LastIndexByte(host, ':'); i >= 0 && allDigits(host[i+1:]) {
			host = host[:i]
		}
		e.Host = dash(host)
	}
	e.IP = dash(c.word("address"))
	if p.Format == VHost && !bytes.ContainsAny(e.IP, ".:") {
		c.fail("an address after the virtual host")
	}
	c.word("identity")
	e.User = dash(c.upTo(" [", "user"))
	e.Time = c.time()
	c.expect(' ', "a blank after the time")
	request := p.quoted(&c, "request")
	c.expect(' ', "a blank after the request")
	e.Status = c.status()
	e.Bytes = c.size()
	if p.Format != Common {
		c.expect(' ', "a blank after the size")
		e.Referrer = dash(p.quoted(&c, "referrer"))
		c.expect(' ', "a blank after the referrer")
		e.Agent = dash(p.quoted(&c, "user agent"))
	}
	if c.err == nil && c.at < len(line) && line[c.at] != ' ' {
		c.fail("a blank before further fields")
	}
	if c.err != nil {
		return c.err
	}
	splitRequest(request, e)
	return nil
}

// splitRequest fills method, target and protocol. What is not a request line
// (servers log "-" or whatever bytes came) leaves them empty.
func splitRequest(request []byte, e *Entry) {
	method, rest, ok := bytes.Cut(request, []byte(" "))
	if !ok || len(method) == 0 || len(method) > 32 {
		return
	}
	for _, c := range method {
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return
		}
	}
	target := rest
	var protocol []byte
	if i := bytes.LastIndexByte(rest, ' '); i >= 0 && bytes.HasPrefix(rest[i+1:], []byte("HTTP/")) {
		target, protocol = rest[:i], rest[i+1:]
	}
	if len(target) == 0 {
		return
	}
	e.Method, e.Target, e.Protocol = method, target, protocol
}

// cursor walks a line; after the first failure it stands still.
type cursor struct {
	line []byte
	at   int
	err  error
}

func (c *cursor) fail(want string) {
	if c.err == nil {
		c.err = fmt.Errorf("byte %d: expected %s", c.at+1, want)
	}
}

func (c *cursor) expect(b byte, want string) {
	if c.err != nil {
		return
	}
	if c.at >= len(c.line) || c.line[c.at] != b {
		c.fail(want)
		return
	}
	c.at++
}

// word takes a field that ends at a blank, and the blank.
func (c *cursor) word(what string) []byte {
	if c.err != nil {
		return nil
	}
	n := bytes.IndexByte(c.line[c.at:], ' ')
	if n <= 0 {
		c.fail(what + " and a blank")
		return nil
	}
	w := c.line[c.at : c.at+n]
	c.at += n + 1
	return w
}

// upTo takes what stands before end, and end. Apache writes the user as it was
// sent, blanks included.
func (c *cursor) upTo(end, what string) []byte {
	if c.err != nil {
		return nil
	}
	n := bytes.Index(c.line[c.at:], []byte(end))
	if n < 0 {
		c.fail(what + " and [time]")
		return nil
	}
	w := c.line[c.at : c.at+n]
	c.at += n + len(end)
	return w
}

// time takes 17/May/2015:10:05:03 +0000] and returns Unix milliseconds.
func (c *cursor) time() int64 {
	const shape = "17/May/2015:10:05:03 +0000]"
	if c.err != nil {
		return 0
	}
	t := c.line[c.at:]
	if len(t) < len(shape) || t[len(shape)-1] != ']' {
		c.fail("a time like " + shape[:len(shape)-1])
		return 0
	}
	ms, ok := clfTime(t[:len(shape)-1])
	if !ok {
		c.fail("a time like " + shape[:len(shape)-1])
		return 0
	}
	c.at += len(shape)
	return ms
}

// quoted takes a field in quotes, undoing the escapes of Apache and nginx.
func (p *Parser) quoted(c *cursor, what string) []byte {
	c.expect('"', `a " before the `+what)
	if c.err != nil {
		return nil
	}
	start, escaped := c.at, false
	for i := start; i < len(c.line); i++ {
		switch c.line[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			field := c.line[start:i]
			c.at = i + 1
			if escaped {
				return p.unescape(field)
			}
			return field
		}
	}
	c.at = len(c.line)
	c.fail(`a " that ends the ` + what)
	return nil
}

// unescape undoes \", \\, \n, \r, \t and \xHH. A field whose bytes are then
// not UTF-8 is kept as the log wrote it, so that nothing is lost.
func (p *Parser) unescape(field []byte) []byte {
	start := len(p.scratch)
	out := p.scratch
	for i := 0; i < len(field); i++ {
		if field[i] != '\\' || i+1 == len(field) {
			out = append(out, field[i])
			continue
		}
		i++
		switch field[i] {
		case '"', '\\':
			out = append(out, field[i])
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'x':
			if i+2 < len(field) {
				hi, lo := hexDigit(field[i+1]), hexDigit(field[i+2])
				if hi >= 0 && lo >= 0 {
					out = append(out, byte(hi<<4|lo))
					i += 2
					continue
				}
			}
			out = append(out, '\\', 'x')
		default:
			out = append(out, '\\', field[i])
		}
	}
	p.scratch = out
	if !utf8.Valid(out[start:]) {
		return field
	}
	return out[start:len(out):len(out)]
}

func (c *cursor) status() int {
	if c.err != nil {
		return -1
	}
	t := c.line[c.at:]
	switch {
	case len(t) >= 4 && allDigits(t[:3]) && t[3] == ' ':
		c.at += 4
		return int(t[0]-'0')*100 + int(t[1]-'0')*10 + int(t[2]-'0')
	case len(t) >= 2 && t[0] == '-' && t[1] == ' ':
		c.at += 2
		return -1
	}
	c.fail("a status of three digits")
	return -1
}

func (c *cursor) size() int64 {
	if c.err != nil {
		return -1
	}
	t := c.line[c.at:]
	n := bytes.IndexByte(t, ' ')
	if n < 0 {
		n = len(t)
	}
	if n == 1 && t[0] == '-' {
		c.at++
		return -1
	}
	v, err := decimal(t[:n])
	if err != nil {
		c.fail("a number of bytes or -")
		return -1
	}
	c.at += n
	return v
}

var errNumber = errors.New("not a number")

func decimal(digits []byte) (int64, error) {
	if len(digits) == 0 || len(digits) > 18 || !allDigits(digits) {
		return 0, errNumber
	}
	v := int64(0)
	for _, d := range digits {
		v = v*10 + int64(d-'0')
	}
	return v, nil
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func dash(b []byte) []byte {
	if len(b) == 0 || len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}
