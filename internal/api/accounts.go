package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// AccountFields are what a publisher's systems say of an account: proof, never
// what a browser claims.
type AccountFields struct {
	Traits       map[string]any     `json:"traits,omitempty" maxProperties:"64" doc:"Strings, numbers, booleans"`
	Entitlements []EntitlementInput `json:"entitlements,omitempty" maxItems:"100"`
}

// EntitlementInput is one thing that an account may read, for a time.
type EntitlementInput struct {
	Name         string `json:"name" minLength:"1" maxLength:"128" example:"premium"`
	From         *Time  `json:"from,omitempty" doc:"From when it holds; always if absent or null"`
	Until        *Time  `json:"until,omitempty" doc:"Until when, excluded; without end if absent or null"`
	State        string `json:"state,omitempty" enum:"active,past_due,ended" doc:"active if absent"`
	PastDueSince *Time  `json:"past_due_since,omitempty" doc:"When the payment failed: past_due holds for 7 days after it"`
}

// AccountInput is an account of a list.
type AccountInput struct {
	ID string `json:"id" minLength:"1" maxLength:"512"`
	AccountFields
}

// AccountBody is an account whose id stands in the path.
type AccountBody struct {
	ID string `json:"id,omitempty" maxLength:"512" doc:"If given, the one of the path"`
	AccountFields
}

// AccountPatch changes an account; null removes a trait.
type AccountPatch struct {
	AccountFields
}

// Entitlement is an entitlement as it is answered.
type Entitlement struct {
	Name         string     `json:"name"`
	From         *time.Time `json:"from" nullable:"true"`
	Until        *time.Time `json:"until" nullable:"true"`
	State        string     `json:"state" enum:"active,past_due,ended"`
	PastDueSince *time.Time `json:"past_due_since" nullable:"true"`
	Holds        bool       `json:"holds" doc:"Whether it entitles at the site's now"`
}

// Account is an account as it is answered.
type Account struct {
	ID           string         `json:"id"`
	Known        bool           `json:"known" doc:"Whether anything was written of it; else it has an id only"`
	Traits       map[string]any `json:"traits"`
	Entitlements []Entitlement  `json:"entitlements"`
}

// AccountsWritten is the answer to a list of accounts.
type AccountsWritten struct {
	Created int `json:"created"`
	Updated int `json:"updated"`
}

// Limits of accounts.
const (
	maxAccountBytes = 32 << 10 // of one stored account
	maxTraitName    = 128
)

// Resolve implements huma.ResolverWithPath: the rules beyond the schema.
func (a *AccountFields) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	a.check(f)
	return f.errors()
}

func (a *AccountInput) check(f *faults) { a.AccountFields.check(f) }

func (a *AccountBody) check(f *faults) { a.AccountFields.check(f) }

func (a *AccountPatch) check(f *faults) { a.AccountFields.check(f) }

func (a *AccountFields) check(f *faults) {
	for _, name := range slices.Sorted(maps.Keys(a.Traits)) {
		if name == "" || len(name) > maxTraitName {
			f.add("traits."+clip(name), "bad_value", fmt.Sprintf("a name has 1 to %d bytes", maxTraitName), nil)
		}
		if v, ok := plain(a.Traits[name]); !ok {
			f.add("traits."+clip(name), "wrong_type", "expected string, number or boolean", nil)
		} else if len(v) > event.MaxStringBytes {
			f.add("traits."+clip(name), "too_long", fmt.Sprintf("has at most %d bytes", event.MaxStringBytes), v)
		}
	}
	for i := range a.Entitlements {
		e := &a.Entitlements[i]
		at := func(field string) string { return index("entitlements", i) + "." + field }
		if e.From != nil && e.Until != nil && !e.Until.After(e.From.Time) {
			f.add(at("until"), "bad_range", "does not lie after from", e.Until.Format(time.RFC3339))
		}
		if e.State == event.StatePastDue && e.PastDueSince == nil {
			f.add(at("past_due_since"), "missing_field", "is required with the state past_due: the grace is counted from it", nil)
		}
	}
}

// stored makes the account as the log has it.
func (a *AccountFields) stored() event.Account {
	out := event.Account{Traits: a.Traits}
	at := func(t *Time) *time.Time {
		if t == nil || t.IsZero() {
			return nil
		}
		utc := t.UTC()
		return &utc
	}
	for _, e := range a.Entitlements {
		state := e.State
		if state == "" {
			state = event.StateActive
		}
		out.Entitlements = append(out.Entitlements, event.Entitlement{Name: e.Name, From: at(e.From), Until: at(e.Until),
			State: state, PastDueSince: at(e.PastDueSince)})
	}
	return out
}

