package ask

import (
	"context"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Page is a page that an edge asks about before it serves it, for who sends the
// call.
type Page struct {
	Access        string // block
	URL, Referrer string
	// As is how its address was written, where that is not URL. If the catalogue
	// knows it so, it is that item.
	As string
	// Routed says that its host is the site's, whatever its domains are.
	Routed bool
}

// ReadPage lays out the question whether a page may be read. Errors:
// *problem.Problem for an address that is none of the site's, else the visitors'.
func (f *Front) ReadPage(c *Call, p *Page) (*Asked, error) {
	asked := &Asked{asker: asker{front: f, call: c}}
	if err := asked.asker.settle(); err != nil {
		return nil, err
	}
	q := question{access: p.Access, page: page{url: p.URL, canonical: p.As, referrer: p.Referrer, routed: p.Routed}}
	asked.asks = asked.one.ask[:]
	var faults []problem.Fault
	if err := asked.asker.ask(&q, "page", &asked.asks[0], &asked.one.columns, &faults); err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, faulty(faults)
	}
	return asked, nil
}

// CommitPage commits the bare decision that was made about a page. Errors: those
// of Commit.
func (f *Front) CommitPage(ctx context.Context, a *Asked, id string) (*Answer, error) {
	return f.commit(ctx, &a.asker, id)
}

// Item is the page's, as the site's catalogue calls it.
func (a *Asked) Item() string { return a.asks[0].Item }

// Column is what a row of the page would have.
func (a *Asked) Column(c event.Column) string { return a.asks[0].Given.Column(c) }

// Session says that nothing may be stored of the reader: what a commit burns goes
// with the answer's cookie, and nowhere else.
func (a *Asked) Session() bool { return a.asker.session.user != "" }

// Device is the reader's, proven; "" for none.
func (a *Asked) Device() string { return a.asker.own.Device }

// Commit says that the answer is to be committed.
func (a *Asked) Commit() { a.asks[0].Commit = true }
