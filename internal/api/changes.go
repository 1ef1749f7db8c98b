package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/segment"
)

// SegmentChange is the data of an event `entered` or `left`.
type SegmentChange struct {
	Reader  string    `json:"reader"`
	Segment string    `json:"segment"`
	At      time.Time `json:"at"`
	Because string    `json:"because" enum:"event,timer,item,profile"`
}

// ProgramActivated is the data of an event `activated`: it stands for all entries
// and exits that another program brings.
type ProgramActivated struct {
	Version int                           `json:"program_version"`
	At      time.Time                     `json:"at"`
	Because string                        `json:"because" enum:"program"`
	Sizes   map[string]segment.SizeChange `json:"sizes"`
}

func (a *API) registerSegmentChanges() {
	register(a, with(huma.Operation{
		OperationID: "follow-segments", Method: http.MethodGet, Path: "/v1/sites/{site}/segment-changes",
		Summary: "Follow who enters and leaves segments", Tags: []string{"Segments"}, Errors: problems(404),
		Description: "Server-sent events: `entered` and `left` with reader, segment, at and because; `activated` when another program is active, with sizes before and after in place of an event a reader; `reset` where changes are not known any more: read the members again. " +
			"`id` is the position of the log, on the last event of each; Last-Event-ID goes on after it.",
		Responses: map[string]*huma.Response{"200": {Description: "Changes", Content: map[string]*huma.MediaType{mediaSSE: {Schema: text()}}}},
	}, rule{scope: auth.SegmentsRead}), a.segmentChanges)
}

func (a *API) segmentChanges(ctx context.Context, in *struct {
	SitePath
	Segment     string `query:"segment" maxLength:"64" doc:"Only this segment"`
	LastEventID string `header:"Last-Event-ID" doc:"Goes on after this event"`
}) (*huma.StreamResponse, error) {
	site := callOf(ctx).site
	if in.Segment != "" {
		active, err := a.Programs.Active(site)
		if err != nil {
			return nil, a.failed(ctx, err)
		}
		if _, err := segmentOf(active, in.Segment); err != nil {
			return nil, err
		}
	}
	if err := a.openStream(); err != nil {
		return nil, err
	}
	after, err := event.ParsePosition(in.LastEventID)
	f := follower{api: a, segment: in.Segment, resumes: in.LastEventID != "", changes: a.Segments.Changes(site.ID, after, in.LastEventID != "" && err == nil)}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer func() { <-a.streams }()
		a.metrics.streams.Inc()
		defer a.metrics.streams.Dec()
		r, w := humago.Unwrap(h)
		f.follow(r.Context(), newSender(w))
	}}, nil
}

// follower is one reader of a stream of changes.
type follower struct {
	api     *API
	segment string // "": all
	resumes bool   // it has read changes before
	changes *segment.Changes
}

// follow tells changes until the request ends, the server drains, the caller may
// not read any more or does not.
func (f *follower) follow(ctx context.Context, s *sender) {
	call := callOf(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-f.api.draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	if s.comment() != nil {
		return
	}
	comment := time.Now().Add(commentEvery)
	for {
		wait, stop := context.WithDeadline(ctx, comment)
		b, err := f.changes.Next(wait)
		stop()
		switch {
		case err == nil:
			err = f.tell(s, &b)
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			if !f.api.still(ctx, call) {
				return
			}
			comment = time.Now().Add(commentEvery)
			err = s.comment()
		}
		if err != nil {
			return
		}
	}
}

// tell sends what a message changed. The id stands on the last event, so that a
// caller that was cut off before gets all of them again.
func (f *follower) tell(s *sender, b *segment.Batch) error {
	if b.Reset {
		resumes := f.resumes
		f.resumes = true
		if !resumes {
			return nil // it begins here
		}
		return s.send(snapshot{name: "reset", id: b.Position, data: []byte(`{}`)})
	}
	f.resumes = true
	last, any := snapshot{}, false
	for i := range b.Changes {
		e, ok, err := f.event(&b.Changes[i])
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if any {
			last.goesOn = true
			if err := s.queue(last); err != nil {
				return err
			}
		}
		last, any = e, true
	}
	if !any {
		return nil
	}
	last.id = b.Position
	return s.send(last)
}

// event makes the event of a change; ok is false if it is not asked for.
func (f *follower) event(c *segment.Change) (e snapshot, ok bool, err error) {
	at := time.UnixMilli(c.At).UTC()
	if c.Sizes != nil {
		e.name = "activated"
		e.data, err = json.Marshal(ProgramActivated{c.Version, at, c.Because, c.Sizes})
		return e, true, err
	}
	if f.segment != "" && c.Segment != f.segment {
		return e, false, nil
	}
	e.name = "left"
	if c.Entered {
		e.name = "entered"
	}
	e.data, err = json.Marshal(SegmentChange{c.Reader, c.Segment, at, c.Because})
	return e, true, err
}
