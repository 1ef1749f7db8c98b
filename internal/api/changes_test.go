package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/event"
)

func TestSegmentChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		view := event.Event{}
		view.Columns[event.ColType] = event.TypePageView
		tick := func() { // as the process does when something is due
			if _, err := s.log.CommitFacts(t.Context(), event.Fact{Kind: "tick"}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		s.want(200, "PUT", "/v1/sites/news/program", "segment fresh = events |> last 1m |> any\nsegment known = events |> any\n"+"access story { allow everyone }\n", "Content-Type: text/plain")
		s.want(404, "GET", "/v1/sites/news/segment-changes?segment=frish", "")
		l := s.listen(t, "GET", "/v1/sites/news/segment-changes?segment=fresh", "")
		tick()
		s.log.event(t, "news", view)
		synctest.Wait()
		entered := s.log.Acked()
		at := s.clock().UTC().Format(time.RFC3339Nano)
		l.want(":", `entered {"reader":"device:d1","segment":"fresh","at":"`+at+`","because":"event"}`)
		if !strings.Contains(l.writer.String(), "id: "+entered.String()+"\n") {
			t.Errorf("%s", l.writer)
		}
		time.Sleep(time.Minute)
		l.want(":", ":", ":", ":") // one every 15 s
		tick()
		left := s.clock().UTC().Format(time.RFC3339Nano)
		l.want(`left {"reader":"device:d1","segment":"fresh","at":"` + left + `","because":"timer"}`)

		// Another program is one event, and goes on after the last seen one.
		s.want(200, "PUT", "/v1/sites/news/program", "segment fresh = events |> any\naccess story { allow everyone }\n", "Content-Type: text/plain")
		synctest.Wait()
		got := l.next()
		if len(got) != 1 || !strings.HasPrefix(got[0], `activated {"program_version":2,`) || !strings.Contains(got[0], `"fresh":{"before":0,"after":1}`) || !strings.Contains(got[0], `"known":{"before":1,"after":0}`) {
			t.Errorf("%q", got)
		}
		again := s.listen(t, "GET", "/v1/sites/news/segment-changes", "", "Last-Event-ID: "+entered.String())
		if got := again.next(); len(got) != 3 || !strings.HasPrefix(got[1], "left ") || !strings.HasPrefix(got[2], "activated ") {
			t.Errorf("%q", got)
		}
		long := s.listen(t, "GET", "/v1/sites/news/segment-changes", "", "Last-Event-ID: 1-0-1")
		long.want(":", "reset {}")
		for _, one := range []*listener{l, again, long} {
			one.cancel()
			if !one.ended() {
				t.Error("the stream outlives its reader")
			}
		}
		size := s.want(200, "GET", "/v1/sites/news/segments/fresh", "").json(t)
		if size["size"] != 1.0 || size["program_version"] != 2.0 {
			t.Errorf("%v", size)
		}
	})
}

// A stream lasts as long as its reader looks; what it took is no time of answering.
func TestStreamsAreNotTimed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		timed := func(route string) bool {
			return strings.Contains(s.want(200, "GET", "/metrics", "").body, `readership_http_request_seconds_count{route="/v1/sites/{site}/`+route+`"}`)
		}
		for _, c := range []struct{ method, route, body string }{{"GET", "segment-changes", ""}, {"GET", "live", ""}, {"POST", "query/stream", `{}`}} {
			l := s.listen(t, c.method, "/v1/sites/news/"+c.route, c.body, "Accept: text/event-stream")
			l.cancel()
			if !l.ended() {
				t.Fatalf("%s outlives its reader", c.route)
			}
			if timed(c.route) {
				t.Errorf("%s is timed as a stream", c.route)
			}
		}
		s.want(200, "GET", "/v1/sites/news/live", "")
		if !timed("live") {
			t.Error("one answer of live is not timed")
		}
	})
}
