package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/jsontext"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/segment"
)

// ReaderPath is a reader: one percent-encoded segment, device:ID or account:ID.
type ReaderPath struct {
	Reader string `path:"reader" maxLength:"600" doc:"device:ID or account:ID, percent-encoded" example:"device:59"`
}

// ReaderSegments are the segments that a reader is in.
type ReaderSegments struct {
	Reader         string    `json:"reader"`
	At             time.Time `json:"at"`
	Segments       []string  `json:"segments"`
	ProgramVersion int       `json:"program_version"`
	TookMicros     int64     `json:"took_us"`
	Position       string    `json:"position"`
}

// SegmentList names the segments of the active program.
type SegmentList struct {
	ProgramVersion int       `json:"program_version"`
	Segments       []Segment `json:"segments"`
}

// Segment is one of them.
type Segment struct {
	Name string `json:"name"`
}

// SegmentSize says how many readers are in a segment. A person counts once: a
// device whose newest event is an account's is left out.
type SegmentSize struct {
	Name           string    `json:"name"`
	Size           int       `json:"size"`
	Readers        int       `json:"readers" doc:"Of whom the members are a part, counted like them"`
	AsOf           time.Time `json:"as_of"`
	ProgramVersion int       `json:"program_version"`
	Position       string    `json:"position"`
}

// SegmentPath is the name of a segment.
type SegmentPath struct {
	Name string `path:"name" maxLength:"64" example:"sport_fan"`
}

func (a *API) registerSegments() {
	tags := []string{"Segments"}
	register(a, with(huma.Operation{
		OperationID: "list-segments", Method: http.MethodGet, Path: "/v1/sites/{site}/segments",
		Summary: "List the segments of the active program", Tags: tags, Errors: problems(404),
	}, rule{scope: auth.SegmentsRead}), a.listSegments)
	register(a, with(huma.Operation{
		OperationID: "get-segment", Method: http.MethodGet, Path: "/v1/sites/{site}/segments/{name}",
		Summary: "Count the members of a segment", Tags: tags, Errors: problems(404, 422),
	}, rule{scope: auth.SegmentsRead}), a.segmentSize)
	register(a, with(huma.Operation{
		OperationID: "list-segment-members", Method: http.MethodGet, Path: "/v1/sites/{site}/segments/{name}/members",
		Summary: "List the members of a segment", Tags: tags, Errors: problems(404, 422),
		Description: "NDJSON, a reader a line, in no order. The trailer X-Readership-Complete says that it is whole.",
		Responses:   map[string]*huma.Response{"200": {Description: "Readers", Content: map[string]*huma.MediaType{mediaNDJSON: {Schema: text()}}}},
	}, rule{scope: auth.SegmentsRead}), a.segmentMembers)
	register(a, with(huma.Operation{
		OperationID: "get-reader-segments", Method: http.MethodGet, Path: "/v1/sites/{site}/readers/{reader}/segments",
		Summary: "Tell which segments a reader is in", Tags: tags, Errors: problems(404, 422),
		Description: "At an instant of the window: from the rows up to it as they are known now, traits and entitlements as they stood then, today's catalogue and the active program. A reader that nothing is known of is answered.",
	}, rule{scope: auth.SegmentsRead}), a.readerSegments)
}

func (a *API) listSegments(ctx context.Context, _ *struct{ SitePath }) (*struct{ Body SegmentList }, error) {
	active, err := a.Programs.Active(callOf(ctx).site)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := SegmentList{ProgramVersion: active.Version, Segments: []Segment{}}
	for _, s := range active.Plan.Segments {
		out.Segments = append(out.Segments, Segment{Name: s.Name})
	}
	return &struct{ Body SegmentList }{out}, nil
}

func (a *API) readerSegments(ctx context.Context, in *struct {
	SitePath
	ReaderPath
	AtQuery
}) (*struct{ Body ReaderSegments }, error) {
	begun, c := a.Now(), callOf(ctx)
	at := a.Engine.SiteNow(c.site.ID, begun.UnixMilli())
	if in.At != "" {
		var err error
		if _, _, at, err = a.asked(ctx, in.At); err != nil {
			return nil, err
		}
	}
	out, err := a.Segments.Of(ctx, c.site, in.Reader, at)
	if errors.Is(err, engine.ErrUnknownReader) {
		return nil, unprocessable(problem.Fault{Location: "path.reader", Code: "bad_value", Message: "expected device:ID or account:ID", Value: echo(in.Reader)})
	}
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body ReaderSegments }{ReaderSegments{Reader: in.Reader, At: time.UnixMilli(at).UTC(), Segments: out.Segments,
		ProgramVersion: out.Version, TookMicros: a.Now().Sub(begun).Microseconds(), Position: c.at.String()}}, nil
}

