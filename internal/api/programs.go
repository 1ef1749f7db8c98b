package api

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
)

// ProgramFiles is a program of several files.
type ProgramFiles struct {
	Files map[string]string `json:"files" minProperties:"1" maxProperties:"32" doc:"Name → text; the program begins in main"`
}

// ProgramVersion is one stored version of a program.
type ProgramVersion struct {
	Version  int               `json:"version" doc:"0: the program of a new site"`
	Active   bool              `json:"active"`
	StoredAt *time.Time        `json:"stored_at,omitempty"`
	StoredBy string            `json:"stored_by,omitempty"`
	Files    map[string]string `json:"files,omitempty"`
}

// ProgramVersions lists the versions of a program, the newest first.
type ProgramVersions struct {
	Versions []ProgramVersion `json:"versions"`
	Cursor   string           `json:"cursor,omitempty"`
}

// ProgramChecked says what a program that has no errors defines.
type ProgramChecked struct {
	Version     int            `json:"version,omitempty" doc:"Its number, once it is stored"`
	Active      bool           `json:"active"`
	Definitions []Definition   `json:"definitions"`
	Cost        Cost           `json:"cost"`
	Warnings    []ProgramFault `json:"warnings"`
}

// Definition is one definition of a program.
type Definition struct {
	Kind string `json:"kind" enum:"segment,meter,access,metric"`
	Name string `json:"name"`
	Cost *Cost  `json:"cost,omitempty"`
}

// Cost is what a definition, or a whole program, takes.
type Cost struct {
	Rows           int64    `json:"rows" doc:"Rows of a reader that one evaluation looks at"`
	BytesPerReader int64    `json:"bytes_per_reader"`
	NanosPerEvent  int64    `json:"nanos_per_event" doc:"Estimated, for an event that may change it"`
	Shares         []string `json:"shares,omitempty" doc:"Definitions that it shares parts with"`
}

