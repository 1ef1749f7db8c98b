package acceptance

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/cucumber/godog"
)

func (w *world) registerLinks(sc *godog.ScenarioContext) {
	sc.Given(`^a (gift|preview|newsletter) link "([^"]*)" with$`, w.link)
	sc.Given(`^a link "([^"]*)" that is "([^"]*)" with another item, "([^"]*)"$`, w.forgeItem)
	sc.Given(`^a link "([^"]*)" that is "([^"]*)" with another end$`, w.forgeEnd)
	sc.When(`^the link "([^"]*)" is opened by (\d+) readers$`, w.opened)
	sc.Then(`^gifts of "([^"]*)" can be opened (\d+) times? this month, those of "([^"]*)" (\d+) times?$`, w.giftsLeft)
}

// madeLink is the answer to POST …/links.
type madeLink struct {
	Token, Item string
	Left        int
}

func (w *world) makeLink(ctx context.Context, kind, body string) (made madeLink, err error) {
	body = strings.Replace(body, "{", `{"kind":"`+kind+`",`, 1)
	return made, w.server.Call(ctx, http.MethodPost, path(w.site, "links"), body, &made)
}

// link makes a signed link that rows of tables name in their column link.
func (w *world) link(ctx context.Context, kind, name string, text *godog.DocString) error {
	made, err := w.makeLink(ctx, kind, text.Content)
	w.links[name] = made.Token
	return err
}

// opened opens a link by so many readers, each of whom it lets in.
func (w *world) opened(ctx context.Context, name string, readers int) error {
	for i := range readers {
		row := cells{"reader": fmt.Sprintf("%s-%d", name, i), "item": w.linkParts(name).item, "link": name}
		if err := w.ask(ctx, w.site, row, true); err != nil {
			return err
		}
		if w.decided.Clause != "gift" {
			return fmt.Errorf("reader %d comes to %s", i+1, w.decided.Clause)
		}
	}
	return nil
}

func (w *world) giftsLeft(ctx context.Context, one string, hers int, other string, theirs int) error {
	var errs []error
	for giver, want := range map[string]int{one: hers, other: theirs} {
		made, err := w.makeLink(ctx, "gift", fmt.Sprintf(`{"item":"a1","giver":%q}`, giver))
		if err == nil && made.Left != want {
			err = fmt.Errorf("gifts of %s can be opened %d times, want %d", giver, made.Left, want)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// linkParts are what the token of a link is made of, as docs/format/links.md says.
type linkParts struct {
	head       []byte // version, kind, id
	expires    uint64
	uses       uint64
	site, item string
	rest       []byte // giver
	mac        string
}

func (w *world) linkParts(name string) (p linkParts) {
	text, mac, _ := strings.Cut(w.links[name], ".")
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	number := func() uint64 {
		v, n := binary.Uvarint(raw)
		raw = raw[n:]
		return v
	}
	word := func() string {
		n := number()
		s := string(raw[:n])
		raw = raw[n:]
		return s
	}
	p.mac = mac
	p.head, raw = raw[:11], raw[11:]
	p.expires, p.uses = number(), number()
	p.site, p.item = word(), word()
	p.rest = raw
	return p
}

func (p linkParts) token() string {
	raw := binary.AppendUvarint(append([]byte{}, p.head...), p.expires)
	raw = binary.AppendUvarint(raw, p.uses)
	for _, s := range []string{p.site, p.item} {
		raw = append(binary.AppendUvarint(raw, uint64(len(s))), s...)
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, p.rest...)) + "." + p.mac
}

func (w *world) forgeItem(name, of, item string) error {
	p := w.linkParts(of)
	p.item = item
	w.links[name] = p.token()
	return nil
}

func (w *world) forgeEnd(name, of string) error {
	p := w.linkParts(of)
	if p.token() != w.links[of] {
		return errors.New("the token is not laid out as its format says")
	}
	p.expires += 30 * 24 * 3600
	w.links[name] = p.token()
	return nil
}
