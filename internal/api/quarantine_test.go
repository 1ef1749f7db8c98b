package api

import (
	"context"
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/store"
)

// quarantined is a quarantine of messages by position.
type quarantined map[string][]byte

func (q quarantined) List() (list []Quarantined) {
	for position := range q {
		list = append(list, Quarantined{Position: position, Cause: "a bug"})
	}
	return list
}

func (q quarantined) Message(_ context.Context, position event.Position) ([]byte, error) {
	if message, ok := q[position.String()]; ok {
		return message, nil
	}
	return nil, store.ErrNotFound
}

func TestQuarantine(t *testing.T) {
	var enc event.Encoder
	enc.Reset(1)
	view := event.Event{Time: 1772348400123, Device: "d\"1", EngagedMillis: 1500, Scroll: 40, Value: 2_500_000, Flags: event.FlagHasValue,
		Properties: []event.Property{{Name: "n", Value: "1.5", Kind: event.KindNumber}, {Name: "b", Value: "true", Kind: event.KindBool}, {Name: "s", Value: ""}}}
	view.Columns[event.ColType], view.Columns[event.ColItem] = event.TypePageView, "a1"
	enc.Add("news", &view, 1, 0)
	own := event.Event{Time: 1772348400124, Device: "d2"}
	own.Columns[event.ColType] = "own"
	enc.Add("blog", &own, 2, 0)
	message := string(enc.AppendTo(nil))
	s := newServer(t, func(d *Deps) {
		d.Quarantine = quarantined{"20000-0-7": []byte(message), "20000-0-8": []byte("\xff\xff")}
	})

	const news = `{"site":"news","time":"2026-03-01T07:00:00.123Z","device":"d\"1","type":"page_view","item":"a1","properties":{"n":1.5,"b":true,"s":""},"engaged_seconds":1.5,"scroll_percent":40,"value":2.5}` + "\n"
	const blog = `{"site":"blog","time":"2026-03-01T07:00:00.124Z","device":"d2","type":"own"}` + "\n"
	if r := s.want(200, "GET", "/v1/quarantine/20000-0-7", ""); r.body != news+blog || r.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s", r.body)
	}
	if r := s.want(200, "GET", "/v1/quarantine/20000-0-7", "", "Accept: application/octet-stream"); r.body != message {
		t.Errorf("%q", r.body)
	}
	key := s.key([]string{"blog"}, "admin:read")
	if r := s.want(200, "GET", "/v1/quarantine/20000-0-7", "", key); r.body != blog {
		t.Errorf("for one site: %s", r.body)
	}
	s.want(403, "GET", "/v1/quarantine/20000-0-7", "", key, "Accept: application/octet-stream")
	if r := s.want(422, "GET", "/v1/quarantine/20000-0-8", ""); r.json(t)["code"] != "malformed" {
		t.Error(r.body)
	}
	s.want(200, "GET", "/v1/quarantine/20000-0-8", "", "Accept: application/octet-stream")
	s.want(404, "GET", "/v1/quarantine/20000-0-9", "")
	if r := s.want(200, "GET", "/v1/quarantine", ""); len(r.json(t)["messages"].([]any)) != 2 {
		t.Error(r.body)
	}

	// Once somebody was erased, only who was known before is named.
	s.want(201, "POST", "/v1/sites", `{"id":"news"}`)
	s.log.event(t, "news", event.Event{Time: s.clock().UnixMilli()})
	s.want(200, "DELETE", "/v1/sites/news/readers/device:d%221", "")
	if r := s.want(200, "GET", "/v1/quarantine/20000-0-7", ""); r.body != blog {
		t.Errorf("after an erasure: %s", r.body)
	}
	s.want(403, "GET", "/v1/quarantine/20000-0-7", "", "Accept: application/octet-stream")
}
