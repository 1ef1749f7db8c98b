package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/problem"
)

// DeviceBody names a device.
type DeviceBody struct {
	Device string `json:"device,omitempty" maxLength:"512" doc:"Only an API key may name one; without it a new device is made"`
}

// Resolve implements huma.ResolverWithPath.
func (d *DeviceBody) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	f := &faults{prefix: prefix.String()}
	checkDevice(f, "device", d.Device)
	return f.errors()
}

// SignedDevice is a device with the token that proves it.
type SignedDevice struct {
	Device string `json:"device"`
	Token  string `json:"token" doc:"Sent as X-Readership-Device with what the app sends"`
}

func (a *API) registerDevices() {
	register(a, with(huma.Operation{
		OperationID: "create-device", Method: http.MethodPost, Path: "/v1/sites/{site}/devices", DefaultStatus: http.StatusCreated,
		Summary: "Sign a device for an app", Tags: []string{"Readers"}, Errors: problems(404, 413, 415, 422),
		Description: "An app keeps the token and sends it as X-Readership-Device: it is to the app what the cookie rsid is to a browser. With the site's write key the device is always a new one; " +
			"a key with `readers:write` may name one.",
	}, rule{signedIn: true, detached: true}), a.createDevice)
}

func (a *API) createDevice(ctx context.Context, in *struct {
	SitePath
	Body *DeviceBody `required:"false"`
}) (*struct{ Body SignedDevice }, error) {
	var out SignedDevice
	var err error
	p := callOf(ctx).principal
	if in.Body == nil || in.Body.Device == "" {
		out.Device, out.Token, err = a.Devices.Make(a.Random)
		return &struct{ Body SignedDevice }{out}, a.failed(ctx, err)
	}
	if !p.Has(auth.ReadersRead|auth.ReadersWrite, in.Site) {
		return nil, problem.New(http.StatusForbidden, "only a key with readers:write may name a device").WithCode("missing_scope")
	}
	out.Device = in.Body.Device
	if out.Token, err = a.Devices.Name(out.Device); err != nil {
		return nil, unprocessable(problem.Fault{Location: "body.device", Code: "bad_value", Message: err.Error(), Value: echo(out.Device)})
	}
	return &struct{ Body SignedDevice }{out}, nil
}
