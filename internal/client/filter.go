package client

import (
	"fmt"
	"strings"
)

// operators of filters as they are typed, the longer ones first.
var operators = []struct{ typed, name string }{{"!=", "is_not"}, {"=", "is"}, {"~", "contains"}, {">", "gt"}, {"<", "lt"}}

// ParseFilters reads filters such as type=page_view, item!=home|start,
// path~/sport/ or status>399.
func ParseFilters(texts []string) ([]any, error) {
	var out []any
	for _, text := range texts {
		filter, err := parseFilter(text)
		if err != nil {
			return nil, err
		}
		out = append(out, filter)
	}
	return out, nil
}

func parseFilter(text string) (any, error) {
	at, best := -1, operators[0]
	for _, op := range operators {
		if i := strings.Index(text, op.typed); i > 0 && (at < 0 || i < at) {
			at, best = i, op
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("filter %q is not COLUMN=VALUE (or !=, ~, >, <)", text)
	}
	column, values := strings.TrimSpace(text[:at]), strings.Split(text[at+len(best.typed):], "|")
	return []any{best.name, column, values}, nil
}

// ParseOrder reads an order such as -page_views or item.
func ParseOrder(texts []string) []any {
	var out []any
	for _, text := range texts {
		if name, ok := strings.CutPrefix(text, "-"); ok {
			out = append(out, []string{name, "desc"})
		} else {
			out = append(out, []string{text, "asc"})
		}
	}
	return out
}

// TimeSeries says whether the first dimension is time.
func TimeSeries(dimensions []string) bool {
	return len(dimensions) > 0 && strings.HasPrefix(dimensions[0], "time:")
}
