package collect

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/readership/readership/internal/event"
)

// maxNames bounds the index of names. What a site is called beyond it is not
// found; its id and its write key are.
const maxNames = 100_000

// siteNames finds sites by what foreign trackers call them: an id, else an
// alias, else a domain or a host below one. Where two sites claim a name, the
// one whose id comes first has it.
type siteNames struct {
	mu    sync.Mutex // over making the index
	index atomic.Pointer[nameIndex]
}

// nameIndex is made anew when the settings change.
type nameIndex struct {
	of    []*event.Site // the settings that it was made from
	names map[string]*event.Site
	seen  atomic.Int64 // when of was last seen to be in force, Unix milliseconds
}

// namesHold is how long, in milliseconds, a name may still lead to the site that
// had it after another site has taken it.
const namesHold = 500

func newNameIndex(sites []*event.Site) *nameIndex {
	n := &nameIndex{of: sites, names: map[string]*event.Site{}}
	put := func(name string, site *event.Site) {
		if n.names[name] == nil && name != "" && len(n.names) < maxNames {
			n.names[name] = site
		}
	}
	for _, s := range sites {
		put(s.ID, s)
	}
	for _, s := range sites {
		for _, alias := range s.Aliases {
			put(strings.ToLower(alias), s)
		}
	}
	for _, s := range sites {
		for _, domain := range s.Domains {
			put(bareDomain(locate(domain).host), s)
		}
	}
	return n
}

// find returns the site with a name in lower case, nil if there is none.
func (n *nameIndex) find(name string) *event.Site {
	if site := n.names[name]; site != nil {
		return site
	}
	for host := bareDomain(name); strings.Contains(host, "."); {
		if site := n.names[host]; site != nil {
			return site
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return nil
}

// bareDomain is a host in lower case without "www.".
func bareDomain(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }

// maxName is the longest name that is looked for, in bytes.
const maxName = 253

// siteNamed finds a site by its id, an alias or a domain; nil if there is none.
func (c *Collector) siteNamed(name string) *event.Site {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || len(name) > maxName {
		return nil
	}
	at := c.now().UnixMilli()
	if index := c.names.index.Load(); index != nil && uint64(at-index.seen.Load()) < namesHold {
		if site := index.find(name); site != nil {
			if now, _ := c.sites.Site(site.ID); now == site {
				return site
			}
		}
	}
	return c.renamed(at).find(name)
}

// renamed makes the index for the settings in force at an instant, Unix
// milliseconds.
func (c *Collector) renamed(at int64) *nameIndex {
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	sites := slices.Clone(c.sites.Sites())
	slices.SortFunc(sites, func(a, b *event.Site) int { return strings.Compare(a.ID, b.ID) })
	if index := c.names.index.Load(); index != nil && slices.Equal(index.of, sites) {
		index.seen.Store(at)
		return index
	}
	index := newNameIndex(sites)
	index.seen.Store(at)
	c.names.index.Store(index)
	return index
}

// siteOfKey finds the site of a write key; nil if there is none.
func (c *Collector) siteOfKey(key string) *event.Site {
	if key == "" {
		return nil
	}
	id, ok := c.keys.WriteKey(key)
	if !ok {
		return nil
	}
	site, _ := c.sites.Site(id)
	return site
}
