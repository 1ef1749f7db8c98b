package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/simulate"
)

// SimulationBody asks what an access block would have decided.
type SimulationBody struct {
	Program  ProgramChoice  `json:"program"`
	Access   string         `json:"access,omitempty" maxLength:"64" doc:"Access block; may be absent where the program has one only" example:"story"`
	From     *Time          `json:"from,omitempty" doc:"Start, included; null or absent: of the window"`
	To       *Time          `json:"to,omitempty" doc:"End, excluded; null or absent: the site's now, included"`
	Against  *ProgramChoice `json:"against,omitempty" doc:"What to compare with; null or absent: nothing"`
	Timezone string         `json:"timezone,omitempty" maxLength:"64" doc:"For calendars, instead of the site's" example:"America/Sao_Paulo"`
}

// ProgramChoice is a program: its text, its files, a stored version, or the
// active one.
type ProgramChoice struct {
	files   map[string]string
	version *int
	active  bool
}

// Schema implements huma.SchemaProvider.
func (ProgramChoice) Schema(r huma.Registry) *huma.Schema {
	object := func(name string, s *huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{name: s}, Required: []string{name}, AdditionalProperties: false}
	}
	zero, one, most := 0.0, 1, 32
	s := &huma.Schema{
		AnyOf: []*huma.Schema{
			{Type: huma.TypeString, Description: "The text of its main file, or active"},
			object("files", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString}, MinProperties: &one, MaxProperties: &most}),
			object("version", &huma.Schema{Type: huma.TypeInteger, Minimum: &zero}),
		},
		Description: "A text, {\"files\":{…}}, {\"version\":n} or \"active\"", Examples: []any{map[string]any{"version": 3}},
	}
	for _, one := range s.AnyOf {
		one.PrecomputeMessages()
	}
	return s
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *ProgramChoice) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		c.files, c.active = map[string]string{event.MainFile: text}, text == "active"
		return nil
	}
	var in struct {
		Files   map[string]string `json:"files"`
		Version *int              `json:"version"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("a program is a text, files or a version: %w", err)
	}
	c.files, c.version = in.Files, in.Version
	return nil
}

// check implements checker.
func (b *SimulationBody) check(f *faults) {
	if b.From != nil && b.To != nil && !b.From.Before(b.To.Time) {
		f.add("to", "bad_range", "does not lie after from", b.To.Format(time.RFC3339Nano))
	}
	if b.Timezone != "" {
		if _, err := time.LoadLocation(b.Timezone); err != nil || b.Timezone == "Local" {
			f.add("timezone", "unknown_timezone", "is not an IANA time zone, such as Europe/Berlin", b.Timezone)
		}
	}
}

// Simulation is what an access block would have decided. The numbers are there
// once it is done.
type Simulation struct {
	ID       string  `json:"id"`
	State    string  `json:"state" enum:"queued,running,done,failed,stopped"`
	Progress float64 `json:"progress" minimum:"0" maximum:"1"`
	SimulationCount
	ByDay          []SimulationDay `json:"by_day" doc:"Days with a decision"`
	NewlyDenied    *int            `json:"newly_denied,omitempty" doc:"With against: readers who are denied something, and were denied nothing"`
	NoLongerDenied *int            `json:"no_longer_denied,omitempty" doc:"With against: the other way round"`
	From           *time.Time      `json:"from,omitempty" doc:"Of what was looked at"`
	To             *time.Time      `json:"to,omitempty" doc:"Its end, excluded"`
	Position       string          `json:"position,omitempty" doc:"What the answer includes"`
	Warnings       []string        `json:"warnings"`
	Error          string          `json:"error,omitempty" doc:"Why it has failed"`
}

// SimulationCount counts decisions.
type SimulationCount struct {
	Decisions     int            `json:"decisions" doc:"Page views with an item, robots and copies left out"`
	Allowed       int            `json:"allowed"`
	Denied        int            `json:"denied" doc:"Charges among them: who pays is told apart by the clause"`
	ReadersDenied int            `json:"readers_denied" doc:"Readers with a denial"`
	ByClause      map[string]int `json:"by_clause" doc:"Clauses that decided"`
}

// SimulationDay is what was decided on a day.
type SimulationDay struct {
	Day string `json:"day" format:"date-time" doc:"Its start in the time zone"`
	SimulationCount
}

// SimulationPath names a simulation.
type SimulationPath struct {
	ID string `path:"id" maxLength:"64"`
}

// simulated is what a simulation comes to.
type simulated struct {
	*simulate.Result
	of       simulate.Question
	position event.Position
	warnings []string
}

func (a *API) registerSimulations() {
	tags := []string{"Programs"}
	const path = "/v1/sites/{site}/simulations"
	ru := rule{scope: auth.ProgramRead}
	register(a, with(huma.Operation{
		OperationID: "create-simulation", Method: http.MethodPost, Path: path, SkipValidateBody: true, DefaultStatus: http.StatusAccepted,
		Summary: "Simulate an access block over the window", Tags: tags, Errors: problems(404, 413, 415, 422, 429),
		Description: "One decision with commit for each page view with an item, in order of time, now being its time: meters are empty at from. " +
			"A site has two at a time, further ones wait. What came of it is kept for an hour.",
	}, rule{scope: auth.ProgramRead, idempotent: true, maxBody: 4 * program.MaxBytes}), a.createSimulation)
	a.describeBody(path, http.MethodPost, mediaJSON, schemaOf[SimulationBody](a), mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "get-simulation", Method: http.MethodGet, Path: path + "/{id}",
		Summary: "Read how far a simulation is and what came of it", Tags: tags, Errors: problems(404),
	}, ru), a.getSimulation)
	register(a, with(huma.Operation{
		OperationID: "stop-simulation", Method: http.MethodDelete, Path: path + "/{id}", DefaultStatus: http.StatusOK,
		Summary: "Stop a simulation", Tags: tags, Errors: problems(404),
		Description: "One that has ended stays as it is.",
	}, ru), a.stopSimulation)
}

type simulationOutput struct {
	Location string `header:"Location"`
	Body     Simulation
}

func (a *API) createSimulation(ctx context.Context, in *struct {
	SitePath
	RawBody []byte `contentType:"application/json"`
}) (*simulationOutput, error) {
	body, err := simulationBody(a, in.RawBody)
	if err != nil {
		return nil, err
	}
	q, err := a.simulationQuestion(ctx, body)
	if err != nil {
		return nil, err
	}
	id, err := auth.NewID(a.Random, a.Now(), "simulation")
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	c := callOf(ctx)
	site, at := c.site.ID, c.at
	switch err := a.simulations.Submit(site, id, func(ctx context.Context, progress func(float64)) (*simulated, error) {
		return a.simulate(ctx, site, at, body, q, progress)
	}); {
	case errors.Is(err, simulate.ErrFull):
		return nil, problem.New(http.StatusTooManyRequests, err.Error()).WithCode("too_many").WithRetryAfter(5 * time.Second)
	case err != nil:
		return nil, problem.New(http.StatusServiceUnavailable, "the server is shutting down").WithCode("shutting_down").WithRetryAfter(time.Second)
	}
	job, _ := a.simulations.Get(site, id)
	return &simulationOutput{"/v1/sites/" + site + "/simulations/" + id, simulationOf(id, job)}, nil
}

// simulationBody reads the body of a request. A member that is null is absent.
func simulationBody(a *API, raw []byte) (body SimulationBody, err error) {
	v, err := parseJSON(raw)
	if err != nil {
		return body, err
	}
	if object, ok := v.(map[string]any); ok {
		maps.DeleteFunc(object, func(_ string, member any) bool { return member == nil })
	}
	body, list := decodeInto[SimulationBody](a, "body", v)
	if len(list) > 0 {
		return body, unprocessable(list...)
	}
	return body, nil
}

// simulationQuestion compiles what a simulation is about.
func (a *API) simulationQuestion(ctx context.Context, body SimulationBody) (q simulate.Question, err error) {
	if q.Block, err = a.blockOf(ctx, &body.Program, &body); err != nil || body.Against == nil {
		return q, err
	}
	against, err := a.blockOf(ctx, body.Against, &body)
	q.Against = &against
	return q, err
}

// blockOf returns the access block of a program.
func (a *API) blockOf(ctx context.Context, c *ProgramChoice, body *SimulationBody) (b simulate.Block, err error) {
	if b.Program, err = a.chosen(ctx, c, body.Timezone); err != nil {
		return b, err
	}
	var names []string
	for _, access := range b.Program.Accesses {
		names = append(names, access.Name)
		if access.Name == body.Access {
			b.Access = access
		}
	}
	switch {
	case b.Access != nil:
		return b, nil
	case body.Access != "":
		return b, notFound("access block", body.Access, names)
	case len(names) == 1:
		b.Access = b.Program.Accesses[0]
		return b, nil
	}
	return b, unprocessable(problem.Fault{Location: "body.access", Code: codeMissing, Message: fmt.Sprintf("is required: the program has %d access blocks", len(names))})
}

// chosen compiles a program for the site, or for the site in another time zone.
func (a *API) chosen(ctx context.Context, c *ProgramChoice, timezone string) (*plan.Program, error) {
	site := callOf(ctx).site
	files := c.files
	if c.active || c.version != nil {
		var version int
		if c.active {
			state, err := a.Programs.State(site.ID)
			if err != nil {
				return nil, a.failed(ctx, err)
			}
			version = state.Version
		} else {
			version = *c.version
		}
		stored, err := a.version(ctx, version, true)
		if err != nil {
			return nil, err
		}
		files = stored.Files
	}
	if timezone != "" {
		elsewhere := *site
		elsewhere.Timezone = timezone
		site = &elsewhere
	}
	p, _, err := a.compile(ctx, site, files)
	return p, err
}

// simulate runs a simulation on the site as it is now, at a position or later.
func (a *API) simulate(ctx context.Context, site string, at event.Position, body SimulationBody, q simulate.Question, progress func(float64)) (*simulated, error) {
	view, err := a.Engine.Readers(ctx, site, at)
	if err != nil {
		return nil, err
	}
	out := &simulated{position: view.Position}
	now := a.Engine.SiteNow(site, a.Now().UnixMilli())
	q.From, q.To = simulationSpan(view, now, body, &out.warnings)
	out.of = q
	out.Result, err = a.simulators.Run(ctx, view, q, progress)
	return out, err
}

// simulationSpan returns the part of the window that is asked about, and warns of
// what lies outside of it.
func simulationSpan(view *engine.View, now int64, body SimulationBody, warnings *[]string) (from, to int64) {
	warn := func(format string, at int64) {
		*warnings = append(*warnings, fmt.Sprintf(format, stamp(at).Format(time.RFC3339Nano)))
	}
	from, to = view.From, now+1
	if body.From != nil {
		if from = body.From.UnixMilli(); from < view.From {
			why := ""
			if view.Cut != "" {
				why = ", cut short by " + view.Cut
			}
			warn("from lies before the window"+why+": what lies before %s is empty", view.From)
			from = view.From
		}
	}
	if body.To != nil {
		if to = body.To.UnixMilli(); to > now+1 {
			warn("to lies after now: what lies after %s is empty", now)
			to = now + 1
		}
	}
	if body.To != nil && to <= view.From {
		warn("to lies before the window, which begins at %s", view.From)
	}
	if from > now {
		warn("from lies after now, which is %s", now)
	}
	return from, max(from, to)
}

func (a *API) getSimulation(ctx context.Context, in *struct {
	SitePath
	SimulationPath
}) (*struct{ Body Simulation }, error) {
	job, ok := a.simulations.Get(callOf(ctx).site.ID, in.ID)
	return simulationAnswer(in.ID, job, ok)
}

func (a *API) stopSimulation(ctx context.Context, in *struct {
	SitePath
	SimulationPath
}) (*struct{ Body Simulation }, error) {
	job, ok := a.simulations.Stop(callOf(ctx).site.ID, in.ID)
	return simulationAnswer(in.ID, job, ok)
}

func simulationAnswer(id string, job simulate.Job[*simulated], ok bool) (*struct{ Body Simulation }, error) {
	if !ok {
		return nil, notFound("simulation", id, nil)
	}
	return &struct{ Body Simulation }{simulationOf(id, job)}, nil
}

// simulationOf writes a job as it is answered.
func simulationOf(id string, job simulate.Job[*simulated]) Simulation {
	out := Simulation{ID: id, State: string(job.State), Progress: job.Progress, SimulationCount: countOf(simulate.Tally{}), ByDay: []SimulationDay{}, Warnings: []string{}}
	if job.State == simulate.Failed {
		out.Error = "something went wrong; the server's log says what"
		if p := explain(job.Err); p != nil {
			out.Error = p.Detail
		}
	}
	if job.State != simulate.Done {
		return out
	}
	r := job.Result
	out.SimulationCount = countOf(r.Tally)
	zone := r.of.Program.Calendar.Zone
	for _, d := range r.Days {
		out.ByDay = append(out.ByDay, SimulationDay{time.UnixMilli(d.Start).In(zone).Format(time.RFC3339), countOf(d.Tally)})
	}
	if r.of.Against != nil {
		out.NewlyDenied, out.NoLongerDenied = &r.NewlyDenied, &r.NoLongerDenied
	}
	from, to := stamp(r.of.From), stamp(r.of.To)
	out.From, out.To, out.Position = &from, &to, r.position.String()
	out.Warnings = append(out.Warnings, r.warnings...)
	return out
}

func countOf(t simulate.Tally) SimulationCount {
	byClause := t.ByClause
	if byClause == nil {
		byClause = map[string]int{}
	}
	return SimulationCount{Decisions: t.Decisions, Allowed: t.Allowed, Denied: t.Denied, ReadersDenied: t.ReadersDenied, ByClause: byClause}
}
