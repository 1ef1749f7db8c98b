package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Limits of the catalogue's writes.
const (
	maxItemBytes  = 32 << 10  // of one stored item
	maxItems      = 10_000    // of one body
	maxItemsBody  = 16 << 20  // bytes
	itemsPerWrite = 128 << 10 // bytes of facts in one commit
)

// ItemFields are the fields of a catalogue entry.
type ItemFields struct {
	URL         string         `json:"url,omitempty" maxLength:"2048" doc:"Its address"`
	Aliases     []string       `json:"aliases,omitempty" maxItems:"100" doc:"Further addresses"`
	Kind        string         `json:"kind,omitempty" maxLength:"64" example:"article"`
	Title       string         `json:"title,omitempty" maxLength:"512"`
	Section     string         `json:"section,omitempty" maxLength:"512"`
	Tags        []string       `json:"tags,omitempty" maxItems:"100"`
	Authors     []string       `json:"authors,omitempty" maxItems:"100"`
	Tier        string         `json:"tier,omitempty" maxLength:"64" example:"premium"`
	PublishedAt *Time          `json:"published_at,omitempty"`
	UpdatedAt   *Time          `json:"updated_at,omitempty"`
	Language    string         `json:"language,omitempty" maxLength:"64"`
	Image       string         `json:"image,omitempty" maxLength:"2048"`
	Region      string         `json:"region,omitempty" maxLength:"512"`
	Attributes  map[string]any `json:"attributes,omitempty" maxProperties:"64" doc:"Strings, numbers, booleans; kept as text"`
}

// ItemInput is an item of a list.
type ItemInput struct {
	ID string `json:"id" minLength:"1" maxLength:"512"`
	ItemFields
}

// ItemBody is an item whose id stands in the path.
type ItemBody struct {
	ID string `json:"id,omitempty" maxLength:"512" doc:"If given, the one of the path"`
	ItemFields
}

// Item is a catalogue entry as it is answered.
type Item struct {
	ID          string            `json:"id"`
	Known       bool              `json:"known" doc:"Whether the catalogue has it; an unknown one has an id only"`
	URL         string            `json:"url,omitempty"`
	Aliases     []string          `json:"aliases,omitempty"`
	Kind        string            `json:"kind,omitempty"`
	Title       string            `json:"title,omitempty"`
	Section     string            `json:"section,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Authors     []string          `json:"authors,omitempty"`
	Tier        string            `json:"tier,omitempty"`
	PublishedAt *time.Time        `json:"published_at,omitempty"`
	UpdatedAt   *time.Time        `json:"updated_at,omitempty"`
	Language    string            `json:"language,omitempty"`
	Image       string            `json:"image,omitempty"`
	Region      string            `json:"region,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Source      string            `json:"source,omitempty" enum:"page" doc:"Read from its page: what is written here takes its place"`
}

// ItemList is a page of the catalogue.
type ItemList struct {
	Items  []Item `json:"items"`
	Cursor string `json:"cursor,omitempty"`
}

// ItemsWritten is the answer to a list of items.
type ItemsWritten struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged" doc:"Stood in the catalogue to the letter and were not written again"`
}

// Resolve implements huma.ResolverWithPath.
func (i *ItemFields) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	i.check(f)
	return f.errors()
}

func (i *ItemInput) check(f *faults) { i.ItemFields.check(f) }

func (i *ItemBody) check(f *faults) { i.ItemFields.check(f) }

func (i *ItemFields) check(f *faults) {
	address := func(field, text string) {
		if text == "" {
			return
		}
		if _, err := url.Parse(text); err != nil || len(text) > event.MaxURLBytes || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			f.add(field, "bad_value", "is not an address", text)
		}
	}
	address("url", i.URL)
	for n, alias := range i.Aliases {
		address(index("aliases", n), alias)
	}
	for _, l := range []struct {
		field string
		list  []string
	}{{"tags", i.Tags}, {"authors", i.Authors}} {
		for n, v := range l.list {
			if v == "" || len(v) > event.MaxStringBytes {
				f.add(index(l.field, n), "bad_value", fmt.Sprintf("has 1 to %d bytes", event.MaxStringBytes), v)
			}
		}
	}
	names := make([]string, 0, len(i.Attributes))
	for name := range i.Attributes {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if name == "" || len(name) > 128 {
			f.add("attributes."+clip(name), "bad_value", "a name has 1 to 128 bytes", nil)
		}
		if v, ok := plain(i.Attributes[name]); !ok {
			f.add("attributes."+clip(name), "wrong_type", "expected string, number or boolean", nil)
		} else if len(v) > event.MaxURLBytes {
			f.add("attributes."+clip(name), "too_long", fmt.Sprintf("has at most %d bytes", event.MaxURLBytes), v)
		}
	}
}

