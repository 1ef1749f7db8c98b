package identity_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
)

var serverSecret = []byte("0123456789abcdef0123456789abcdef")

func TestSignedDevices(t *testing.T) {
	devices, others := identity.NewDevices(serverSecret), identity.NewDevices([]byte("another secret of the server"))
	made, signed, err := devices.Make(bytes.NewReader(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := devices.Open(signed); !ok || got != made || len(made) != 22 {
		t.Fatalf("%q opens as %q", signed, got)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(0, 100, 600).Draw(t, "name")
		signed, err := devices.Name(name)
		if name == "" || len(name) > identity.MaxDeviceBytes || strings.HasPrefix(name, "account:") {
			if err == nil {
				t.Fatalf("%q is signed", name)
			}
			return
		}
		if got, ok := devices.Open(signed); !ok || got != name {
			t.Fatalf("%q opens as %q", name, got)
		}
		if _, ok := others.Open(signed); ok {
			t.Fatal("another server's device opens")
		}
		i := rapid.IntRange(0, len(signed)-1).Draw(t, "at")
		changed := []byte(signed)
		changed[i] ^= byte(1 << rapid.IntRange(0, 6).Draw(t, "bit"))
		if got, ok := devices.Open(string(changed)); ok && string(changed) != signed {
			t.Fatalf("changed at %d it opens as %q", i, got)
		}
	})
	for _, forged := range []string{"", ".", "1." + made + ".", "2." + made + signed[24:], "1." + made + strings.Repeat("A", 23), signed + "=", signed[:len(signed)-1]} {
		if _, ok := devices.Open(forged); ok {
			t.Errorf("%q opens", forged)
		}
	}
}

func TestSignedLinks(t *testing.T) {
	links, others := identity.NewLinks(serverSecret), identity.NewLinks([]byte("another secret of the server"))
	rapid.Check(t, func(t *rapid.T) {
		id, err := links.NewID(bytes.NewReader(rapid.SliceOfN(rapid.Byte(), 9, 9).Draw(t, "id")))
		if err != nil {
			t.Fatal(err)
		}
		want := identity.Link{ID: id, Kind: rapid.SampledFrom([]string{event.LinkGift, event.LinkPreview, event.LinkNewsletter}).Draw(t, "kind"),
			Site: "news", Item: rapid.StringN(1, 50, 512).Draw(t, "item"), Giver: rapid.StringN(0, 50, 512).Draw(t, "giver"),
			Expires: 1000 * rapid.Int64Range(0, 1<<38).Draw(t, "expires"), Uses: rapid.IntRange(0, identity.MaxLinkUses).Draw(t, "uses")}
		token, err := links.Sign(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := links.Open(token); !ok || got != want {
			t.Fatalf("%+v opens as %+v", want, got)
		}
		if _, ok := others.Open(token); ok {
			t.Fatal("another server's link opens")
		}
		i := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		changed := []byte(token)
		changed[i] ^= byte(1 << rapid.IntRange(0, 6).Draw(t, "bit"))
		if _, ok := links.Open(string(changed)); ok {
			t.Fatalf("it opens changed at %d", i)
		}
	})
	for _, bad := range []identity.Link{{Kind: "loan", ID: "AAAAAAAAAAAA"}, {Kind: event.LinkGift, ID: "A"}, {Kind: event.LinkGift, ID: "AAAAAAAAAAAA", Item: strings.Repeat("x", 3000)}} {
		if _, err := links.Sign(bad); err == nil {
			t.Errorf("%+v is signed", bad)
		}
	}
}

func FuzzOpen(f *testing.F) {
	devices, links := identity.NewDevices(serverSecret), identity.NewLinks(serverSecret)
	_, signed, _ := devices.Make(bytes.NewReader(make([]byte, 16)))
	named, _ := devices.Name("d1")
	token, _ := links.Sign(identity.Link{ID: "AAAAAAAAAAAA", Kind: event.LinkGift, Site: "news", Item: "a1", Giver: "account:7", Expires: 1000, Uses: 10})
	for _, seed := range []string{signed, named, token} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := devices.Open(text); ok && text != signed && text != named {
			t.Fatalf("device %q opens", text)
		}
		if _, ok := links.Open(text); ok && text != token {
			t.Fatalf("link %q opens", text)
		}
	})
}
