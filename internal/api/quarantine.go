package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
	"github.com/readership/readership/internal/problem"
)

// Quarantine is what the log holds and the engine leaves out.
type Quarantine interface {
	List() []Quarantined
	// Message returns the bytes of a message; store.ErrNotFound.
	Message(ctx context.Context, position event.Position) ([]byte, error)
}

// Quarantined is a message of the log that could not be applied.
type Quarantined struct {
	Position string `json:"position"`
	Cause    string `json:"cause" doc:"What happened when it was applied"`
}

// QuarantineList is every such message.
type QuarantineList struct {
	Messages []Quarantined `json:"messages"`
}

func (a *API) registerQuarantine() {
	tags, ru := []string{"Operation"}, rule{scope: auth.AdminRead, detached: true}
	register(a, with(huma.Operation{
		OperationID: "list-quarantine", Method: http.MethodGet, Path: "/v1/quarantine",
		Summary: "List the messages of the log that were skipped", Tags: tags,
		Description: "The engine has failed at each of them twice. Their events are counted in the ledger as `quarantined`.",
	}, ru), a.listQuarantine)
	register(a, with(huma.Operation{
		OperationID: "get-quarantined", Method: http.MethodGet, Path: "/v1/quarantine/{position}",
		Summary: "Read the events of a skipped message", Tags: tags, Errors: problems(404, 422),
		Description: "NDJSON, one event a line, with its site; with `Accept: application/octet-stream` the message as the log has it.",
		Responses: map[string]*huma.Response{"200": {Description: "Events, or the message", Content: map[string]*huma.MediaType{
			mediaNDJSON: {Schema: text()}, mediaBytes: {Schema: text()}}}},
	}, ru), a.getQuarantined)
}

func (a *API) listQuarantine(context.Context, *struct{}) (*struct{ Body QuarantineList }, error) {
	return &struct{ Body QuarantineList }{QuarantineList{append([]Quarantined{}, a.Quarantine.List()...)}}, nil
}

func (a *API) getQuarantined(ctx context.Context, in *struct {
	Position string `path:"position" example:"20752-0-91"`
	Accept   string `header:"Accept"`
}) (*huma.StreamResponse, error) {
	if !slices.ContainsFunc(a.Quarantine.List(), func(q Quarantined) bool { return q.Position == in.Position }) {
		return nil, notFound("skipped message", in.Position, nil)
	}
	position, err := event.ParsePosition(in.Position)
	if err != nil {
		return nil, err
	}
	out, err := a.Quarantine.Message(ctx, position)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	media := negotiate(in.Accept, mediaNDJSON, mediaBytes)
	if media == mediaNDJSON {
		var batch event.Batch
		if err := batch.Decode(out); err != nil {
			return nil, problem.New(http.StatusUnprocessableEntity, "the message cannot be decoded ("+err.Error()+"); Accept: "+mediaBytes+" gives its bytes").WithCode("malformed")
		}
		known, err := a.knownBefore(ctx, &batch)
		if err != nil {
			return nil, a.failed(ctx, err)
		}
		out = appendEvents(nil, &batch, func(site, device, account string) bool {
			return callOf(ctx).principal.Reaches(site) && known(site, device, account)
		})
	} else if a.erasedSince(out) {
		return nil, problem.New(http.StatusForbidden, "a reader was erased since; Accept: "+mediaNDJSON+" gives the events of those who are known").WithCode("erased")
	} else if callOf(ctx).principal.Sites != nil {
		return nil, problem.New(http.StatusForbidden, "this key is for some sites only, and a message may hold others").WithCode("wrong_site")
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Accept")
		_, _ = w.Write(out) // the reader may have gone
	}}, nil
}

// erasedSince says whether a reader of one of the sites in a message was erased
// after it.
func (a *API) erasedSince(message []byte) bool {
	var batch event.Batch
	return batch.Decode(message) == nil && slices.ContainsFunc(batch.Sites, func(rows event.Rows) bool {
		return a.Engine.Profiles(rows.Site).ErasedSince(batch.Stamp)
	})
}