// plain is the text of a scalar JSON value, a number in its shortest form.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// stored makes the item as the log has it.
func (i *ItemFields) stored(id string) *event.Item {
	at := func(t *Time) *time.Time {
		if t == nil || t.IsZero() {
			return nil
		}
		utc := t.UTC()
		return &utc
	}
	item := &event.Item{ID: id, URL: i.URL, Aliases: i.Aliases, Kind: i.Kind, Title: i.Title, Section: i.Section,
		Tags: i.Tags, Authors: i.Authors, Tier: i.Tier, PublishedAt: at(i.PublishedAt), UpdatedAt: at(i.UpdatedAt),
		Language: i.Language, Image: i.Image, Region: i.Region}
	if len(i.Attributes) > 0 {
		item.Attributes = make(map[string]string, len(i.Attributes))
		for name, v := range i.Attributes {
			item.Attributes[name], _ = plain(v)
		}
	}
	return item
}

func itemOf(i *event.Item) Item {
	return Item{ID: i.ID, Known: true, URL: i.URL, Aliases: i.Aliases, Kind: i.Kind, Title: i.Title, Section: i.Section,
		Tags: i.Tags, Authors: i.Authors, Tier: i.Tier, PublishedAt: i.PublishedAt, UpdatedAt: i.UpdatedAt,
		Language: i.Language, Image: i.Image, Region: i.Region, Attributes: i.Attributes, Source: i.Source}
}

// itemFact makes the fact of an item; it has at most maxItemBytes.
func itemFact(site, location string, item *event.Item) (event.Fact, *problem.Fault) {
	value, err := json.Marshal(item)
	if err != nil {
		return event.Fact{}, &problem.Fault{Location: location, Code: "bad_value", Message: err.Error()}
	}
	if len(value) > maxItemBytes {
		return event.Fact{}, &problem.Fault{Location: location, Code: "too_long", Message: fmt.Sprintf("an item has at most %d bytes, this has %d", maxItemBytes, len(value))}
	}
	return event.Fact{Kind: event.FactItem, Site: site, Key: item.ID, Value: value}, nil
}

// stands says whether an item is already what a fact makes of it.
func stands(current *event.Item, f event.Fact) bool {
	value, err := json.Marshal(current)
	return err == nil && bytes.Equal(value, f.Value)
}

// ItemPath is the id of an item: one percent-encoded segment.
type ItemPath struct {
	ID string `path:"id" maxLength:"512" doc:"Id of the item, percent-encoded" example:"a1"`
}

type itemOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   Item
}

