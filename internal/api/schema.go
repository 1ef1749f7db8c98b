package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Schema is what programs of a site can name: for editors, and for checks away
// from the server.
type Schema struct {
	Timezone     string       `json:"timezone"`
	WeekStart    string       `json:"week_start"`
	Window       string       `json:"window"`
	Columns      []SchemaName `json:"columns" doc:"Of rows"`
	Properties   []SchemaName `json:"properties" doc:"That events of the window have had"`
	Items        []SchemaName `json:"items" doc:"Fields of the catalogue"`
	Attributes   []SchemaName `json:"attributes" doc:"Of items of the catalogue"`
	Traits       []SchemaName `json:"traits" doc:"Of accounts"`
	Entitlements []string     `json:"entitlements" doc:"Names that accounts and lists entitle to"`
	Complete     bool         `json:"complete" doc:"Whether traits and entitlements are of all accounts: only so many are looked at"`
	Segments     []string     `json:"segments" doc:"Of the active program, as are the following"`
	Meters       []string     `json:"meters"`
	Access       []string     `json:"access"`
	Metrics      []string     `json:"metrics"`
}

// SchemaName is a name with values that it has had, the commonest first.
type SchemaName struct {
	Name   string   `json:"name"`
	Type   string   `json:"type" enum:"text,integer,decimal,boolean,time,list,any"`
	Values []string `json:"values" doc:"At most 20. Empty for what names a reader or a page, and for a key without query:read"`
}

// Bounds of a schema.
const (
	schemaValues     = 20     // of a name
	schemaValueBytes = 64     // longer ones complete nothing
	schemaAsked      = 64     // properties whose values are looked for
	schemaAccounts   = 20_000 // accounts looked at
)

func (a *API) registerSchema() {
	register(a, with(huma.Operation{
		OperationID: "get-schema", Method: http.MethodGet, Path: "/v1/sites/{site}/schema",
		Summary: "Tell what programs can name", Tags: []string{"Programs"}, Errors: problems(404),
		Description: "Columns, properties, fields of the catalogue and names of the active program, with the values seen most often in page views of the window, or in other events. Values need the scope `query:read` as well.",
	}, rule{scope: auth.ProgramRead}), a.getSchema)
}

func (a *API) getSchema(ctx context.Context, _ *struct{ SitePath }) (*struct{ Body Schema }, error) {
	c := callOf(ctx)
	active, err := a.Programs.Active(c.site)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	view, err := a.Engine.View(ctx, c.site.ID, c.at)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	s := schemaOfView(view)
	s.program(active.Plan)
	if c.principal.Has(auth.QueryRead, c.site.ID) {
		if err := a.rowValues(ctx, s); err != nil {
			return nil, a.failed(ctx, err)
		}
		s.catalogueValues(view.Items)
	}
	return &struct{ Body Schema }{*s}, nil
}

// schemaOfView lists the names that a view knows, without values.
func schemaOfView(view *engine.View) *Schema {
	s := &Schema{Timezone: view.Site.Timezone, WeekStart: view.Site.WeekStart, Window: view.Site.Window}
	for c := range plan.NumColumns {
		s.Columns = append(s.Columns, SchemaName{c.String(), c.Type().String(), []string{}})
	}
	for f := range plan.NumFields {
		s.Items = append(s.Items, SchemaName{f.String(), f.Type().String(), []string{}})
	}
	properties, attributes := kinds{}, kinds{}
	for _, shard := range view.Shards {
		for c := int(event.NumColumns); c < len(shard.Columns); c++ {
			properties.column(shard, c)
		}
	}
	for item := range view.Items.All() {
		for name := range item.Attributes {
			attributes.add(name, event.KindString)
		}
	}
	s.Properties, s.Attributes = properties.names(), attributes.names()
	s.accounts(view.Profiles)
	return s
}

// kinds are the kinds of values that names have had, as a set of bits.
type kinds map[string]uint8

func (k kinds) add(name string, kind event.Kind) { k[name] |= 1 << kind }

// column adds a property with the kinds of some of its values.
func (k kinds) column(shard *engine.ShardView, c int) {
	name := shard.Columns[c].Name
	k[name] |= 0
	some := func(d block.DictView) {
		const enough = 100
		for code := 1; code < min(len(d.Texts), enough); code++ {
			if d.Kinds[code] != block.Removed {
				k.add(name, d.Kinds[code])
			}
		}
	}
	some(shard.Columns[c].Dict)
	for _, b := range shard.Blocks {
		if column := b.ColumnAt(c); column != nil && column.Local != nil {
			some(*column.Local)
		}
	}
}

// names lists them in order. Numbers are decimals, whether they are whole or not.
func (k kinds) names() []SchemaName {
	out := []SchemaName{}
	for _, name := range slices.Sorted(maps.Keys(k)) {
		t := value.Any
		switch k[name] {
		case 1 << event.KindString:
			t = value.Text
		case 1 << event.KindNumber:
			t = value.Decimal
		case 1 << event.KindBool:
			t = value.Bool
		}
		out = append(out, SchemaName{name, t.String(), []string{}})
	}
	return out
}

