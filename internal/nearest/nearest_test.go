package nearest_test

import (
	"strings"
	"testing"

	"github.com/readership/readership/internal/nearest"
)

func TestNearest(t *testing.T) {
	names := []string{"page_views", "visitors", "visits", "news"}
	for _, c := range []struct{ name, match, closest string }{
		{"pageviews", "page_views", "page_views"},
		{"PAGE_VIEWS", "page_views", "page_views"},
		{"visit", "visits", "visits"},
		{"new", "news", "news"},
		{"engagement", "", "page_views"},
		{"", "", "news"},
		{strings.Repeat("x", 1000), "", "news"},
	} {
		if got := nearest.Match(c.name, names); got != c.match {
			t.Errorf("Match(%.20q) = %q, want %q", c.name, got, c.match)
		}
		if got := nearest.Closest(c.name, names); c.closest != "" && got == "" {
			t.Errorf("Closest(%.20q) = %q, want a name", c.name, got)
		}
	}
	if got := nearest.Closest("x", nil); got != "" {
		t.Errorf("Closest without candidates = %q", got)
	}
	if got := nearest.DidYouMean("visit", names); got != `; did you mean "visits"?` {
		t.Errorf("DidYouMean = %s", got)
	}
}
