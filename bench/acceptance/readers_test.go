package acceptance

import (
	"context"
	"net/http"
	"strings"

	"github.com/cucumber/godog"
)

func (w *world) registerReaders(sc *godog.ScenarioContext) {
	sc.When(`^the device "([^"]*)" signs in as "([^"]*)"$`, w.signIn)
	sc.When(`^the device "([^"]*)" signs out$`, w.signOut)
	sc.Given(`^the account "([^"]*)" with$`, w.account)
	sc.Given(`^the entitlement list "([^"]*)" with$`, w.list)
	sc.When(`^the meter "([^"]*)" of "([^"]*)" is emptied$`, w.empty)
}

// readerOf reads "d1", "d1 as a7" or "account:a7": who asks or does something.
func readerOf(text string) map[string]string {
	if account, ok := strings.CutPrefix(text, "account:"); ok {
		return map[string]string{"account": account}
	}
	device, account, both := strings.Cut(text, " as ")
	if both {
		return map[string]string{"device": device, "account": account}
	}
	return map[string]string{"device": device}
}

// saw remembers a reader of the scenario.
func (w *world) saw(site, kind, id string) { w.readers[[2]string{site, kind + ":" + id}] = true }

func (w *world) signIn(ctx context.Context, device, account string) error {
	w.saw(w.site, "device", device)
	w.saw(w.site, "account", account)
	return w.server.Call(ctx, http.MethodPost, path(w.site, "logins"), map[string]string{"device": device, "account": account}, nil)
}

func (w *world) signOut(ctx context.Context, device string) error {
	return w.server.Call(ctx, http.MethodDelete, path(w.site, "logins", device), nil, nil)
}

func (w *world) account(ctx context.Context, id string, text *godog.DocString) error {
	w.saw(w.site, "account", id)
	return w.server.Call(ctx, http.MethodPut, path(w.site, "accounts", id), text.Content, nil)
}

func (w *world) list(ctx context.Context, name string, text *godog.DocString) error {
	return w.server.Call(ctx, http.MethodPut, path(w.site, "lists", name), text.Content, nil)
}

func (w *world) empty(ctx context.Context, meter, reader string) error {
	return w.server.Call(ctx, http.MethodDelete, path(w.site, "readers", reader, "meters", meter)+"?why=asked+to", nil, nil)
}