// accounts adds the names of traits and entitlements.
func (s *Schema) accounts(p *engine.Profiles) {
	traits, entitled := kinds{}, map[string]bool{}
	seen := 0
	p.Accounts(func(a *engine.Account) bool {
		if seen++; seen > schemaAccounts {
			return false
		}
		for _, t := range a.Traits {
			traits.add(t.Name, t.Kind)
		}
		for _, e := range a.Entitlements {
			entitled[e.Name] = true
		}
		return true
	})
	for _, l := range p.Lists() {
		entitled[l.Entitlement] = true
	}
	s.Traits, s.Complete = traits.names(), seen <= schemaAccounts
	s.Entitlements = append([]string{}, slices.Sorted(maps.Keys(entitled))...)
}

// program adds the names of a program.
func (s *Schema) program(p *plan.Program) {
	s.Segments, s.Meters, s.Access, s.Metrics = []string{}, []string{}, []string{}, []string{}
	for _, d := range p.Segments {
		s.Segments = append(s.Segments, d.Name)
	}
	for _, d := range p.Meters {
		s.Meters = append(s.Meters, d.Name)
	}
	for _, d := range p.Accesses {
		s.Access = append(s.Access, d.Name)
	}
	for _, d := range p.Metrics {
		s.Metrics = append(s.Metrics, d.Name)
	}
}

// withValues are the columns that have few values, none of which names a page or
// a reader.
var withValues = []event.Column{event.ColType, event.ColHost, event.ColReferrerHost, event.ColUTMSource, event.ColUTMMedium, event.ColUTMCampaign,
	event.ColChannel, event.ColCountry, event.ColRegion, event.ColCity, event.ColDeviceClass, event.ColBrowser, event.ColOS, event.ColLanguage,
	event.ColBotClass, event.ColBotOperator, event.ColCurrency}

// rowValues adds the commonest values of columns and properties.
func (a *API) rowValues(ctx context.Context, s *Schema) error {
	for _, c := range withValues {
		if err := a.commonest(ctx, &s.Columns[c], c.String(), s.Window); err != nil {
			return err
		}
	}
	for i := range s.Properties[:min(len(s.Properties), schemaAsked)] {
		p := &s.Properties[i]
		if err := a.commonest(ctx, p, "properties."+p.Name, s.Window); err != nil {
			return err
		}
	}
	return nil
}

// commonest asks for the values of a dimension, those of page views first.
func (a *API) commonest(ctx context.Context, n *SchemaName, dimension, window string) error {
	body, err := json.Marshal(map[string]any{
		"metrics": []string{"page_views", "events"}, "date_range": window, "dimensions": []string{dimension}, "limit": schemaValues + 1,
		"order_by": [][]string{{"page_views", "desc"}, {"events", "desc"}},
	})
	if err != nil {
		return err
	}
	result, err := a.run(ctx, body)
	if p, ok := problem.As(err); ok && p.Status == http.StatusUnprocessableEntity {
		return nil // too many values to count: none helps
	}
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := result.WriteJSON(&text); err != nil {
		return err
	}
	var answer struct {
		Results []struct{ Dimensions []string }
	}
	if err := json.Unmarshal(text.Bytes(), &answer); err != nil {
		return fmt.Errorf("values of %s: %w", dimension, err)
	}
	for _, r := range answer.Results {
		if r.Dimensions[0] != none {
			n.add(r.Dimensions[0])
		}
	}
	return nil
}

// add adds a value, unless there are enough or it is too long.
func (n *SchemaName) add(value string) {
	if len(n.Values) < schemaValues && len(value) <= schemaValueBytes {
		n.Values = append(n.Values, value)
	}
}

// catalogueValues adds the commonest values of the catalogue's entries.
func (s *Schema) catalogueValues(c *engine.Catalog) {
	counts := map[string]map[string]int{} // by name of the field, or attribute behind a point
	add := func(name string, values ...string) {
		if counts[name] == nil {
			counts[name] = map[string]int{}
		}
		for _, v := range values {
			if v != "" {
				counts[name][v]++
			}
		}
	}
	for i := range c.All() {
		add("kind", i.Kind)
		add("section", i.Section)
		add("tags", i.Tags...)
		add("authors", i.Authors...)
		add("tier", i.Tier)
		add("language", i.Language)
		add("region", i.Region)
		for name, v := range i.Attributes {
			add("."+name, v)
		}
	}
	fill := func(list []SchemaName, prefix string) {
		for i := range list {
			of := counts[prefix+list[i].Name]
			for _, v := range slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[b]-of[a], cmp.Compare(a, b)) }) {
				list[i].add(v)
			}
		}
	}
	fill(s.Items, "")
	fill(s.Attributes, ".")
}
