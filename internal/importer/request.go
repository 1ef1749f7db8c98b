package importer

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/readership/readership/internal/jsontext"
)

// requestEvents turns access-log entries into the JSON of events.
type requestEvents struct {
	parser Parser
	entry  Entry
	ids    lineIDs
	typ    string // request or page_view
	host   string // where the log names no host; "" leaves the path alone
	pages  bool   // only what a person would call a page
}

// translate appends the event of a line to dst, without line end. skip says
// that the line is fine but not wanted.
func (r *requestEvents) translate(dst, line []byte) (out []byte, skip bool, err error) {
	e := &r.entry
	if err := r.parser.Parse(line, e); errors.Is(err, errNoRequest) {
		return dst, true, nil
	} else if err != nil {
		return dst, false, err
	}
	if r.pages && !isPage(e) {
		return dst, true, nil
	}
	dst = append(dst, `{"id":"`...)
	dst = r.ids.append(dst, line)
	dst = append(dst, `","type":"`...)
	dst = append(dst, r.typ...)
	dst = append(dst, `","time":`...)
	dst = strconv.AppendInt(dst, e.Time, 10)
	if u := r.url(e); len(u) > 0 {
		dst = append(dst, `,"url":`...)
		dst = jsontext.Append(dst, u)
	}
	if len(e.Referrer) > 0 {
		dst = append(dst, `,"referrer":`...)
		dst = jsontext.Append(dst, e.Referrer)
	}
	if len(e.IP) > 0 {
		dst = append(dst, `,"ip":`...)
		dst = jsontext.Append(dst, e.IP)
	}
	if len(e.Agent) > 0 {
		dst = append(dst, `,"user_agent":`...)
		dst = jsontext.Append(dst, e.Agent)
	}
	dst = append(dst, `,"properties":{`...)
	empty := len(dst)
	text := func(name string, value []byte) {
		if len(value) == 0 {
			return
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		dst = jsontext.Append(dst, value)
	}
	number := func(name string, value int64) {
		if value < 0 {
			return
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		dst = strconv.AppendInt(dst, value, 10)
	}
	number("status", int64(e.Status))
	number("bytes", e.Bytes)
	text("method", e.Method)
	text("protocol", e.Protocol)
	return append(dst, '}', '}'), false, nil
}

// url returns the address of the request: with a host if one is known, else
// the path alone. A proxy's request names the whole address itself.
func (r *requestEvents) url(e *Entry) []byte {
	switch {
	case len(e.Target) == 0:
		return nil
	case e.Target[0] != '/':
		return e.Target
	case len(e.Host) > 0:
		return append(append([]byte("https://"), e.Host...), e.Target...)
	case r.host != "":
		return append(append([]byte("https://"), r.host...), e.Target...)
	}
	return e.Target
}

// notPages are the endings of addresses that are parts of pages.
var notPages = [][]byte{
	[]byte(".css"), []byte(".js"), []byte(".mjs"), []byte(".map"), []byte(".json"), []byte(".xml"), []byte(".txt"),
	[]byte(".png"), []byte(".jpg"), []byte(".jpeg"), []byte(".gif"), []byte(".svg"), []byte(".ico"), []byte(".webp"), []byte(".avif"),
	[]byte(".woff"), []byte(".woff2"), []byte(".ttf"), []byte(".eot"), []byte(".mp3"), []byte(".mp4"), []byte(".webm"),
	[]byte(".zip"), []byte(".gz"), []byte(".jar"), []byte(".wasm"),
}

// isPage says whether an entry is an answered GET of something that is not a
// part of a page.
func isPage(e *Entry) bool {
	if string(e.Method) != "GET" || e.Status != 200 && e.Status != 203 && e.Status != 304 {
		return false
	}
	path, _, _ := bytes.Cut(e.Target, []byte("?"))
	for _, end := range notPages {
		if len(path) >= len(end) && bytes.EqualFold(path[len(path)-len(end):], end) {
			return false
		}
	}
	return true
}

// eventLines passes NDJSON events on and gives an id to those without.
type eventLines struct{ ids lineIDs }

func (l *eventLines) translate(dst, line []byte) (out []byte, skip bool, err error) {
	if line[0] != '{' || hasID(line) {
		return append(dst, line...), false, nil
	}
	dst = append(dst, `{"id":"`...)
	dst = l.ids.append(dst, line)
	rest := bytes.TrimLeft(line[1:], jsonSpace)
	if len(rest) > 0 && rest[0] == '}' {
		dst = append(dst, '"')
	} else {
		dst = append(dst, `",`...)
	}
	return append(dst, line[1:]...), false, nil
}
