package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestQuestionsAboutSegments: rows of a segment's members, accounts among them, as
// the lists of members say.
func TestQuestionsAboutSegments(t *testing.T) {
	s := openNewsroom(t, Config{}, "")
	events := `{"type":"page_view","device":"d1","item":"a1"}
{"type":"page_view","device":"d1","item":"a2"}
{"type":"page_view","device":"d2","item":"a1"}
{"type":"page_view","device":"d3","item":"a1"}
{"type":"page_view","device":"d4","account":"k1","item":"a1"}
{"type":"page_view","device":"d5","account":"k1","item":"a3"}`
	s.want(200, "POST", "/v1/events?site=news", rootKey, events, "Content-Type: application/x-ndjson")
	members := strings.Fields(s.want(200, "GET", "/v1/sites/news/segments/fan/members", rootKey, "").body)
	if len(members) != 2 {
		t.Fatalf("members: %s", members)
	}
	ask := func(rest string) (rows []any) {
		t.Helper()
		answer := s.want(200, "POST", "/v1/sites/news/query", rootKey, `{"metrics":["page_views","visitors"],"date_range":"7d",`+rest+`}`).json(t)
		return answer["results"].([]any)
	}
	for _, c := range []struct{ rest, want string }{
		{`"filters":[["segment","fan"]]`, `[{"dimensions":[],"metrics":[4,3]}]`},
		{`"filters":[["not",["segment","fan"]]]`, `[{"dimensions":[],"metrics":[2,2]}]`},
		{`"filters":[["segment","fan"]],"dimensions":["item"]`,
			`[{"dimensions":["a1"],"metrics":[2,2]},{"dimensions":["a2"],"metrics":[1,1]},{"dimensions":["a3"],"metrics":[1,1]}]`},
		{`"dimensions":["segment"]`, `[{"dimensions":["fan"],"metrics":[4,3]},{"dimensions":["(none)"],"metrics":[2,2]}]`},
	} {
		var want []any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, ask(c.rest)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.rest, d)
		}
	}
	refused := s.want(422, "POST", "/v1/sites/news/query", rootKey, `{"metrics":["page_views"],"date_range":"7d","filters":[["segment","fans"]]}`).body
	if !strings.Contains(refused, "body.filters[0][1]") || !strings.Contains(refused, "unknown_segment") || !strings.Contains(refused, `\"fan\"`) {
		t.Errorf("an unknown segment: %s", refused)
	}
}
