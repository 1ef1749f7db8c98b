package enrich

// Enricher says what follows from a request. Safe for concurrent use.
type Enricher struct {
	Agents *Agents
}

// New makes an enricher.
func New() *Enricher { return &Enricher{Agents: NewAgents()} }