// accountFields is the inverse of stored.
func accountFields(a event.Account) AccountFields {
	out := AccountFields{Traits: a.Traits}
	at := func(t *time.Time) *Time {
		if t == nil {
			return nil
		}
		return &Time{*t}
	}
	for _, e := range a.Entitlements {
		out.Entitlements = append(out.Entitlements, EntitlementInput{Name: e.Name, From: at(e.From), Until: at(e.Until),
			State: e.State, PastDueSince: at(e.PastDueSince)})
	}
	return out
}

// accountOf answers an account as it is at an instant of the site's clock.
func accountOf(id string, known *engine.Account, now int64) Account {
	out := Account{ID: id, Known: known != nil, Traits: map[string]any{}, Entitlements: []Entitlement{}}
	if known == nil {
		return out
	}
	v := known.Value()
	if v.Traits != nil {
		out.Traits = v.Traits
	}
	for i, e := range v.Entitlements {
		out.Entitlements = append(out.Entitlements, Entitlement{Name: e.Name, From: e.From, Until: e.Until, State: e.State,
			PastDueSince: e.PastDueSince, Holds: known.Entitlements[i].Holds(now)})
	}
	return out
}

// accountFact makes the fact of an account; it has at most maxAccountBytes.
func accountFact(site, location, id string, account event.Account) (event.Fact, *problem.Fault) {
	value, err := json.Marshal(account)
	if err != nil {
		return event.Fact{}, &problem.Fault{Location: location, Code: "bad_value", Message: err.Error()}
	}
	if len(value) > maxAccountBytes {
		return event.Fact{}, &problem.Fault{Location: location, Code: "too_long", Message: fmt.Sprintf("an account has at most %d bytes, this has %d", maxAccountBytes, len(value))}
	}
	return event.Fact{Kind: event.FactAccount, Site: site, Key: id, Value: value}, nil
}

// withoutNulls drops members that are null from the objects in lists below a
// JSON value: there null says the same as an absent member.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			if object, ok := one.(map[string]any); ok {
				object = maps.Clone(object)
				maps.DeleteFunc(object, func(_ string, v any) bool { return v == nil })
				one = object
			}
			out[i] = withoutNulls(one)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = withoutNulls(one)
		}
		return out
	}
	return value
}

// AccountPath is the id of an account: one percent-encoded segment.
type AccountPath struct {
	ID string `path:"id" minLength:"1" maxLength:"512" doc:"Id of the account, percent-encoded" example:"a7"`
}

type accountOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   Account
}

func (a *API) registerAccounts() {
	created := func() map[string]*huma.Response {
		return map[string]*huma.Response{"201": {Description: "Created", Content: map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf[Account](a)}}}}
	}
	const path = "/v1/sites/{site}/accounts/{id}"
	tags := []string{"Readers"}
	reads, writes := rule{scope: auth.ReadersRead}, auth.ReadersRead|auth.ReadersWrite
	register(a, with(huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: path,
		Summary: "Read an account", Tags: tags, Errors: problems(404),
		Description: "An account that nothing was written of is answered with known = false.",
	}, reads), a.getAccount)
	register(a, with(huma.Operation{
		OperationID: "put-account", Method: http.MethodPut, Path: path, SkipValidateBody: true, Responses: created(),
		Summary: "Write an account", Tags: tags, Errors: problems(404, 412, 413, 415, 422),
		Description: "Traits and entitlements are proof: rules see them at once.",
	}, rule{scope: writes}), a.putAccount)
	a.describeBody(path, http.MethodPut, mediaJSON, schemaOf[AccountBody](a), mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "update-account", Method: http.MethodPatch, Path: path, SkipValidateBody: true, Responses: created(),
		Summary: "Change an account (RFC 7396)", Tags: tags, Errors: problems(404, 412, 413, 415, 422),
		Description: "An account that nothing was written of begins empty.",
	}, rule{scope: writes, accepts: []string{mediaMerge, mediaJSON}}), a.updateAccount)
	a.describeBody(path, http.MethodPatch, mediaMerge, schemaOf[AccountPatch](a), mediaMerge, mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "delete-account", Method: http.MethodDelete, Path: path,
		Summary: "Remove an account's traits and entitlements", Tags: tags, Errors: problems(404, 412),
		Description: "Its rows stay; DELETE …/readers/account:ID erases them.",
	}, rule{scope: writes}), a.deleteAccount)
	register(a, with(huma.Operation{
		OperationID: "write-accounts", Method: http.MethodPost, Path: "/v1/sites/{site}/accounts", SkipValidateBody: true,
		Summary: "Write many accounts", Tags: tags, Errors: problems(404, 413, 415, 422),
		Description: "An array or NDJSON of up to 10,000 accounts and 16 MB. A fault in one refuses all, and all faults are named.",
	}, rule{scope: writes, idempotent: true, accepts: []string{mediaJSON, mediaNDJSON}, maxBody: maxItemsBody}), a.writeAccounts)
	a.describeBody("/v1/sites/{site}/accounts", http.MethodPost, mediaJSON, &huma.Schema{Type: huma.TypeArray, Items: schemaOf[AccountInput](a)}, mediaJSON)
	a.huma.OpenAPI().Paths["/v1/sites/{site}/accounts"].Post.RequestBody.Content[mediaNDJSON] = &huma.MediaType{Schema: text()}
}

