package proxy

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A beginning that is cut off a path leaves the rest as it was encoded.
func TestCutPath(t *testing.T) {
	for given, want := range map[string]string{
		"/shop/a%2Fb":     "/a%2Fb",
		"/sh%6Fp/a%2Fb":   "/a%2Fb",
		"/shop":           "/",
		"/shop/":          "/",
		"/shop/%C3%A4%20": "/%C3%A4%20",
		"/shop/x(1)":      "/x(1)",
		"/other/a%2Fb":    "/other/a%2Fb",
	} {
		u, err := url.Parse("http://shop.example" + given)
		if err != nil {
			t.Fatal(err)
		}
		if cutPath(u, "/shop"); u.EscapedPath() != want {
			t.Errorf("%s: %s, want %s", given, u.EscapedPath(), want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		rest := "/" + rapid.StringMatching(`([a-z]|%2[0-9A-F]|%C3%A4|/)*`).Draw(t, "rest")
		u, err := url.Parse("http://shop.example/shop" + rest)
		if err != nil {
			t.Skip()
		}
		alone, _ := url.Parse("http://shop.example" + rest)
		if cutPath(u, "/shop"); !strings.EqualFold(u.EscapedPath(), alone.EscapedPath()) || u.Path != alone.Path {
			t.Fatalf("%q, want %q", u.EscapedPath(), alone.EscapedPath())
		}
	})
}
