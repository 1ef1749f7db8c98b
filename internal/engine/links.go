package engine

import (
	"slices"
	"time"

	"github.com/readership/readership/internal/event"
)

// linkUses are the readers who used a signed link that may be used by so many
// only. It is immutable.
type linkUses struct {
	kind, giver string
	limit       int
	expires     int64
	readers     []linkReader
}

type linkReader struct {
	name  string
	at    int64
	month string // key of gifts; "" if it does not count there
}

// has says whether a reader has used the link.
func (l *linkUses) has(reader string) bool {
	return l != nil && slices.ContainsFunc(l.readers, func(r linkReader) bool { return r.name == reader })
}

// LinkOpen says whether a reader may use a signed link at an instant of the
// site's clock: it has not expired, and the reader has used it before or it has
// a use left, of its own and of its giver's month.
func (p *Profiles) LinkOpen(link, reader string, use event.LinkUse) bool {
	if use.At >= use.Expires {
		return false
	}
	if use.Uses == 0 {
		return true
	}
	l, _ := p.links.Get(link)
	if l.has(reader) {
		return true
	}
	return (l == nil || len(l.readers) < use.Uses) && p.GiftsLeft(use.Giver, use.Kind, use.At) > 0
}

// GiftsLeft returns how many gifts of a giver can still be opened in the month
// of an instant. Links of other kinds, and those of nobody, have no quota.
func (p *Profiles) GiftsLeft(giver, kind string, at int64) int {
	month := p.giftMonth(giver, kind, at)
	if month == "" {
		return 1 << 30
	}
	opened, _ := p.gifts.Get(month)
	return max(0, event.GiftQuota-opened)
}

// giftMonth is the key of a giver's month in the site's time zone, "" where
// nothing is counted.
func (p *Profiles) giftMonth(giver, kind string, at int64) string {
	if kind != event.LinkGift || giver == "" {
		return ""
	}
	return giver + "\x00" + time.UnixMilli(at).In(p.zone).Format("2006-01")
}

// withUse returns the profiles after a reader used a link; the same ones if that
// changes nothing: the reader used it before, or none is left.
func (p *Profiles) withUse(link, reader string, use *event.LinkUse) *Profiles {
	l, _ := p.links.Get(link)
	if use.Uses == 0 || l.has(reader) || !p.LinkOpen(link, reader, *use) {
		return p
	}
	next := linkUses{kind: use.Kind, giver: use.Giver, limit: use.Uses, expires: use.Expires}
	if l != nil {
		next = *l // its giver may be erased
		next.readers = slices.Clip(l.readers)
	}
	month := p.giftMonth(next.giver, next.kind, use.At)
	next.readers = append(next.readers, linkReader{reader, use.At, month})
	q := *p
	q.links = p.links.Set(link, &next)
	if month != "" {
		n, _ := p.gifts.Get(month)
		q.gifts = p.gifts.Set(month, n+1)
	}
	return &q
}

// use returns the value of a reader's FactUse.
func (l *linkUses) use(r linkReader) event.LinkUse {
	return event.LinkUse{Kind: l.kind, Giver: l.giver, Uses: l.limit, Expires: l.expires, At: r.at}
}

// giftTime is how long a use counts for its giver's month.
const giftTime = 31 * 24 * 60 * 60 * 1000

// over says whether the uses of a link mean nothing any more.
func (l *linkUses) over(now int64) bool {
	last := l.expires
	for _, r := range l.readers {
		last = max(last, r.at+giftTime)
	}
	return now > last
}
