package importer

import (
	"bytes"
	"fmt"
	"net/url"
	"unicode/utf8"
)

// cloudFrontColumns says where in a line each field stands, from 1; 0: nowhere.
// A file names its fields in its second line; until then they are as CloudFront
// has them by default.
type cloudFrontColumns struct {
	known bool
	at    [numCloudFront]int
}

// The fields of a CloudFront log that are read.
const (
	cloudDate = iota
	cloudTime
	cloudBytes
	cloudIP
	cloudMethod
	cloudHost
	cloudPath
	cloudStatus
	cloudReferrer
	cloudAgent
	cloudQuery
	cloudViewerHost
	cloudProtocol
	numCloudFront
)

var cloudFrontNames = [numCloudFront]string{"date", "time", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status",
	"cs(Referer)", "cs(User-Agent)", "cs-uri-query", "x-host-header", "cs-protocol-version"}

// cloudFrontDefault is the order of the standard log's fields.
const cloudFrontDefault = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version"

func (c *cloudFrontColumns) set(fields []byte) {
	*c = cloudFrontColumns{known: true}
	for i, name := range bytes.Fields(fields) {
		for field, known := range cloudFrontNames {
			if string(name) == known {
				c.at[field] = i + 1
			}
		}
	}
}

// cloudFront reads a line of fields between tabs, with percent escapes.
func (p *Parser) cloudFront(line []byte, e *Entry) error {
	if fields, ok := bytes.CutPrefix(line, []byte("#Fields:")); ok {
		p.columns.set(fields)
		return errNoRequest
	}
	if bytes.HasPrefix(line, []byte("#")) {
		return errNoRequest
	}
	if !p.columns.known {
		p.columns.set([]byte(cloudFrontDefault))
	}
	var values [numCloudFront][]byte
	n := 0
	for rest, more := line, true; more; {
		var value []byte
		value, rest, more = bytes.Cut(rest, []byte("\t"))
		n++
		for field, at := range p.columns.at {
			if at == n {
				values[field] = dash(value)
			}
		}
	}
	at := append(append(append(p.scratch, values[cloudDate]...), 'T'), values[cloudTime]...)
	var ok bool
	if e.Time, ok = isoTime(append(at, 'Z')); !ok {
		return fmt.Errorf("byte 1: expected a date, a tab and a time, as 2019-12-04 and 21:02:31")
	}
	if len(values[cloudMethod]) == 0 || len(values[cloudPath]) == 0 || len(values[cloudIP]) == 0 {
		return fmt.Errorf("byte 1: expected at least %d fields between tabs, c-ip, cs-method and cs-uri-stem among them", p.columns.at[cloudPath])
	}
	e.IP, e.Method, e.Protocol = values[cloudIP], values[cloudMethod], values[cloudProtocol]
	if e.Host = values[cloudViewerHost]; e.Host == nil {
		e.Host = values[cloudHost]
	}
	if e.Target = values[cloudPath]; values[cloudQuery] != nil {
		e.Target = append(append(append([]byte(nil), e.Target...), '?'), values[cloudQuery]...)
	}
	e.Referrer, e.Agent = unescaped(values[cloudReferrer]), unescaped(values[cloudAgent])
	e.Status, e.Bytes = int(wholeNumber(values[cloudStatus], 999)), wholeNumber(values[cloudBytes], maxSize)
	return nil
}

// unescaped undoes the percent escapes of a field; what is none stays.
func unescaped(field []byte) []byte {
	if bytes.IndexByte(field, '%') < 0 {
		return field
	}
	text, err := url.PathUnescape(string(field))
	if err != nil || !utf8.ValidString(text) {
		return field
	}
	return []byte(text)
}
