package acceptance

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerPages(sc *godog.ScenarioContext) {
	sc.Given(`^the device "([^"]*)" has a token$`, w.deviceToken)
	sc.Then(`^reading in the page comes to$`, w.pageComesTo)
}

// deviceToken makes the token that proves a device to the site.
func (w *world) deviceToken(ctx context.Context, device string) error {
	var made struct{ Token string }
	err := w.server.Call(ctx, http.MethodPost, path(w.site, "devices"), map[string]string{"device": device}, &made)
	w.devices[device] = made.Token
	return err
}

// pageComesTo is comesTo for whoever sends the request with the site's write key:
// a device by its token, from where the proxy says, as the account of a token.
func (w *world) pageComesTo(ctx context.Context, table *godog.Table) error {
	return w.eachRow(table, func(row cells) error {
		at, err := w.at(w.site, row["at"])
		if err != nil {
			return err
		}
		q := w.question(w.site, row, at, true)
		delete(q, "reader")
		header := map[string]string{"X-Readership-Device": w.devices[row["reader"]]}
		if row["forwarded"] != "" {
			header["X-Forwarded-For"] = row["forwarded"]
		}
		if row["account token"] != "" {
			header["X-Account-Token"] = accountToken(row["account token"])
		}
		w.decided.site, w.decided.Decision = w.site, new(harness.Decision)
		w.decided.err = w.server.CallAs(ctx, w.places[w.site].writeKey, header, http.MethodPost, path(w.site, "decisions"), q, w.decided.Decision)
		if w.decided.err != nil {
			return w.decided.err
		}
		w.places[w.site].clock = at
		kind, id, _ := strings.Cut(w.decided.Reader, ":")
		w.saw(w.site, kind, id)
		return w.verdictIs(w.site, row)
	})
}

// tokenSecret is what the site of the scenario checks tokens with.
const tokenSecret = "a secret of thirty-two characters"

// accountToken makes a token of a publisher's sign-in from words as "anna,
// x@uni.example, verified": the account, its address, and what is peculiar.
func accountToken(words string) string {
	said := strings.Split(words, ", ")
	claims := map[string]any{"sub": said[0], "email": said[1], "exp": time.Now().Add(time.Hour).Unix()}
	secret := tokenSecret
	for _, word := range said[2:] {
		switch word {
		case "verified", "not verified":
			claims["email_verified"] = word == "verified"
		case "expired":
			claims["exp"] = time.Now().Add(-time.Hour).Unix()
		case "signed by another":
			secret = "another secret of thirty-two characters"
		}
	}
	body, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
