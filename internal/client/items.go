package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/problem"
)

// ItemsReceipt is what became of a body of items.
type ItemsReceipt struct {
	Created   int        `json:"created"`
	Updated   int        `json:"updated"`
	Unchanged int        `json:"unchanged"`
	Rejected  []Rejected `json:"-"` // every fault, in the order of the body; an item may have several
}

// WriteItems posts NDJSON items, one a line. The server takes all items of a body
// or none: those that it finds fault with are left out, the others are sent
// again without them. Refusals for overload and lost connections are tried
// again, as by Send. The key needs catalog:write.
func (c *Client) WriteItems(ctx context.Context, body []byte, o SendOptions) (*ItemsReceipt, error) {
	items := slices.Collect(bytes.Lines(body))
	places := make([]int, len(items))
	for i := range places {
		places[i] = i
	}
	var receipt ItemsReceipt
	for len(items) > 0 {
		err := o.patiently(ctx, func() error {
			r, err := c.request(ctx, http.MethodPost, "/v1/sites/"+url.PathEscape(o.Site)+"/items", nil, bytes.Join(items, nil), "application/x-ndjson")
			if err != nil {
				return err
			}
			return c.do(r, &receipt)
		})
		if err == nil {
			break
		}
		faults := refused(err, len(items))
		if len(faults) == 0 {
			return nil, err
		}
		bad := make([]bool, len(items))
		for _, f := range faults {
			bad[f.Index] = true
			f.Index = places[f.Index]
			receipt.Rejected = append(receipt.Rejected, f)
		}
		items, places = without(items, bad), without(places, bad)
	}
	slices.SortStableFunc(receipt.Rejected, func(x, y Rejected) int { return x.Index - y.Index })
	return &receipt, nil
}

// refused returns the faults of an answer if each lies in one of n items.
func refused(err error, n int) []Rejected {
	p, ok := problem.As(err)
	if !ok || p.Status != http.StatusBadRequest && p.Status != http.StatusUnprocessableEntity {
		return nil
	}
	var list []Rejected
	for _, f := range p.Errors {
		at, path, _ := strings.Cut(f.Location, "]")
		index, err := strconv.Atoi(strings.TrimPrefix(at, "body["))
		if err != nil || index < 0 || index >= n {
			return nil
		}
		r := Rejected{Index: index, Code: f.Code, Path: strings.TrimPrefix(path, "."), Message: f.Message}
		if f.Value != nil {
			if value, err := json.Marshal(f.Value); err == nil {
				r.Message += fmt.Sprintf(" (%s)", value)
			}
		}
		list = append(list, r)
	}
	return list
}

// without returns the values that are not marked.
func without[T any](list []T, marked []bool) []T {
	kept := make([]T, 0, len(list))
	for i, v := range list {
		if !marked[i] {
			kept = append(kept, v)
		}
	}
	return kept
}