// AtQuery is the instant that a read about readers is about.
type AtQuery struct {
	At string `query:"at" doc:"An instant of the window; the site's now if absent"`
}

// asked returns the site's program, a view of its readers and the instant that
// is asked about.
func (a *API) asked(ctx context.Context, instant string) (active *program.Compiled, view *engine.View, at int64, err error) {
	c := callOf(ctx)
	if active, err = a.Programs.Active(c.site); err != nil {
		return nil, nil, 0, a.failed(ctx, err)
	}
	if view, err = a.Engine.Readers(ctx, c.site.ID, c.at); err != nil {
		return nil, nil, 0, a.failed(ctx, err)
	}
	now := a.Engine.SiteNow(c.site.ID, a.Now().UnixMilli())
	if instant == "" {
		return active, view, now, nil
	}
	at, fault := parseTime("query.at", instant)
	if fault != nil {
		return nil, nil, 0, unprocessable(*fault)
	}
	if at < view.From || at > now {
		return nil, nil, 0, problem.New(http.StatusUnprocessableEntity, "the instant lies outside the window", problem.Fault{
			Location: "query.at", Code: "outside_window", Value: instant,
			Message: "is not between " + time.UnixMilli(view.From).UTC().Format(time.RFC3339) + " and the site's now",
		}).WithCode("outside_window")
	}
	return active, view, at, nil
}

// segmentOf finds a segment of a program.
func segmentOf(active *program.Compiled, name string) (*plan.Segment, error) {
	if s := active.Plan.Segment(name); s != nil {
		return s, nil
	}
	var known []string
	for _, s := range active.Plan.Segments {
		known = append(known, s.Name)
	}
	return nil, notFound("segment", name, known)
}

func (a *API) segmentSize(ctx context.Context, in *struct {
	SitePath
	SegmentPath
	AtQuery
}) (*struct{ Body SegmentSize }, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Limits.QueryTime)
	defer cancel()
	if err := a.queries.enter(ctx); err != nil {
		return nil, a.failed(ctx, err)
	}
	defer a.queries.leave()
	site := callOf(ctx).site
	at := a.Engine.SiteNow(site.ID, a.Now().UnixMilli())
	var count segment.Count
	var err error
	if in.At == "" {
		count, err = a.Segments.Size(ctx, site, in.Name, at)
	} else {
		var view *engine.View
		if _, view, at, err = a.asked(ctx, in.At); err != nil {
			return nil, err
		}
		count, err = a.Segments.SizeAt(ctx, view, in.Name, at)
	}
	if err != nil {
		return nil, a.segmentFailed(ctx, in.Name, err)
	}
	return &struct{ Body SegmentSize }{SegmentSize{Name: in.Name, Size: count.Size, Readers: count.Readers, AsOf: time.UnixMilli(at).UTC(),
		ProgramVersion: count.Version, Position: count.Position.String()}}, nil
}

// segmentFailed is failed for a question about a segment.
func (a *API) segmentFailed(ctx context.Context, name string, err error) error {
	if !errors.Is(err, segment.ErrUnknownSegment) {
		return a.failed(ctx, err)
	}
	active, err := a.Programs.Active(callOf(ctx).site)
	if err != nil {
		return a.failed(ctx, err)
	}
	if _, err := segmentOf(active, name); err != nil {
		return err
	}
	return notFound("segment", name, nil) // another program is active since
}

func (a *API) segmentMembers(ctx context.Context, in *struct {
	SitePath
	SegmentPath
	AtQuery
}) (*huma.StreamResponse, error) {
	site := callOf(ctx).site
	active, err := a.Programs.Active(site)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if _, err := segmentOf(active, in.Name); err != nil {
		return nil, err
	}
	at := a.Engine.SiteNow(site.ID, a.Now().UnixMilli())
	var view *engine.View // of an earlier instant
	if in.At != "" {
		if _, view, at, err = a.asked(ctx, in.At); err != nil {
			return nil, err
		}
	}
	if err := a.exports.enter(ctx); err != nil {
		return nil, a.failed(ctx, err)
	}
	members := func(emit func(reader string) error) error {
		if view == nil {
			return a.Segments.Members(ctx, site, in.Name, at, emit)
		}
		return a.Segments.MembersAt(ctx, view, in.Name, at, emit)
	}
	return a.streamLines(ctx, func(emit func(line []byte) error) error {
		var line []byte
		return members(func(reader string) error {
			line = append(jsontext.Append(append(line[:0], `{"reader":`...), reader), '}')
			return emit(line)
		})
	}), nil
}