// knownBefore returns what says whether the readers of an event of a message may
// be named: where somebody was erased since, only those who were known before. Of
// others nobody can say whether they were erased.
func (a *API) knownBefore(ctx context.Context, batch *event.Batch) (func(site, device, account string) bool, error) {
	views := map[string]*engine.View{}
	for i := range batch.Sites {
		site := batch.Sites[i].Site
		if !a.Engine.Profiles(site).ErasedSince(batch.Stamp) {
			continue
		}
		view, err := a.Engine.Readers(ctx, site, callOf(ctx).at)
		if err != nil {
			return nil, err
		}
		views[site] = view
	}
	return func(site, device, account string) bool {
		view := views[site]
		if view == nil {
			return true
		}
		known := func(reader string) bool {
			r, ok := view.Reader(reader)
			return ok && r.Known && r.FirstSeen <= batch.Stamp
		}
		return known(engine.ReaderName(device)) && (account == "" || known(engine.AccountSubject(account)))
	}, nil
}

// appendEvents writes the events of a message whose site and readers may be
// shown, a line each.
func appendEvents(dst []byte, b *event.Batch, shown func(site, device, account string) bool) []byte {
	for s := range b.Sites {
		rows := &b.Sites[s]
		cells := rows.Cells
		for i := range rows.N {
			shape := b.Shapes[rows.Shape[i]]
			account := ""
			for k, entry := range shape {
				if column, _, builtin := event.ShapeColumn(entry); builtin && column == event.ColAccount {
					account = b.Strings[cells[k]>>2]
				}
			}
			if shown(rows.Site, b.Strings[rows.Device[i]], account) {
				dst = append(appendEvent(dst, b, rows, i, shape, cells[:len(shape)]), '\n')
			}
			cells = cells[len(shape):]
		}
	}
	return dst
}

// appendEvent writes an event as JSON, as an export of rows does.
func appendEvent(dst []byte, b *event.Batch, rows *event.Rows, i int, shape, cells []uint32) []byte {
	dst = jsontext.Append(append(dst, `{"site":`...), rows.Site)
	dst = append(dst, `,"time":"`...)
	dst = time.UnixMilli(rows.Time[i]).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = jsontext.Append(append(dst, `","device":`...), b.Strings[rows.Device[i]])
	properties := 0
	for k, entry := range shape {
		column, name, builtin := event.ShapeColumn(entry)
		label, kind := "", event.Kind(cells[k]&3)
		switch {
		case builtin:
			label, kind = column.String(), event.KindString
			dst = append(dst, ',')
		case properties == 0:
			label = b.Strings[name]
			dst = append(dst, `,"properties":{`...)
			properties++
		default:
			label = b.Strings[name]
			dst = append(dst, ',')
		}
		dst = append(jsontext.Append(dst, label), ':')
		if value := b.Strings[cells[k]>>2]; kind == event.KindString {
			dst = jsontext.Append(dst, value)
		} else {
			dst = append(dst, value...) // canonical: a number or true or false
		}
	}
	if properties > 0 {
		dst = append(dst, '}')
	}
	if len(rows.Engaged) > 0 && rows.Engaged[i] > 0 {
		dst = strconv.AppendFloat(append(dst, `,"engaged_seconds":`...), float64(rows.Engaged[i])/1000, 'f', -1, 64)
	}
	if len(rows.Scroll) > 0 && rows.Scroll[i] > 0 {
		dst = strconv.AppendUint(append(dst, `,"scroll_percent":`...), uint64(rows.Scroll[i]), 10)
	}
	if event.Flags(rows.Flags[i])&event.FlagHasValue != 0 && len(rows.Value) > 0 {
		dst = strconv.AppendFloat(append(dst, `,"value":`...), float64(rows.Value[i])/1e6, 'f', -1, 64)
	}
	return append(dst, '}')
}
