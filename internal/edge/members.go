package edge

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
	"github.com/readership/readership/internal/segment"
)

// Memberships answers which segments a reader is in now: requests as nearly all
// are, with an API key of the scope segments:read. What is unusual, or wrong, it
// leaves to the main listener's handler.
type Memberships struct {
	Keys interface {
		APIKey(key string) (*auth.Principal, bool)
	}
	Engine interface {
		Site(id string) (*event.Site, bool)
		SiteNow(site string, wall int64) int64
		Position() event.Position
		Wait(ctx context.Context, position event.Position) error
	}
	Acked    func() event.Position
	Segments interface {
		Of(ctx context.Context, site *event.Site, reader string, at int64) (segment.Answer, error)
		OfAtOnce(site *event.Site, reader string, at int64) (segment.Answer, bool)
	}
	Now func() time.Time
}

// maxReader is how long the name of a reader may be, in code points.
const maxReader = 600

// membersOf finds the site and the reader of an address of memberships, both as
// they were sent.
func membersOf(path string) (site, reader string, ok bool) {
	rest, ok := strings.CutPrefix(path, sitePrefix)
	if !ok {
		return "", "", false
	}
	if rest, ok = strings.CutSuffix(rest, "/segments"); !ok {
		return "", "", false
	}
	site, reader, ok = strings.Cut(rest, "/readers/")
	return site, reader, ok && site != "" && reader != "" && !strings.Contains(site, "/") && !strings.Contains(reader, "/")
}

// asking is a question about a reader that has been read.
type asking struct {
	site, reader string
	position     event.Position // which the answer includes
	begun        time.Time
}

// read reads a request; false for one that is not its.
func (m *Memberships) read(q *collect.Request) (a asking, ok bool) {
	a.begun = m.Now()
	id, escaped, ok := membersOf(q.Path)
	scheme, key, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	if !ok || q.Query != "" || !strings.EqualFold(scheme, "Bearer") || q.Header.Get(headerPosition) != "" {
		return a, false
	}
	reader, err := url.PathUnescape(escaped)
	if err != nil || utf8.RuneCountInString(reader) > maxReader || !utf8.ValidString(reader) {
		return a, false
	}
	who, ok := m.Keys.APIKey(strings.TrimSpace(key))
	a.site, a.reader, a.position = id, reader, m.Acked()
	return a, ok && who.Has(auth.SegmentsRead, id)
}

// atOnce answers a question where nothing has to be waited for or worked out; false,
// with nothing done, where it is not so.
func (m *Memberships) atOnce(a *asking, out *collect.Response) bool {
	if m.Engine.Position() < a.position {
		return false
	}
	site, ok := m.Engine.Site(a.site)
	if !ok {
		return false
	}
	found, ok := m.Segments.OfAtOnce(site, a.reader, m.Engine.SiteNow(a.site, a.begun.UnixMilli()))
	if ok {
		m.write(a, &found, out)
	}
	return ok
}

// answer answers a question; false, with nothing done, for one that is not its.
func (m *Memberships) answer(ctx context.Context, a *asking, out *collect.Response) bool {
	if err := m.wait(ctx, a.position); err != nil {
		return false
	}
	site, ok := m.Engine.Site(a.site)
	if !ok {
		return false
	}
	found, err := m.Segments.Of(ctx, site, a.reader, m.Engine.SiteNow(a.site, m.Now().UnixMilli()))
	if err != nil {
		return false
	}
	m.write(a, &found, out)
	return true
}

// write makes the answer out.
func (m *Memberships) write(a *asking, found *segment.Answer, out *collect.Response) {
	out.Reset()
	out.Status, out.ContentType, out.Position = http.StatusOK, "application/json", a.position
	b := jsontext.Append(append(out.Body, `{"reader":`...), a.reader)
	b = time.UnixMilli(found.At).UTC().AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	b = append(b, `","segments":[`...)
	for i, name := range found.Segments {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsontext.Append(b, name)
	}
	b = strconv.AppendInt(append(b, `],"program_version":`...), int64(found.Version), 10)
	b = strconv.AppendInt(append(b, `,"took_us":`...), m.Now().Sub(a.begun).Microseconds(), 10)
	b = appendPosition(append(b, `,"position":"`...), a.position)
	out.Body = append(b, "\"}\n"...)
}

// behindTime is how long a read waits for what was acknowledged before it came.
const behindTime = 5 * time.Second

func (m *Memberships) wait(ctx context.Context, at event.Position) error {
	if m.Engine.Position() >= at {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, behindTime)
	defer cancel()
	return m.Engine.Wait(ctx, at)
}
