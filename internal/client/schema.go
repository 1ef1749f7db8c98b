package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/schema"
)

// Schema is what programs of a site can name.
type Schema struct {
	Timezone     string       `json:"timezone"`
	WeekStart    string       `json:"week_start"`
	Window       string       `json:"window"`
	Columns      []SchemaName `json:"columns"`
	Properties   []SchemaName `json:"properties"`
	Items        []SchemaName `json:"items"`
	Attributes   []SchemaName `json:"attributes"`
	Traits       []SchemaName `json:"traits"`
	Entitlements []string     `json:"entitlements"`
	Complete     bool         `json:"complete"` // traits and entitlements are all there are
}

// SchemaName is a name with values that it has had, the commonest first.
type SchemaName struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Schema asks for what programs of a site can name; the key needs program:read,
// and query:read for values.
func (c *Client) Schema(ctx context.Context, site string) (*Schema, error) {
	var s Schema
	if err := c.Do(ctx, http.MethodGet, "/v1/sites/"+url.PathEscape(site)+"/schema", nil, nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Rubric returns what a program of the site is checked against.
func (s *Schema) Rubric() (*schema.Schema, error) {
	out := schema.Default()
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return nil, fmt.Errorf("the site's time zone: %w", err)
	}
	window, err := event.ParseDuration(s.Window)
	if err != nil {
		return nil, fmt.Errorf("the site's window: %w", err)
	}
	out.Calendar.Zone, out.Window = zone, window.Milliseconds()
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(day.String(), s.WeekStart) {
			out.Calendar.WeekStart = day
		}
	}
	out.Properties, out.Attributes = namesOf(s.Properties), namesOf(s.Attributes)
	if s.Complete { // else what is not among them may be known all the same
		out.Traits = namesOf(s.Traits)
	}
	return out, nil
}

// namesOf is never nil: it is known which there are.
func namesOf(list []SchemaName) []string {
	out := []string{}
	for _, n := range list {
		out = append(out, n.Name)
	}
	return out
}

// Values are the values of names as programs write them: `device_class`,
// `item.section`, `properties.goal`, and of `reader.entitled` the entitlements.
func (s *Schema) Values() map[string][]string {
	out := map[string][]string{"reader.entitled": s.Entitlements}
	add := func(prefix string, list []SchemaName) {
		for _, n := range list {
			if len(n.Values) > 0 {
				out[prefix+n.Name] = n.Values
			}
		}
	}
	add("", s.Columns)
	add("properties.", s.Properties)
	add("item.", s.Items)
	add("item.attributes.", s.Attributes)
	return out
}