// siteNow is the site's clock, Unix milliseconds.
func (a *API) siteNow(site string) int64 { return a.Engine.SiteNow(site, a.Now().UnixMilli()) }

// accountTag names the version of an account, "" if there is none.
func accountTag(known *engine.Account) string {
	if known == nil {
		return ""
	}
	return etag(known.Value())
}

func (a *API) getAccount(_ context.Context, in *struct {
	SitePath
	AccountPath
	Unchanged
}) (*accountOutput, error) {
	known := a.Engine.Profiles(in.Site).Account(in.ID)
	tag := accountTag(known)
	if err := in.Unchanged.check(tag); err != nil && known != nil {
		return nil, err
	}
	return &accountOutput{Status: http.StatusOK, ETag: tag, Body: accountOf(in.ID, known, a.siteNow(in.Site))}, nil
}

func (a *API) putAccount(ctx context.Context, in *struct {
	SitePath
	AccountPath
	Conditions
	RawBody []byte `contentType:"application/json"`
}) (*accountOutput, error) {
	value, err := parseJSON(in.RawBody)
	if err != nil {
		return nil, err
	}
	body, faults := decodeInto[AccountBody](a, "body", withoutNulls(value))
	if body.ID != "" && body.ID != in.ID {
		faults = append(faults, problem.Fault{Location: "body.id", Code: "bad_value", Message: "is not the id of the path", Value: echo(body.ID)})
	}
	if len(faults) > 0 {
		return nil, unprocessable(faults...)
	}
	a.accountWrites.Lock()
	defer a.accountWrites.Unlock()
	return a.storeAccount(ctx, in.Site, in.ID, in.Conditions, body.stored())
}

func (a *API) updateAccount(ctx context.Context, in *struct {
	SitePath
	AccountPath
	Conditions
	RawBody []byte `contentType:"application/merge-patch+json"`
}) (*accountOutput, error) {
	patch, err := parseJSON(in.RawBody)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(withoutNulls(patch))
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	a.accountWrites.Lock()
	defer a.accountWrites.Unlock()
	current := AccountPatch{}
	if known := a.Engine.Profiles(in.Site).Account(in.ID); known != nil {
		current.AccountFields = accountFields(known.Value())
	}
	body, faults, err := patched(a, current, raw)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if len(faults) > 0 {
		return nil, unprocessable(faults...)
	}
	return a.storeAccount(ctx, in.Site, in.ID, in.Conditions, body.stored())
}

// storeAccount commits an account if the conditions hold. The caller holds
// accountWrites.
func (a *API) storeAccount(ctx context.Context, site, id string, c Conditions, account event.Account) (*accountOutput, error) {
	known := a.Engine.Profiles(site).Account(id)
	if err := c.hold(accountTag(known)); err != nil {
		return nil, err
	}
	fact, fault := accountFact(site, "body", id, account)
	if fault != nil {
		return nil, unprocessable(*fault)
	}
	if err := a.commit(ctx, fact); err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &accountOutput{Status: http.StatusOK}
	if known == nil {
		out.Status = http.StatusCreated
	}
	known = a.Engine.Profiles(site).Account(id)
	out.ETag, out.Body = accountTag(known), accountOf(id, known, a.siteNow(site))
	return out, nil
}

func (a *API) deleteAccount(ctx context.Context, in *struct {
	SitePath
	AccountPath
	Conditions
}) (*struct{}, error) {
	a.accountWrites.Lock()
	defer a.accountWrites.Unlock()
	known := a.Engine.Profiles(in.Site).Account(in.ID)
	if err := in.Conditions.hold(accountTag(known)); err != nil {
		return nil, err
	}
	if known == nil {
		return nil, nil
	}
	return nil, a.failed(ctx, a.commit(ctx, event.Fact{Kind: event.FactAccount, Site: in.Site, Key: in.ID}))
}

func (a *API) writeAccounts(ctx context.Context, in *struct {
	SitePath
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}) (*struct{ Body AccountsWritten }, error) {
	values, err := itemValues(in.ContentType, in.RawBody)
	if err != nil {
		return nil, err
	}
	facts, err := factsOf(a, values, func(location string, account *AccountInput) (event.Fact, *problem.Fault) {
		return accountFact(in.Site, location, account.ID, account.stored())
	}, withoutNulls)
	if err != nil {
		return nil, err
	}
	var out AccountsWritten
	profiles := a.Engine.Profiles(in.Site)
	for i := range facts {
		if profiles.Account(facts[i].Key) != nil {
			out.Updated++
		} else {
			out.Created++
		}
	}
	if err := a.commitMany(ctx, facts); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body AccountsWritten }{out}, nil
}