func (a *API) registerItems() {
	reads, writes := rule{scope: auth.CatalogRead}, rule{scope: auth.CatalogRead | auth.CatalogWrite, idempotent: true}
	register(a, with(huma.Operation{
		OperationID: "list-items", Method: http.MethodGet, Path: "/v1/sites/{site}/items",
		Summary: "List items, or read one by id", Tags: []string{"Catalogue"}, Errors: problems(404, 422),
		Description: "With `id` the answer is that item, as of GET /v1/sites/{site}/items/{id}.",
		Responses: map[string]*huma.Response{"200": {Description: "A page of items, or one item", Content: map[string]*huma.MediaType{
			mediaJSON: {Schema: &huma.Schema{OneOf: []*huma.Schema{schemaOf[ItemList](a), schemaOf[Item](a)}}}}}},
	}, reads), a.listItems)
	register(a, with(huma.Operation{
		OperationID: "write-items", Method: http.MethodPost, Path: "/v1/sites/{site}/items", SkipValidateBody: true,
		Summary: "Write many items", Tags: []string{"Catalogue"}, Errors: problems(404, 413, 415, 422),
		Description: "An array or NDJSON of up to 10,000 items and 16 MB. A fault in one refuses all, and all faults are named. Of items with one id the last counts.",
	}, rule{scope: writes.scope, idempotent: true, accepts: []string{mediaJSON, mediaNDJSON}, maxBody: maxItemsBody}), a.writeItems)
	a.describeBody("/v1/sites/{site}/items", http.MethodPost, mediaJSON, &huma.Schema{Type: huma.TypeArray, Items: schemaOf[ItemInput](a)}, mediaJSON)
	a.huma.OpenAPI().Paths["/v1/sites/{site}/items"].Post.RequestBody.Content[mediaNDJSON] = &huma.MediaType{Schema: text()}
	register(a, with(huma.Operation{
		OperationID: "get-item", Method: http.MethodGet, Path: "/v1/sites/{site}/items/{id}",
		Summary: "Read an item", Tags: []string{"Catalogue"}, Errors: problems(404),
		Description: "An item that is not in the catalogue is answered with known = false.",
	}, reads), a.getItem)
	register(a, with(huma.Operation{
		OperationID: "put-item", Method: http.MethodPut, Path: "/v1/sites/{site}/items/{id}", SkipValidateBody: true, Responses: map[string]*huma.Response{
			"201": {Description: "Created", Content: map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf[Item](a)}}}},
		Summary: "Write an item", Tags: []string{"Catalogue"}, Errors: problems(404, 412, 413, 415, 422),
	}, rule{scope: writes.scope, maxBody: 1 << 20}), a.putItem)
	a.describeBody("/v1/sites/{site}/items/{id}", http.MethodPut, mediaJSON, schemaOf[ItemBody](a), mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "delete-item", Method: http.MethodDelete, Path: "/v1/sites/{site}/items/{id}",
		Summary: "Remove an item from the catalogue", Tags: []string{"Catalogue"}, Errors: problems(404, 412),
	}, writes), a.deleteItem)
}

func (a *API) itemByID(site, id string, u Unchanged) (*itemOutput, error) {
	item, ok := a.Engine.Item(site, id)
	if !ok {
		return &itemOutput{Status: http.StatusOK, Body: Item{ID: id}}, nil
	}
	tag := etag(item)
	if err := u.check(tag); err != nil {
		return nil, err
	}
	return &itemOutput{Status: http.StatusOK, ETag: tag, Body: itemOf(item)}, nil
}

func (a *API) getItem(_ context.Context, in *struct {
	SitePath
	ItemPath
	Unchanged
}) (*itemOutput, error) {
	return a.itemByID(in.Site, in.ID, in.Unchanged)
}

type listItemsOutput struct {
	ETag string `header:"ETag"`
	Body any
}

func (a *API) listItems(_ context.Context, in *struct {
	SitePath
	Paging
	Unchanged
	ID      string `query:"id" maxLength:"512" doc:"Reads this item"`
	Section string `query:"section" maxLength:"512"`
	Kind    string `query:"kind" maxLength:"64"`
	Search  string `query:"q" maxLength:"200" doc:"Part of the title or id"`
}) (*listItemsOutput, error) {
	if in.ID != "" {
		one, err := a.itemByID(in.Site, in.ID, in.Unchanged)
		if err != nil {
			return nil, err
		}
		return &listItemsOutput{ETag: one.ETag, Body: one.Body}, nil
	}
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	needle := strings.ToLower(in.Search)
	var items []*event.Item
	for _, i := range a.Engine.Items(in.Site) {
		if i.ID > after && (in.Section == "" || i.Section == in.Section) && (in.Kind == "" || i.Kind == in.Kind) &&
			(needle == "" || strings.Contains(strings.ToLower(i.Title), needle) || strings.Contains(strings.ToLower(i.ID), needle)) {
			items = append(items, i)
		}
	}
	id := func(i *event.Item) string { return i.ID }
	slices.SortFunc(items, func(x, y *event.Item) int { return strings.Compare(x.ID, y.ID) })
	out := ItemList{Items: []Item{}}
	items, out.Cursor = cut(in.Paging, items, id)
	for _, i := range items {
		out.Items = append(out.Items, itemOf(i))
	}
	return &listItemsOutput{Body: out}, nil
}

