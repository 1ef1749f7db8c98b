package api

import (
	"context"
	"errors"
	"net/http"
	"net/mail"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// PersonInput is a new person.
type PersonInput struct {
	Email    string   `json:"email" maxLength:"254" example:"ada@news.example"`
	Name     string   `json:"name,omitempty" maxLength:"200"`
	Role     string   `json:"role" enum:"viewer,editor,admin"`
	Sites    []string `json:"sites,omitempty" maxItems:"1000" doc:"Absent: every site"`
	Password string   `json:"password" maxLength:"256" writeOnly:"true" doc:"At least 10 characters"`
}

// PersonPatch changes a person.
type PersonPatch struct {
	Email    string   `json:"email,omitempty" maxLength:"254"`
	Name     string   `json:"name,omitempty" maxLength:"200"`
	Role     string   `json:"role,omitempty" enum:"viewer,editor,admin"`
	Sites    []string `json:"sites,omitempty" maxItems:"1000" doc:"null: every site"`
	Password string   `json:"password,omitempty" maxLength:"256" writeOnly:"true" doc:"Ends the person's sessions"`
}

// Person is somebody who can sign in.
type Person struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Role      string    `json:"role" enum:"viewer,editor,admin"`
	Sites     []string  `json:"sites,omitempty" doc:"Absent: every site"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// PersonList is a page of people.
type PersonList struct {
	People []Person `json:"people"`
	Cursor string   `json:"cursor,omitempty"`
}

func checkPerson(f *faults, email, password string, sites []string) {
	if address, err := mail.ParseAddress(email); email != "" && (err != nil || address.Address != email) {
		f.add("email", "bad_value", "is not an e-mail address", email)
	}
	if password != "" {
		if fault := auth.CheckPassword(password); fault != "" {
			f.add("password", "bad_value", fault, nil)
		}
	}
	siteIDs(f, "sites", sites)
}

// Resolve implements huma.ResolverWithPath.
func (p *PersonInput) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	checkPerson(f, p.Email, p.Password, p.Sites)
	if p.Password == "" {
		f.add("password", "bad_value", auth.CheckPassword(""), nil)
	}
	if p.Email == "" {
		f.add("email", "bad_value", "is not an e-mail address", "")
	}
	return f.errors()
}

func (p *PersonPatch) check(f *faults) { checkPerson(f, p.Email, p.Password, p.Sites) }

func (a *API) registerPeople() {
	reads := rule{scope: auth.AdminRead, detached: true}
	writes := rule{scope: auth.AdminRead | auth.AdminWrite, detached: true, idempotent: true}
	register(a, with(huma.Operation{
		OperationID: "list-people", Method: http.MethodGet, Path: "/v1/people",
		Summary: "List who can sign in", Tags: []string{"Keys and people"}, Errors: problems(422),
	}, reads), a.listPeople)
	register(a, with(huma.Operation{
		OperationID: "create-person", Method: http.MethodPost, Path: "/v1/people", DefaultStatus: http.StatusCreated,
		Summary: "Let somebody sign in", Tags: []string{"Keys and people"}, Errors: problems(409, 413, 415, 422),
	}, writes), a.createPerson)
	register(a, with(huma.Operation{
		OperationID: "update-person", Method: http.MethodPatch, Path: "/v1/people/{id}", SkipValidateBody: true,
		Summary: "Change a person (RFC 7396)", Tags: []string{"Keys and people"}, Errors: problems(404, 409, 413, 415, 422),
	}, rule{scope: writes.scope, detached: true, accepts: []string{mediaMerge, mediaJSON}}), a.updatePerson)
	a.describeBody("/v1/people/{id}", http.MethodPatch, mediaMerge, schemaOf[PersonPatch](a), mediaMerge, mediaJSON)
	register(a, with(huma.Operation{
		OperationID: "delete-person", Method: http.MethodDelete, Path: "/v1/people/{id}",
		Summary: "Remove a person", Tags: []string{"Keys and people"}, Errors: problems(404, 409),
	}, writes), a.deletePerson)
}

func person(p store.Person) Person {
	return Person{ID: p.ID, Email: p.Email, Name: p.Name, Role: p.Role, Sites: p.Sites, CreatedAt: stamp(p.CreatedAt), UpdatedAt: stamp(p.UpdatedAt)}
}

func (a *API) listPeople(ctx context.Context, in *struct{ Paging }) (*struct{ Body PersonList }, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	people, err := a.Store.ListPeople(ctx, page)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &struct{ Body PersonList }{PersonList{People: []Person{}}}
	people, out.Body.Cursor = cut(in.Paging, people, func(p store.Person) string { return p.ID })
	for _, p := range people {
		if covers(callOf(ctx).principal, p.Sites) {
			out.Body.People = append(out.Body.People, person(p))
		}
	}
	return out, nil
}

// newPerson makes a person with a hashed password.
func (a *API) newPerson(ctx context.Context, email, name, role, password string, sites []string) (store.Person, error) {
	hash, err := a.Hasher.Hash(ctx, password)
	if err != nil {
		return store.Person{}, err
	}
	now := a.Now()
	id, err := auth.NewID(a.Random, now, "person")
	if err != nil {
		return store.Person{}, err
	}
	return store.Person{ID: id, Email: email, Name: name, Role: role, Sites: sites, PasswordHash: hash,
		CreatedAt: now.UnixMilli(), UpdatedAt: now.UnixMilli()}, nil
}

func (a *API) createPerson(ctx context.Context, in *struct{ Body PersonInput }) (*struct{ Body Person }, error) {
	if !covers(callOf(ctx).principal, in.Body.Sites) {
		return nil, beyond()
	}
	p, err := a.newPerson(ctx, in.Body.Email, in.Body.Name, in.Body.Role, in.Body.Password, in.Body.Sites)
	if err == nil {
		err = a.Store.CreatePerson(ctx, p)
	}
	if errors.Is(err, store.ErrExists) {
		return nil, problem.New(http.StatusConflict, "somebody has this e-mail already").WithCode("exists")
	}
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if p, err = a.Store.Person(ctx, p.ID); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body Person }{person(p)}, nil
}

// findPerson returns a person that the caller may change.
func (a *API) findPerson(ctx context.Context, id string) (store.Person, error) {
	p, err := a.Store.Person(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !covers(callOf(ctx).principal, p.Sites) {
		return p, problem.Newf(http.StatusNotFound, "there is no person %q", clip(id))
	}
	return p, err
}

func (a *API) updatePerson(ctx context.Context, in *struct {
	IDPath
	RawBody []byte `contentType:"application/merge-patch+json"`
}) (*struct{ Body Person }, error) {
	p, err := a.findPerson(ctx, in.ID)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	patch, faults, err := patched(a, PersonPatch{Email: p.Email, Name: p.Name, Role: p.Role, Sites: p.Sites}, in.RawBody)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if patch.Email == "" {
		faults = append(faults, problem.Fault{Location: "body.email", Code: "missing_field", Message: "is required"})
	}
	if patch.Role == "" {
		faults = append(faults, problem.Fault{Location: "body.role", Code: "missing_field", Message: "is required"})
	}
	if len(faults) > 0 {
		return nil, unprocessable(faults...)
	}
	if !covers(callOf(ctx).principal, patch.Sites) {
		return nil, beyond()
	}
	if err := a.keepsAdmin(ctx, p, patch.Role == auth.RoleAdmin && patch.Sites == nil); err != nil {
		return nil, a.failed(ctx, err)
	}
	p.Email, p.Name, p.Role, p.Sites, p.UpdatedAt = patch.Email, patch.Name, patch.Role, patch.Sites, a.Now().UnixMilli()
	if patch.Password != "" {
		if p.PasswordHash, err = a.Hasher.Hash(ctx, patch.Password); err != nil {
			return nil, a.failed(ctx, err)
		}
	}
	if err := a.Store.UpdatePerson(ctx, p); err != nil {
		return nil, a.failed(ctx, err)
	}
	if patch.Password != "" {
		if err := a.Store.DeleteSessionsOf(ctx, p.ID); err != nil {
			return nil, a.failed(ctx, err)
		}
	}
	if p, err = a.Store.Person(ctx, p.ID); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body Person }{person(p)}, nil
}

func (a *API) deletePerson(ctx context.Context, in *struct{ IDPath }) (*struct{}, error) {
	p, err := a.findPerson(ctx, in.ID)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if err := a.keepsAdmin(ctx, p, false); err != nil {
		return nil, a.failed(ctx, err)
	}
	return nil, a.failed(ctx, a.Store.DeletePerson(ctx, in.ID))
}

// keepsAdmin refuses a change that leaves nobody who is admin of every site.
func (a *API) keepsAdmin(ctx context.Context, p store.Person, stays bool) error {
	if stays || p.Role != auth.RoleAdmin || p.Sites != nil {
		return nil
	}
	people, err := a.Store.ListPeople(ctx, store.Page{})
	if err != nil {
		return err
	}
	for _, other := range people {
		if other.ID != p.ID && other.Role == auth.RoleAdmin && other.Sites == nil {
			return nil
		}
	}
	return problem.New(http.StatusConflict, "this is the last admin of every site").WithCode("last_admin")
}
