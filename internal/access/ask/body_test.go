package ask

import (
	"net/http"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

func TestQuestions(t *testing.T) {
	var r reader
	list, many, err := r.questions([]byte(`[{"access":"story","reader":{"device":"d","account":null},"item":{"id":"a"},"commit":false,"at":"2026-03-01T00:00:00+01:00"},
		{"access":"story","reader":null,"request":{"url":"https://news.example/a","country":"DE"},"commit":true,"time":5}]`))
	if err != nil || !many || len(list) != 2 {
		t.Fatal(err)
	}
	if q := list[0]; q.access != "story" || q.device != "d" || q.item != "a" || q.commit || q.at != 1772319600000 {
		t.Errorf("%+v", q)
	}
	if q := list[1]; q.page.url == "" || q.page.columns[event.ColCountry] != "DE" || len(q.page.named) != 1 || !q.commit || q.time != 5 {
		t.Errorf("%+v", q)
	}
	for _, c := range []struct {
		body, want string // locations and codes
		status     int
	}{
		{``, "body missing_field", 400}, {`{`, "body bad_json", 400}, {"\xff", "body bad_utf8", 400}, {`7`, "body wrong_type", 422},
		{`{}`, "body.access missing_field, body.item.id missing_field", 422},
		{`{"access":7,"item":{"id":"a","tier":"free"},"at":"x"}`, "body.access wrong_type, body.item.tier unknown_field, body.at bad_time", 422},
		{`{"access":"s","item":{"id":"a"},"commit":true,"at":5}`, "body.at bad_value", 422},
		{`{"access":"s","item":{"id":"a"},"time":5}`, "body.time bad_value", 422},
		{`[{"access":"s","item":{"id":"` + strings.Repeat("x", 513) + `"}}]`, "body[0].item.id too_long", 422},
		{`{"access":"s","item":{"id":"a"},"request":{"bot_class":"search"},"reader":{"device":"account:7"}}`, "body.request.bot_class unknown_field, body.reader.device bad_value", 422},
		{`[` + strings.Repeat(`1,`, MaxAsks) + `1]`, "body too_many", 422},
	} {
		_, _, err := r.questions([]byte(c.body))
		p, ok := problem.As(err)
		if !ok || p.Status != c.status {
			t.Errorf("%.60s: %v", c.body, err)
			continue
		}
		var got []string
		for _, f := range p.Errors {
			got = append(got, f.Location+" "+f.Code)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%.60s: %v, want %s", c.body, got, c.want)
		}
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add([]byte(`{"access":"story","item":{"id":"a"},"request":{"url":"x"},"at":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r reader
		list, many, err := r.questions(body)
		if p, ok := problem.As(err); err != nil && (!ok || p.Status != http.StatusBadRequest && p.Status != http.StatusUnprocessableEntity) {
			t.Fatal(err)
		}
		if err == nil && !many && len(list) != 1 {
			t.Fatalf("%d questions", len(list))
		}
	})
}
