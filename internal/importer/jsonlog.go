package importer

import (
	"fmt"

	"github.com/valyala/fastjson"
)

// nginxJSON reads an object with nginx's names of variables, as log_format with
// escape=json writes it. Of several names of one thing the first that is there
// counts; others are ignored.
func (p *Parser) nginxJSON(line []byte, e *Entry) error {
	v, err := p.object(line)
	if err != nil {
		return err
	}
	found := func(names ...string) []byte { return firstText(v, names) }
	var ok bool
	if e.Time, ok = anyTime(found("time_iso8601", "msec", "time_local", "time", "timestamp", "@timestamp", "ts")); !ok {
		return fmt.Errorf("byte 1: expected an object with a time as time_iso8601, msec or time_local")
	}
	if request := found("request"); request != nil {
		splitRequest(request, e)
	}
	for _, part := range []struct {
		to    *[]byte
		names []string
	}{
		{&e.Method, []string{"request_method", "method"}},
		{&e.Target, []string{"request_uri", "uri", "path"}},
		{&e.Protocol, []string{"server_protocol", "protocol"}},
		{&e.Host, []string{"host", "http_host", "server_name"}},
		{&e.IP, []string{"remote_addr", "client_ip", "remote_ip", "realip_remote_addr"}},
		{&e.User, []string{"remote_user"}},
		{&e.Referrer, []string{"http_referer", "http_referrer", "referer", "referrer"}},
		{&e.Agent, []string{"http_user_agent", "user_agent", "agent"}},
	} {
		if value := dash(found(part.names...)); value != nil {
			*part.to = value
		}
	}
	if len(e.Target) == 0 {
		return fmt.Errorf("byte 1: expected an object with request, or request_uri")
	}
	e.Status, e.Bytes = int(wholeNumber(found("status"), 999)), wholeNumber(found("body_bytes_sent", "bytes_sent", "bytes"), maxSize)
	return nil
}

// caddyJSON reads what Caddy's access log has.
func (p *Parser) caddyJSON(line []byte, e *Entry) error {
	v, err := p.object(line)
	if err != nil {
		return err
	}
	r := v.Get("request")
	var ok bool
	if e.Time, ok = anyTime(firstText(v, []string{"ts"})); !ok || r == nil || len(r.GetStringBytes("uri")) == 0 {
		return fmt.Errorf("byte 1: expected an object with ts and request.uri, as Caddy writes it")
	}
	e.Method, e.Target, e.Protocol, e.Host = r.GetStringBytes("method"), r.GetStringBytes("uri"), r.GetStringBytes("proto"), r.GetStringBytes("host")
	e.IP = firstText(r, []string{"client_ip", "remote_ip", "remote_addr"})
	e.Referrer, e.Agent = r.GetStringBytes("headers", "Referer", "0"), r.GetStringBytes("headers", "User-Agent", "0")
	e.User = dash(v.GetStringBytes("user_id"))
	e.Status, e.Bytes = int(wholeNumber(firstText(v, []string{"status"}), 999)), wholeNumber(firstText(v, []string{"size"}), maxSize)
	return nil
}

// object reads a line as a JSON object.
func (p *Parser) object(line []byte) (*fastjson.Value, error) {
	if len(line) == 0 || line[0] != '{' {
		return nil, fmt.Errorf("byte 1: expected a JSON object")
	}
	v, err := p.json.ParseBytes(line)
	if err != nil {
		return nil, fmt.Errorf("byte 1: expected a JSON object: %w", err)
	}
	return v, nil
}

// firstText returns the first member that is there and not empty, a number as it
// is written.
func firstText(v *fastjson.Value, names []string) []byte {
	for _, name := range names {
		switch member := v.Get(name); {
		case member == nil:
		case member.Type() == fastjson.TypeString:
			if text := member.GetStringBytes(); len(text) > 0 {
				return text
			}
		case member.Type() == fastjson.TypeNumber:
			return member.MarshalTo(nil)
		}
	}
	return nil
}

// maxSize bounds the bytes of an answer.
const maxSize = 1 << 50

// wholeNumber reads a number of at most most; -1 if it is none.
func wholeNumber(digits []byte, most int64) int64 {
	if len(digits) == 0 || len(digits) > 16 || !allDigits(digits) {
		return -1
	}
	n := int64(0)
	for _, c := range digits {
		n = 10*n + int64(c-'0')
	}
	if n > most {
		return -1
	}
	return n
}
