package event

import (
	"encoding/json"
	"fmt"
)

// FactRoutes is the kind of the fact that holds a site's routes: Key is empty,
// Value is a JSON array of Route.
const FactRoutes = "routes"

// Route says which origins answer for a part of a site. The order of a table
// means nothing: the longest path wins.
type Route struct {
	Host    string   `json:"host"`           // without port, in lower case
	Path    string   `json:"path,omitempty"` // /exact, or /prefix* ; /* if empty
	Origins []Origin `json:"origins"`
	Access  string   `json:"access,omitempty"`  // name of the access block that decides
	OnDeny  string   `json:"on_deny,omitempty"` // OnDenyTeaser or OnDenyOffer, which is the default

	Health  *Health `json:"health,omitempty"`
	Timeout string  `json:"timeout,omitempty"` // for the head of the answer; 30s if empty
	Retries *int    `json:"retries,omitempty"` // further attempts of a safe request; 2 if absent
	// StripPrefix takes away this beginning of the path before the origin is asked.
	StripPrefix string `json:"strip_prefix,omitempty"`
	// PreserveHost false asks the origin by its own name. True if absent.
	PreserveHost *bool `json:"preserve_host,omitempty"`
}

// Origin is a server of the publisher's.
type Origin struct {
	URL string `json:"url"` // http or https, host and port; a path stands before the request's
	// Weight is the origin's share of the requests among the weights of its route;
	// 1 if absent. 0 drains it: no new requests.
	Weight *int `json:"weight,omitempty"`
}

// Health says how an origin is asked whether it is well.
type Health struct {
	Path     string `json:"path"`
	Interval string `json:"interval,omitempty"` // 5s if empty
}

// What a reader gets who may not read.
const (
	OnDenyTeaser = "teaser" // the origin's page, which is told
	OnDenyOffer  = "offer"  // the offer's page
)

// DecodeRoutes reads the value of a FactRoutes.
func DecodeRoutes(value []byte) ([]Route, error) {
	var routes []Route
	if err := json.Unmarshal(value, &routes); err != nil {
		return nil, fmt.Errorf("decode routes: %w", err)
	}
	return routes, nil
}