func (a *API) putItem(ctx context.Context, in *struct {
	SitePath
	ItemPath
	Conditions
	RawBody []byte `contentType:"application/json"`
}) (*itemOutput, error) {
	value, err := parseJSON(in.RawBody)
	if err != nil {
		return nil, err
	}
	body, faults := decodeInto[ItemBody](a, "body", value)
	if body.ID != "" && body.ID != in.ID {
		faults = append(faults, problem.Fault{Location: "body.id", Code: "bad_value", Message: "is not the id of the path", Value: echo(body.ID)})
	}
	if len(faults) > 0 {
		return nil, unprocessable(faults...)
	}
	item := body.stored(in.ID)
	fact, fault := itemFact(in.Site, "body", item)
	if fault != nil {
		return nil, unprocessable(*fault)
	}
	created, err := a.writeItem(ctx, in.Site, in.ID, in.Conditions, fact)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &itemOutput{Status: http.StatusOK, ETag: etag(item), Body: itemOf(item)}
	if created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// writeItem commits an item's fact if the conditions hold; conditional writes
// take turns so that two cannot both find the version they expect.
func (a *API) writeItem(ctx context.Context, site, id string, c Conditions, fact event.Fact) (created bool, err error) {
	if c.given() {
		a.itemWrites.Lock()
		defer a.itemWrites.Unlock()
	}
	tag := ""
	if current, ok := a.Engine.Item(site, id); ok {
		tag = etag(current)
	}
	if err := c.hold(tag); err != nil {
		return false, err
	}
	return tag == "", a.commit(ctx, fact)
}

func (a *API) deleteItem(ctx context.Context, in *struct {
	SitePath
	ItemPath
	Conditions
}) (*struct{}, error) {
	if _, ok := a.Engine.Item(in.Site, in.ID); !ok && !in.Conditions.given() {
		return nil, nil
	}
	_, err := a.writeItem(ctx, in.Site, in.ID, in.Conditions, event.Fact{Kind: event.FactItem, Site: in.Site, Key: in.ID})
	return nil, a.failed(ctx, err)
}

func (a *API) writeItems(ctx context.Context, in *struct {
	SitePath
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}) (*struct{ Body ItemsWritten }, error) {
	values, err := itemValues(in.ContentType, in.RawBody)
	if err != nil {
		return nil, err
	}
	facts, err := factsOf(a, values, func(location string, item *ItemInput) (event.Fact, *problem.Fault) {
		return itemFact(in.Site, location, item.stored(item.ID))
	}, nil)
	if err != nil {
		return nil, err
	}
	var out ItemsWritten
	write := facts[:0]
	for _, f := range facts {
		current, ok := a.Engine.Item(in.Site, f.Key)
		switch {
		case !ok:
			out.Created++
		case stands(current, f):
			out.Unchanged++
			continue
		default:
			out.Updated++
		}
		write = append(write, f)
	}
	if err := a.commitMany(ctx, write); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body ItemsWritten }{out}, nil
}

// itemValues reads an array, one object, or a value a line.
func itemValues(contentType string, body []byte) ([]any, error) {
	media, _, _ := mime.ParseMediaType(contentType)
	var values []any
	if media == mediaNDJSON {
		line := 0
		for text := range bytes.Lines(body) {
			line++
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			v, err := parseJSON(text)
			if err != nil {
				p, _ := problem.As(err)
				p.Errors[0].Location = index("body", len(values))
				p.Errors[0].Message = fmt.Sprintf("line %d: %s", line, p.Errors[0].Message)
				return nil, finish(p)
			}
			values = append(values, v)
		}
	} else {
		v, err := parseJSON(body)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case []any:
			values = v
		case map[string]any:
			values = []any{v}
		default:
			return nil, unprocessable(problem.Fault{Location: "body", Code: "wrong_type", Message: "expected an array of items"})
		}
	}
	if len(values) > maxItems {
		return nil, unprocessable(problem.Fault{Location: "body", Code: "too_many", Message: fmt.Sprintf("has %d items; at most %d are taken at once", len(values), maxItems)})
	}
	return values, nil
}
