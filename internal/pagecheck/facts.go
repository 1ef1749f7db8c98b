package pagecheck

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// facts are what the checks ask of a page's elements.
type facts struct {
	scripts    []script
	linked     []string // blocks of JSON-LD
	canonicals []string
	metas      map[string][]string // by lower-case name or property
	classes    map[string]bool
	gates      []element // data-rs-access
	offers     []element // data-rs-offer
}

type script struct {
	attributes map[string]string
	text       string
}

// element is one that the tracker hides or shows.
type element struct {
	value  string // of its attribute
	hidden bool
	empty  bool // there is nothing in it
}

func gather(root *html.Node) *facts {
	f := &facts{metas: map[string][]string{}, classes: map[string]bool{}}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			f.element(n)
		}
	}
	return f
}

func (f *facts) element(n *html.Node) {
	at := make(map[string]string, len(n.Attr))
	for _, a := range n.Attr {
		at[a.Key] = a.Val
	}
	for _, class := range strings.Fields(at["class"]) {
		f.classes[class] = true
	}
	_, hidden := at["hidden"]
	for name, list := range map[string]*[]element{"data-rs-access": &f.gates, "data-rs-offer": &f.offers} {
		if value, ok := at[name]; ok {
			*list = append(*list, element{value, hidden, n.FirstChild == nil})
		}
	}
	switch n.DataAtom {
	case atom.Script:
		text := ""
		if n.FirstChild != nil {
			text = n.FirstChild.Data
		}
		if strings.EqualFold(strings.TrimSpace(at["type"]), "application/ld+json") {
			f.linked = append(f.linked, text)
			return
		}
		f.scripts = append(f.scripts, script{at, text})
	case atom.Link:
		if strings.EqualFold(at["rel"], "canonical") {
			f.canonicals = append(f.canonicals, at["href"])
		}
	case atom.Meta:
		name := at["name"]
		if name == "" {
			name = at["property"]
		}
		if name != "" {
			name = strings.ToLower(name)
			f.metas[name] = append(f.metas[name], at["content"])
		}
	}
}
