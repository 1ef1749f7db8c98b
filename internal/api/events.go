package api

import (
	"bufio"
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
)

func (a *API) registerEvents() {
	register(a, with(huma.Operation{
		OperationID: "export-events", Method: http.MethodGet, Path: "/v1/sites/{site}/events",
		Summary: "The rows as stored", Tags: []string{"Querying"}, Errors: problems(404, 422),
		Description: "NDJSON, one row a line, of from ≤ time < to; the whole window without them. Order is not promised. " +
			"A body that breaks off was not complete: the trailer X-Readership-Complete says 1 at the end of a whole one.",
		Responses: map[string]*huma.Response{"200": {Description: "Rows", Content: map[string]*huma.MediaType{mediaNDJSON: {Schema: text()}}}},
	}, rule{scope: auth.EventsRead}), a.exportEvents)
}

// errGone ends an export whose reader has gone.
var errGone = errors.New("the reader has gone")

func (a *API) exportEvents(ctx context.Context, in *struct {
	SitePath
	Span
}) (*huma.StreamResponse, error) {
	from, to, err := in.read(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	if err := a.exports.enter(ctx); err != nil {
		return nil, a.failed(ctx, err)
	}
	view, err := a.Engine.View(ctx, c.site.ID, c.at)
	if err != nil {
		a.exports.leave()
		return nil, a.failed(ctx, err)
	}
	return a.streamLines(ctx, func(emit func(line []byte) error) error { return eachRow(view, from, to, emit) }), nil
}

// streamLines answers with the lines that each emits, as NDJSON. The caller has
// entered a.exports; it is left at the end. An answer that breaks off is cut, so
// that it does not look whole.
func (a *API) streamLines(ctx context.Context, each func(emit func(line []byte) error) error) *huma.StreamResponse {
	c := callOf(ctx)
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer a.exports.leave()
		_, w := humago.Unwrap(h)
		w.Header().Set("Content-Type", mediaNDJSON)
		w.Header().Set("Trailer", "X-Readership-Complete")
		w.WriteHeader(http.StatusOK)
		control := http.NewResponseController(w)
		out := bufio.NewWriterSize(w, 64<<10)
		lines := 0
		err := each(func(line []byte) error {
			if lines%256 == 0 {
				_ = control.SetWriteDeadline(time.Now().Add(sendTime)) // not all writers have deadlines
			}
			lines++
			if _, err := out.Write(line); err != nil {
				return errGone
			}
			if err := out.WriteByte('\n'); err != nil {
				return errGone
			}
			return nil
		})
		if err == nil {
			err = out.Flush()
		}
		if err == nil {
			w.Header().Set("X-Readership-Complete", "1")
			return
		}
		if !errors.Is(err, errGone) && ctx.Err() == nil {
			a.Logger.Error("export broke off", "request", c.id, "lines", lines, "error", err)
		}
		panic(http.ErrAbortHandler) // cut the connection: the body must not look whole
	}}
}
