package identity

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/readership/readership/internal/event"
)

// Link is what a signed link allows: to read one item, free of meters.
type Link struct {
	ID      string // random; uses are counted by it
	Kind    string // event.LinkGift, LinkPreview, LinkNewsletter
	Site    string
	Item    string
	Giver   string // Links.Giver of the reader; "" if nobody gives it
	Expires int64  // Unix milliseconds
	Uses    int    // by different readers; 0: without limit
}

// Links makes and opens signed links. A token is the base64url of
//
//	1 byte   version, 2
//	1 byte   kind
//	9 bytes  id
//	uvarint  expires, seconds since 1970
//	uvarint  uses
//	texts    site, item, giver: each a uvarint of its length and its bytes
//
// a dot, and the first 16 bytes of HMAC-SHA256(key, what stands before it) in
// base64url, all without padding. docs/format/links.md describes it. Safe for
// concurrent use.
type Links struct{ macs, givers macs }

const (
	linkVersion  = 2
	linkIDBytes  = 9
	maxLinkBytes = 2048 // of a token
	// MaxLinkUses is the most readers that a link can be limited to.
	MaxLinkUses = 1000
)

// linkKinds are the kinds by their number in a token.
var linkKinds = [...]string{1: event.LinkGift, 2: event.LinkPreview, 3: event.LinkNewsletter}

// NewLinks derives the keys of links from the server's secret.
func NewLinks(secret []byte) *Links { return &Links{newMACs(secret, "link"), newMACs(secret, "giver")} }

// Giver returns what stands for a reader of a site, device:ID or account:ID, as
// the giver of links: addresses with links are kept with those who open them, and
// must not say who gave them.
func (l *Links) Giver(site, reader string) string { return l.givers.sum(site + "\x00" + reader) }

// NewID makes the id of a link.
func (l *Links) NewID(random io.Reader) (string, error) {
	var raw [linkIDBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("make a link: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Sign returns the token of a link. Errors: a kind or id that is none, texts
// that are too long.
func (l *Links) Sign(link Link) (token string, err error) {
	kind := 0
	for i, name := range linkKinds {
		if name == link.Kind && i > 0 {
			kind = i
		}
	}
	id, err := base64.RawURLEncoding.DecodeString(link.ID)
	if err != nil || len(id) != linkIDBytes || kind == 0 || link.Uses < 0 || link.Expires < 0 {
		return "", fmt.Errorf("sign link %q of kind %q: it is no link", link.ID, link.Kind)
	}
	raw := append([]byte{linkVersion, byte(kind)}, id...)
	raw = binary.AppendUvarint(raw, uint64(link.Expires/1000))
	raw = binary.AppendUvarint(raw, uint64(link.Uses))
	for _, text := range [...]string{link.Site, link.Item, link.Giver} {
		raw = binary.AppendUvarint(raw, uint64(len(text)))
		raw = append(raw, text...)
	}
	token = l.macs.signed(base64.RawURLEncoding.EncodeToString(raw))
	if len(token) > maxLinkBytes {
		return "", fmt.Errorf("sign link: its token has %d bytes, at most %d are read", len(token), maxLinkBytes)
	}
	return token, nil
}

// Open returns what a token allows; ok is false if it is not one of ours. Who
// asks compares site, item and time, and counts uses.
func (l *Links) Open(token string) (link Link, ok bool) {
	cut := len(token) - 1 - letters
	if len(token) > maxLinkBytes || cut < 1 || token[cut] != '.' || !l.macs.check(token[:cut], token[cut+1:]) {
		return Link{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token[:cut])
	if err != nil || len(raw) < 2+linkIDBytes || raw[0] != linkVersion || raw[1] == 0 || int(raw[1]) >= len(linkKinds) {
		return Link{}, false
	}
	link.Kind = linkKinds[raw[1]]
	link.ID = base64.RawURLEncoding.EncodeToString(raw[2 : 2+linkIDBytes])
	raw = raw[2+linkIDBytes:]
	number := func(limit uint64) uint64 {
		v, n := binary.Uvarint(raw)
		if ok = n > 0 && v <= limit; !ok {
			raw = nil
			return 0
		}
		raw = raw[n:]
		return v
	}
	link.Expires = int64(number(1<<40)) * 1000
	link.Uses = int(number(1 << 31))
	for _, text := range [...]*string{&link.Site, &link.Item, &link.Giver} {
		n := number(uint64(len(raw)))
		*text = string(raw[:n])
		raw = raw[n:]
	}
	return link, ok && len(raw) == 0
}
