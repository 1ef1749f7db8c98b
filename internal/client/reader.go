package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Reader is everything that a server keeps of a reader.
type Reader struct {
	Reader     string                       `json:"reader"`
	Known      bool                         `json:"known"`
	Registered bool                         `json:"registered"`
	FirstSeen  *time.Time                   `json:"first_seen"`
	AsOf       time.Time                    `json:"as_of"`
	Account    *Account                     `json:"account"`
	Devices    []string                     `json:"devices"`
	Rows       []map[string]json.RawMessage `json:"rows"`
}

// Account is what is known of a proven account.
type Account struct {
	Traits       map[string]json.RawMessage `json:"traits"`
	Entitlements []struct {
		Name  string `json:"name"`
		Holds bool   `json:"holds"` // at AsOf
	} `json:"entitlements"`
}

// Reader asks for a reader, device:ID or account:ID; the key needs readers:read.
func (c *Client) Reader(ctx context.Context, site, name string) (*Reader, error) {
	var r Reader
	if err := c.Do(ctx, http.MethodGet, "/v1/sites/"+url.PathEscape(site)+"/readers/"+url.PathEscape(name), nil, nil, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Item asks for an item of the catalogue, nil for an unknown one; the key needs
// catalog:read.
func (c *Client) Item(ctx context.Context, site, id string) (*event.Item, error) {
	var i struct {
		event.Item
		Known bool `json:"known"`
	}
	if err := c.Do(ctx, http.MethodGet, "/v1/sites/"+url.PathEscape(site)+"/items", url.Values{"id": {id}}, nil, &i); err != nil {
		return nil, err
	}
	if !i.Known {
		return nil, nil
	}
	return &i.Item, nil
}

// Program asks for the texts of the active program by the names of its files; the
// key needs program:read.
func (c *Client) Program(ctx context.Context, site string) (map[string]string, error) {
	var p struct {
		Files map[string]string `json:"files"`
	}
	err := c.Do(ctx, http.MethodGet, "/v1/sites/"+url.PathEscape(site)+"/program", nil, nil, &p)
	return p.Files, err
}

// Rubric returns the reader as programs see it. Entitlements are those that hold
// as of the answer; they then hold at all times.
func (r *Reader) Rubric() (*memory.Reader, error) {
	out := &memory.Reader{Name: r.Reader, Profile: memory.Profile{Account: r.Registered, Subject: r.Reader, Entitlements: map[string]string{}}}
	p := &out.Profile
	if r.FirstSeen != nil {
		p.First = value.OfTime(r.FirstSeen.UnixMilli())
	}
	if len(r.Devices) == 1 { // arms are those of the device that an account was first proven on
		p.Subject = r.Devices[0]
	}
	if r.Account != nil {
		var err error
		if p.Traits, err = recorded(r.Account.Traits); err != nil {
			return nil, fmt.Errorf("traits of %s: %w", r.Reader, err)
		}
		for _, e := range r.Account.Entitlements {
			if e.Holds {
				p.Entitlements[e.Name] = "account"
			}
		}
	}
	for i, row := range r.Rows {
		made, err := rowOf(row)
		if err != nil {
			return nil, fmt.Errorf("row %d of %s: %w", i+1, r.Reader, err)
		}
		out.Rows.Add(made)
	}
	return out, nil
}

// rowOf reads a row of an export. Members that programs have no column for say
// how the row came to be.
func rowOf(row map[string]json.RawMessage) (*memory.Row, error) {
	out := &memory.Row{Columns: map[plan.Column]value.Value{}}
	var at time.Time
	if err := json.Unmarshal(row["time"], &at); err != nil {
		return nil, fmt.Errorf("its time: %w", err)
	}
	out.At = at.UnixMilli()
	properties := map[string]json.RawMessage{}
	if text := row["properties"]; text != nil {
		if err := json.Unmarshal(text, &properties); err != nil {
			return nil, fmt.Errorf("its properties: %w", err)
		}
	}
	var err error
	if out.Properties, err = recorded(properties); err != nil {
		return nil, err
	}
	for name, text := range row {
		column, ok := plan.ColumnByName(name)
		if !ok || column == plan.ColTime {
			continue
		}
		v, err := oneOf(text)
		if err != nil {
			return nil, fmt.Errorf("its %s: %w", name, err)
		}
		if column.Type() == value.Int {
			v = value.OfInt(v.N / 1e6)
		}
		out.Columns[column] = v
	}
	return out, nil
}

// recorded reads texts, numbers and Booleans.
func recorded(texts map[string]json.RawMessage) (map[string]value.Value, error) {
	out := map[string]value.Value{}
	for name, text := range texts {
		v, err := oneOf(text)
		if err != nil {
			return nil, fmt.Errorf("its %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func oneOf(text json.RawMessage) (value.Value, error) {
	kind := event.KindNumber
	switch text[0] {
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		return value.OfText(s), err
	case 't', 'f':
		kind = event.KindBool
	case 'n', '{', '[':
		return value.Value{}, fmt.Errorf("%s is no text, number or Boolean", text)
	}
	return fold.Typed(string(text), kind), nil
}
