package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
)

// LoginBody links a device to an account.
type LoginBody struct {
	Device  string `json:"device" minLength:"1" maxLength:"512" example:"d1"`
	Account string `json:"account" minLength:"1" maxLength:"512" example:"a7"`
}

// Resolve implements huma.ResolverWithPath.
func (l *LoginBody) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	checkDevice(f, "device", l.Device)
	return f.errors()
}

// checkDevice notes a name that no device can have.
func checkDevice(f *faults, field, device string) {
	if len(device) > event.MaxStringBytes {
		f.add(field, "too_long", "has at most 512 bytes", device)
	}
	if strings.HasPrefix(device, "account:") {
		f.add(field, "bad_value", "is an account", device)
	}
}

// DevicePath is the id of a device: one percent-encoded segment.
type DevicePath struct {
	Device string `path:"device" minLength:"1" maxLength:"512" doc:"Id of the device, percent-encoded" example:"d1"`
}

func (a *API) registerLogins() {
	tags := []string{"Readers"}
	writes := auth.ReadersRead | auth.ReadersWrite
	register(a, with(huma.Operation{
		OperationID: "log-in", Method: http.MethodPost, Path: "/v1/sites/{site}/logins",
		Summary: "Log a device in to an account", Tags: tags, Errors: problems(404, 413, 415, 422),
		Description: "For sites whose readers carry no token. While it stands the device's reader is the account; a new login of the device replaces it. " +
			"What the device did without an account is the account's too, each event once.",
	}, rule{scope: writes, idempotent: true}), a.logIn)
	register(a, with(huma.Operation{
		OperationID: "log-out", Method: http.MethodDelete, Path: "/v1/sites/{site}/logins/{device}",
		Summary: "Log a device out", Tags: tags, Errors: problems(404),
		Description: "The device has its own events and meters again. A device that is not logged in is answered.",
	}, rule{scope: writes}), a.logOut)
}

func (a *API) logIn(ctx context.Context, in *struct {
	SitePath
	Body LoginBody
}) (*struct{ Body LoginBody }, error) {
	value, err := json.Marshal(event.Login{Account: in.Body.Account})
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	facts := []event.Fact{
		{Kind: event.FactLogin, Site: in.Site, Key: in.Body.Device, Value: value},
		{Kind: event.FactJoin, Site: in.Site, Key: in.Body.Device, Value: value},
	}
	if err := a.commit(ctx, facts...); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body LoginBody }{in.Body}, nil
}

func (a *API) logOut(ctx context.Context, in *struct {
	SitePath
	DevicePath
}) (*struct{}, error) {
	if _, ok := a.Engine.Profiles(in.Site).Login(in.Device); !ok {
		return nil, nil
	}
	return nil, a.failed(ctx, a.commit(ctx, event.Fact{Kind: event.FactLogin, Site: in.Site, Key: in.Device}))
}
