package format

import (
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/rubric/ast"
)

// item is one entry of a block or of the program: a comment on its own line, or
// a node with the comment behind it.
type item struct {
	comment string // of an item that is a comment
	head    string // what is aligned with its neighbours'
	body    doc
	behind  string // the comment behind it

	column column // items of one column with no blank line between are aligned
	blank  bool   // a blank line stands before it
	block  bool   // blank lines stand around it
	clause *clause
}

// column says which heads are aligned with each other.
type column uint8

const (
	alone column = iota
	lets
	segments
	metrics
)

func (it *item) write(l *layout, level int) {
	if it.comment != "" {
		l.text(it.comment)
		return
	}
	l.text(it.head)
	l.write(it.body, level, true)
	if it.behind != "" {
		l.text("  " + it.behind)
	}
}

// flow turns the nodes of a block that ends at end into items, with the
// comments between them. Opened is the comment behind what opens the block.
func flow[N ast.Node](p *printer, nodes []N, end int, make func(N) item) (opened string, items []item) {
	last := -1 // where the item before ends
	add := func(it item, start, stop int) {
		it.blank = last >= 0 && p.lines(last, start) > 1
		items = append(items, it)
		last = max(last, stop)
	}
	comments := func(pending []ast.Comment) {
		for _, c := range pending {
			p.taken++
			switch {
			case !c.Own && items == nil && opened == "":
				opened = c.Text
			case !c.Own && items != nil && items[len(items)-1].comment == "" && items[len(items)-1].behind == "":
				items[len(items)-1].behind = c.Text
			case c.Start < last || !c.Own:
				items = append(items, item{comment: c.Text})
			default:
				add(item{comment: c.Text}, c.Start, c.End)
			}
		}
	}
	for _, n := range nodes {
		comments(p.pending(n.Range().Start))
		at := n.Range()
		add(make(n), at.Start, at.End)
	}
	comments(p.pending(end))
	return opened, items
}

// separate sets blank lines around blocks and the comments that lead them.
func separate(items []item) {
	for i := range items {
		if i == 0 {
			continue
		}
		leads := i
		for leads < len(items)-1 && items[leads].comment != "" && !items[leads+1].blank {
			leads++
		}
		if items[i-1].block || items[leads].block && items[i-1].comment == "" {
			items[i].blank = true
		}
	}
}

// align pads the heads of neighbours in one column to the same width.
func align(items []item) {
	for i := 0; i < len(items); {
		end, wide := i, 0
		for end < len(items) && items[end].column == items[i].column && items[end].comment == "" && (end == i || !items[end].blank) {
			wide = max(wide, utf8.RuneCountInString(items[end].head))
			end++
		}
		if items[i].column != alone {
			for k := i; k < end; k++ {
				items[k].head = pad(items[k].head, wide)
			}
		}
		i = max(end, i+1)
	}
}

// pad fills text with spaces up to a width.
func pad(text string, wide int) string {
	return text + strings.Repeat(" ", max(0, wide-utf8.RuneCountInString(text)))
}