// ProgramFault is one diagnostic of a program.
type ProgramFault struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column" doc:"From 1, in code points"`
	EndColumn int    `json:"end_column" doc:"Exclusive"`
	Location  string `json:"location" example:"main:5:33"`
	Severity  string `json:"severity" enum:"error,warning"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
}

func (a *API) registerPrograms() {
	tags := []string{"Programs"}
	reads := rule{scope: auth.ProgramRead}
	writes := rule{scope: auth.ProgramRead | auth.ProgramWrite, idempotent: true, accepts: []string{mediaText, mediaJSON}, maxBody: 2 * program.MaxBytes}
	register(a, with(huma.Operation{
		OperationID: "get-program", Method: http.MethodGet, Path: "/v1/sites/{site}/program",
		Summary: "Read the active program", Tags: tags, Errors: problems(404),
	}, reads), a.getProgram)
	register(a, with(huma.Operation{
		OperationID: "put-program", Method: http.MethodPut, Path: "/v1/sites/{site}/program", SkipValidateBody: true,
		Summary: "Store a program and activate it", Tags: tags, Errors: problems(404, 413, 415, 422),
		Description: "The text of one file, or several as JSON. All errors are told at once, and the program before stays. `activate=false` only stores it.",
	}, writes), a.putProgram)
	register(a, with(huma.Operation{
		OperationID: "check-program", Method: http.MethodPost, Path: "/v1/sites/{site}/program/check", SkipValidateBody: true,
		Summary: "Check a program", Tags: tags, Errors: problems(404, 413, 415, 422),
	}, rule{scope: auth.ProgramRead, accepts: writes.accepts, maxBody: writes.maxBody}), a.checkProgram)
	a.describeBody("/v1/sites/{site}/program", http.MethodPut, mediaJSON, schemaOf[ProgramFiles](a), mediaJSON)
	a.describeBody("/v1/sites/{site}/program/check", http.MethodPost, mediaJSON, schemaOf[ProgramFiles](a), mediaJSON)
	a.huma.OpenAPI().Paths["/v1/sites/{site}/program"].Put.RequestBody.Content[mediaText] = &huma.MediaType{Schema: text()}
	a.huma.OpenAPI().Paths["/v1/sites/{site}/program/check"].Post.RequestBody.Content[mediaText] = &huma.MediaType{Schema: text()}
	register(a, with(huma.Operation{
		OperationID: "list-program-versions", Method: http.MethodGet, Path: "/v1/sites/{site}/program/versions",
		Summary: "List the versions of the program", Tags: tags, Errors: problems(404, 422),
	}, reads), a.listPrograms)
	register(a, with(huma.Operation{
		OperationID: "get-program-version", Method: http.MethodGet, Path: "/v1/sites/{site}/program/versions/{version}",
		Summary: "Read a version of the program", Tags: tags, Errors: problems(404, 422),
	}, reads), a.getProgramVersion)
	register(a, with(huma.Operation{
		OperationID: "activate-program", Method: http.MethodPost, Path: "/v1/sites/{site}/program/versions/{version}/activate",
		Summary: "Go back to a version", Tags: tags, Errors: problems(404, 422),
		Description: "A new version with the text of that one is stored and activated.",
	}, rule{scope: writes.scope, idempotent: true}), a.activateProgram)
}

func programFaults(list []source.Diagnostic) []ProgramFault {
	out := make([]ProgramFault, 0, len(list))
	for _, d := range list {
		out = append(out, ProgramFault{File: d.File, Line: d.Line, Column: d.Column, EndColumn: d.EndColumn,
			Location: fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column), Severity: d.Severity.String(), Code: d.Code, Message: d.Message, Hint: d.Hint})
	}
	return out
}

// compile checks files for a site; the error is the answer to a program that
// has errors.
func (a *API) compile(ctx context.Context, site *event.Site, files map[string]string) (*plan.Program, []ProgramFault, error) {
	size := 0
	for _, text := range files {
		size += len(text)
	}
	if size > program.MaxBytes {
		return nil, nil, unprocessable(problem.Fault{Location: "body", Code: "too_long", Message: fmt.Sprintf("a program has at most %d bytes, this has %d", program.MaxBytes, size)})
	}
	if _, ok := files[event.MainFile]; !ok {
		return nil, nil, unprocessable(problem.Fault{Location: "body.files." + event.MainFile, Code: "missing_field", Message: "a program begins in the file " + quoted(event.MainFile)})
	}
	ctx, cancel := context.WithTimeout(ctx, a.Limits.QueryTime)
	defer cancel()
	p, list, err := program.Check(ctx, files, program.Schema(site))
	if err != nil {
		return nil, nil, a.failed(ctx, err)
	}
	if p == nil {
		return nil, nil, problem.New(http.StatusUnprocessableEntity, "the program has errors").WithCode("program_errors").
			With(map[string]any{"errors": programFaults(list)})
	}
	return p, programFaults(list), nil
}

// checked describes a program without errors.
func checked(p *plan.Program, warnings []ProgramFault) ProgramChecked {
	costOf := func(c plan.Cost) Cost {
		return Cost{Rows: c.Rows, BytesPerReader: c.BytesPerReader, NanosPerEvent: c.NanosPerEvent, Shares: c.Shares}
	}
	out := ProgramChecked{Definitions: []Definition{}, Cost: costOf(p.Cost), Warnings: warnings}
	add := func(kind, name string, c plan.Cost) {
		cost := costOf(c)
		out.Definitions = append(out.Definitions, Definition{Kind: kind, Name: name, Cost: &cost})
	}
	for _, d := range p.Segments {
		add("segment", d.Name, d.Cost)
	}
	for _, d := range p.Meters {
		add("meter", d.Name, d.Cost)
	}
	for _, d := range p.Accesses {
		add("access", d.Name, d.Cost)
	}
	for _, d := range p.Metrics {
		add("metric", d.Name, d.Cost)
	}
	return out
}

// programFiles reads the body of a program.
func programFiles(a *API, contentType string, body []byte) (map[string]string, error) {
	if media, _, _ := mime.ParseMediaType(contentType); media == mediaText {
		return map[string]string{event.MainFile: string(body)}, nil
	}
	v, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	in, faults := decodeInto[ProgramFiles](a, "body", v)
	if len(faults) > 0 {
		return nil, unprocessable(faults...)
	}
	return in.Files, nil
}

// ProgramInput is a program in the body of a request.
type ProgramInput struct {
	SitePath
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

type programOutput struct {
	ETag string `header:"ETag" doc:"Of the active program"`
	Body ProgramChecked
}

// programTag is the ETag of the active program.
func programTag(state event.Active) string { return `"` + strconv.Itoa(state.Version) + `"` }

func (a *API) checkProgram(ctx context.Context, in *ProgramInput) (*programOutput, error) {
	files, err := programFiles(a, in.ContentType, in.RawBody)
	if err != nil {
		return nil, err
	}
	p, warnings, err := a.compile(ctx, callOf(ctx).site, files)
	if err != nil {
		return nil, err
	}
	return &programOutput{Body: checked(p, warnings)}, nil
}

func (a *API) putProgram(ctx context.Context, in *struct {
	ProgramInput
	Conditions
	Activate bool `query:"activate" default:"true"`
}) (*programOutput, error) {
	files, err := programFiles(a, in.ContentType, in.RawBody)
	if err != nil {
		return nil, err
	}
	return a.storeProgram(ctx, files, in.Conditions, in.Activate)
}

// storeProgram checks a program, appends it to the log as the newest version
// and answers when the engine has it. The conditions are about the active one.
func (a *API) storeProgram(ctx context.Context, files map[string]string, conditions Conditions, activate bool) (*programOutput, error) {
	c := callOf(ctx)
	p, warnings, err := a.compile(ctx, c.site, files)
	if err != nil {
		return nil, err
	}
	a.programWrites.Lock()
	defer a.programWrites.Unlock()
	state, err := a.Programs.State(c.site.ID)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if err := conditions.hold(programTag(state)); err != nil {
		return nil, err
	}
	// Segments are made ready beside the ones that run.
	prepare := activate && len(p.Segments) > 0
	version, facts, err := program.Stored(c.site.ID, state, event.Program{Files: files, At: a.Now().UnixMilli(), By: c.principal.Name}, activate && !prepare)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if prepare {
		facts = append(facts, program.Prepare(c.site.ID, version))
	}
	if err := a.commit(ctx, facts...); err != nil {
		return nil, a.failed(ctx, err)
	}
	if prepare {
		if err := a.switchProgram(ctx, c.site.ID, version); err != nil {
			return nil, a.failed(ctx, err)
		}
	}
	out := &programOutput{Body: checked(p, warnings)}
	out.Body.Version, out.Body.Active = version, activate
	if activate {
		state.Version = version
	}
	out.ETag = programTag(state)
	return out, nil
}

// switchProgram activates a version that is being prepared once it is ready. If
// the caller does not wait for that it is abandoned, and stays stored.
func (a *API) switchProgram(ctx context.Context, site string, version int) error {
	if err := a.Segments.Prepared(ctx, site, version); err != nil {
		_, abandoned := a.Committer.CommitFacts(context.WithoutCancel(ctx), program.Abandon(site))
		return errors.Join(err, abandoned)
	}
	state, err := a.Programs.State(site)
	if err != nil {
		return err
	}
	facts, err := program.Activated(site, state, version)
	if err != nil {
		return err
	}
	return a.commit(ctx, facts...)
}

func (a *API) version(ctx context.Context, version int, texts bool) (out ProgramVersion, err error) {
	site := callOf(ctx).site.ID
	state, err := a.Programs.State(site)
	if err != nil {
		return out, a.failed(ctx, err)
	}
	stored, ok, err := a.Programs.Version(site, version)
	if err != nil {
		return out, a.failed(ctx, err)
	}
	if !ok {
		return out, notFound("version", strconv.Itoa(version), nil)
	}
	out = ProgramVersion{Version: version, Active: version == state.Version, StoredBy: stored.By}
	if stored.At != 0 {
		at := time.UnixMilli(stored.At).UTC()
		out.StoredAt = &at
	}
	if texts {
		out.Files = stored.Files
	}
	return out, nil
}

type activeProgramOutput struct {
	ETag string `header:"ETag"`
	Body ProgramVersion
}

func (a *API) getProgram(ctx context.Context, _ *struct{ SitePath }) (*activeProgramOutput, error) {
	state, err := a.Programs.State(callOf(ctx).site.ID)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out, err := a.version(ctx, state.Version, true)
	return &activeProgramOutput{programTag(state), out}, err
}

// VersionPath is the number of a version.
type VersionPath struct {
	Version int `path:"version" minimum:"0"`
}

func (a *API) getProgramVersion(ctx context.Context, in *struct {
	SitePath
	VersionPath
}) (*struct{ Body ProgramVersion }, error) {
	out, err := a.version(ctx, in.Version, true)
	return &struct{ Body ProgramVersion }{out}, err
}

func (a *API) listPrograms(ctx context.Context, in *struct {
	SitePath
	Paging
}) (*struct{ Body ProgramVersions }, error) {
	state, err := a.Programs.State(callOf(ctx).site.ID)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	next := state.Stored
	if in.Cursor != "" {
		after, err := in.after()
		if err != nil {
			return nil, err
		}
		if next, err = strconv.Atoi(after); err != nil || next < 0 || next > state.Stored {
			return nil, unprocessable(problem.Fault{Location: "query.cursor", Code: "bad_value", Message: "is not a cursor of this list", Value: echo(in.Cursor)})
		}
	}
	list := []ProgramVersion{}
	for ; next >= 0 && len(list) < in.Limit; next-- {
		one, err := a.version(ctx, next, false)
		if p, ok := problem.As(err); ok && p.Status == http.StatusNotFound {
			continue // it is too old to be kept
		}
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	out := ProgramVersions{Versions: list}
	if next >= 0 {
		out.Cursor = cursorOf(strconv.Itoa(next))
	}
	return &struct{ Body ProgramVersions }{out}, nil
}

func (a *API) activateProgram(ctx context.Context, in *struct {
	SitePath
	VersionPath
	Conditions
}) (*programOutput, error) {
	stored, err := a.version(ctx, in.Version, true)
	if err != nil {
		return nil, err
	}
	return a.storeProgram(ctx, stored.Files, in.Conditions, true)
}
