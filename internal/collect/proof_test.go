package collect

import (
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
)

// proofs stand in for the publisher's sign-in: the header T holds an account.
type proofs struct{}

func (proofs) Verify(site *event.Site, header identity.Header) *identity.Token {
	account := header.Get("T")
	switch {
	case account == "" || site.ID != "news":
		return &identity.Token{}
	case account == "expired":
		return &identity.Token{Status: identity.Expired}
	}
	return &identity.Token{Status: identity.Valid, Account: account}
}

type logins map[string]string

func (l logins) Login(site, device string) (string, bool) {
	account, ok := l[site+" "+device]
	return account, ok
}

// TestProof says which account a row has, and whether it is proven.
func TestProof(t *testing.T) {
	w := newWorld(t)
	device, cookie := issue(w, 1)
	_, foreign, _ := identity.NewDevices([]byte("another secret, of another server")).Make(w.c.random)
	named, err := w.c.devices.Name("app-7")
	if err != nil {
		t.Fatal(err)
	}
	w.c.tokens, w.c.logins = proofs{}, logins{"news " + device: "login", "news app-7": "app", "news d1": "server"}
	rsid := "rsid=" + cookie
	for _, c := range []struct {
		name, key, query string
		headers          headers
		body             string
		device, account  string
		proven           bool
	}{
		{"a claim", "w-news", "", nil, `"device":"d2","account":"claim"`, "d2", "claim", false},
		{"a token", "w-news", "", headers{"T": "a7"}, `"device":"d2"`, "d2", "a7", true},
		{"a token beats a claim", "w-news", "", headers{"T": "a7"}, `"device":"d2","account":"claim"`, "d2", "a7", true},
		{"a token beats a login", "w-news", "", headers{"T": "a7", "Cookie": rsid}, ``, device, "a7", true},
		{"a bad token", "w-news", "", headers{"T": "expired"}, `"device":"d2","account":"claim"`, "d2", "claim", false},
		{"a bad token and a login", "w-news", "", headers{"T": "expired", "Cookie": rsid}, ``, device, "login", true},
		{"a login by the cookie", "w-news", "", headers{"Cookie": rsid}, ``, device, "login", true},
		{"a login beats a claim", "w-news", "", headers{"Cookie": rsid}, `"account":"claim"`, device, "login", true},
		{"a device that is claimed is not logged in", "w-news", "", nil, `"device":"d1"`, "d1", "", false},
		{"another server's cookie", "w-news", "", headers{"Cookie": "rsid=" + foreign}, `"device":"d1","account":"server"`, "d1", "server", false},
		{"an app's device", "w-news", "", headers{"X-Readership-Device": named}, ``, "app-7", "app", true},
		{"an app's device, forged", "w-news", "", headers{"X-Readership-Device": named[:len(named)-1] + "_"}, `"device":"d2"`, "d2", "", false},
		{"the cookie comes before the app's device", "w-news", "", headers{"Cookie": rsid, "X-Readership-Device": named}, ``, device, "login", true},
		{"another site's login", "w-open", "", headers{"Cookie": rsid}, ``, device, "", false},
		{"an API key names an account", "import", "&site=news", nil, `"device":"d2","account":"a8"`, "d2", "a8", true},
		{"an API key names a device", "import", "&site=news", nil, `"device":"d1"`, "d1", "server", true},
		{"an API key names both", "import", "&site=news", nil, `"device":"d1","account":"a8"`, "d1", "a8", true},
		{"an API key has no token", "import", "&site=news", headers{"T": "a7"}, `"device":"d2"`, "d2", "", false},
		{"only an account", "import", "&site=news", nil, `"account":"a8"`, "account:a8", "a8", true},
		{"only an account, claimed", "w-news", "", nil, `"account":"claim"`, "account:claim", "claim", false},
		{"only an account, and a token", "w-news", "", headers{"T": "a7"}, `"account":"claim"`, "account:a7", "a7", true},
		{"refused", "w-news", "", headers{"T": "a7", "Sec-GPC": "1", "Cookie": rsid}, ``, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.memory.events = nil
			body := c.body
			if body != "" {
				body = "," + body
			}
			w.do(call{query: "key=" + c.key + c.query, headers: c.headers, body: `{"type":"page_view"` + body + `}`})
			if len(w.memory.events) != 1 {
				t.Fatalf("%d events", len(w.memory.events))
			}
			ev := &w.memory.events[0]
			if c.name == "refused" {
				c.device = ev.Device // the day's hash
			}
			if proven := ev.Flags&event.FlagProven != 0; ev.Device != c.device || ev.Columns[event.ColAccount] != c.account || proven != c.proven {
				t.Errorf("device %q account %q proven %v, want %q %q %v", ev.Device, ev.Columns[event.ColAccount], proven, c.device, c.account, c.proven)
			}
		})
	}
}
