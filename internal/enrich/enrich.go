package enrich

// Enricher says what follows from a request. Safe for concurrent use.
type Enricher struct {
	Agents *Agents
	Geo    *Geo // nil: places are not known
	// Crawlers says which robots are their operators'; nil: none.
	Crawlers *Verifier
}

// New makes an enricher that knows agents.
func New() *Enricher { return &Enricher{Agents: NewAgents()} }
