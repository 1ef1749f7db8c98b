package api

import (
	"net/http"
	"strings"

	"github.com/readership/readership/internal/problem"
)

// Where an edge, which has neither the database nor rows, has its requests
// answered. What brings events, in any dialect, and what pages need it answers itself.
const (
	answeredHere = iota + 1
	passedOn
)

// edgeRoutes are the operations of the interface that an edge has.
var edgeRoutes = map[string]int{
	"GET /healthz": answeredHere,
	"GET /readyz":  answeredHere,
	"GET /metrics": answeredHere,

	"POST /v1/sites/{site}/decisions":                answeredHere,
	"OPTIONS /v1/sites/{site}/decisions":             answeredHere,
	"POST /v1/sites/{site}/decisions/{id}/commit":    answeredHere,
	"OPTIONS /v1/sites/{site}/decisions/{id}/commit": answeredHere,
	"POST /v1/sites/{site}/devices":                  answeredHere,
	"GET /v1/sites/{site}/auth":                      answeredHere,

	"GET /v1/sites/{site}/decisions":                  passedOn,
	"GET /v1/sites/{site}/decisions/{id}":             passedOn,
	"GET /v1/sites/{site}/readers/{reader}/segments":  passedOn,
	"GET /v1/sites/{site}/recommendations/{strategy}": passedOn,
}

// atEdge says whether an edge answers a request itself; if not, it is answered.
func (a *API) atEdge(w http.ResponseWriter, r *http.Request, handler http.Handler, pattern string) bool {
	_, path, _ := strings.Cut(pattern, " ")
	where := edgeRoutes[pattern]
	switch {
	case where == answeredHere || handler == a.Collect:
		return true
	case where == passedOn:
		a.Elsewhere.ServeHTTP(w, r)
		return false
	case pattern != "" && !reserved(path):
		return true // a script, a dialect's settings
	}
	problem.Newf(http.StatusNotFound, "an edge has nothing at %s: the process of the role api may", r.URL.Path).Respond(w)
	return false
}
