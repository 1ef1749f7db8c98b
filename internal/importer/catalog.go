package importer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/jsontext"
	"github.com/readership/readership/internal/nearest"
)

const (
	// catalogPart is the size of one request of items in bytes, below the server's
	// limit by more than a line.
	catalogPart = 1 << 20
	// partItems is how many items one request has; the server takes 10,000.
	partItems = 2000
)

// column says how the cells of a column become JSON.
type column int

const (
	asText      column = iota
	asList             // several values, separated by |
	asTime             // RFC 3339, or Unix milliseconds
	asAttribute        // of the name behind attributes.
)

// itemColumns are the columns that a catalogue may have beside its attributes.
var itemColumns = map[string]column{
	"id": asText, "url": asText, "aliases": asList, "kind": asText, "title": asText, "section": asText, "tags": asList, "authors": asList,
	"tier": asText, "published_at": asTime, "updated_at": asTime, "language": asText, "image": asText, "region": asText,
}

const attributePrefix = "attributes."

// itemSource returns what reads the items of a file, a line of JSON each: from
// NDJSON if the file begins with an object, else from CSV, whose first line
// names the columns. The errors of single items are lineErrors.
func itemSource(src *source) (next func() ([]byte, error), err error) {
	if bom, _ := src.reader.Peek(3); string(bom) == "\ufeff" {
		_, _ = src.reader.Discard(3)
	}
	head, _ := src.reader.Peek(4096)
	switch head = bytes.TrimSpace(head); {
	case len(head) == 0:
		return src.next, nil
	case head[0] == '{':
		return src.next, nil
	case head[0] == '[':
		return nil, fmt.Errorf("%s is one JSON array: write an item a line, as jq -c '.[]' does", src.name)
	}
	t, err := newTable(src)
	if err != nil {
		return nil, err
	}
	return t.next, nil
}

// table reads the items of a CSV file.
type table struct {
	src     *source
	csv     *csv.Reader
	budget  *budget
	names   []string
	columns []column
	item    []byte
}

// budget bounds what is read of one record: a quote that is never closed would
// take in the rest of the file.
type budget struct {
	r    io.Reader
	left int
}

var errLongRecord = fmt.Errorf("a record is longer than %d bytes; is a quote not closed?", MaxLine)

// Read implements io.Reader.
func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRecord
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// newTable reads the header.
func newTable(src *source) (*table, error) {
	t := &table{src: src, budget: &budget{r: src.reader, left: MaxLine}}
	head, _ := src.reader.Peek(4096)
	t.csv = csv.NewReader(bufio.NewReader(t.budget))
	t.csv.Comma = separator(head)
	t.csv.ReuseRecord = true
	header, err := t.csv.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: read the names of the columns: %w", src.name, err)
	}
	known := make(map[string]bool)
	for _, name := range header {
		name = strings.TrimSpace(name)
		kind, ok := itemColumns[name]
		own, isOwn := strings.CutPrefix(name, attributePrefix)
		switch {
		case known[name]:
			return nil, fmt.Errorf("%s: the column %q is there twice", src.name, name)
		case isOwn && own != "":
			t.names, t.columns = append(t.names, own), append(t.columns, asAttribute)
		case ok:
			t.names, t.columns = append(t.names, name), append(t.columns, kind)
		default:
			return nil, fmt.Errorf("%s: an item has no field %q, and columns of your own are named attributes.NAME%s", src.name, name, nearest.DidYouMean(name, slices.Collect(maps.Keys(itemColumns))))
		}
		known[name] = true
	}
	if !known["id"] {
		return nil, fmt.Errorf("%s: there is no column \"id\"", src.name)
	}
	return t, nil
}

// separator is what separates the names of the columns: spreadsheets write
// semicolons where a comma stands in numbers.
func separator(head []byte) rune {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	best := ','
	for _, c := range ";\t" {
		if bytes.Count(line, []byte(string(c))) > bytes.Count(line, []byte(string(best))) {
			best = c
		}
	}
	return best
}

// next returns the next item as JSON; it holds until the call after.
func (t *table) next() ([]byte, error) {
	t.budget.left = MaxLine
	cells, err := t.csv.Read()
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		t.src.number = wrong.StartLine
		if errors.Is(err, csv.ErrFieldCount) {
			return nil, lineError(fmt.Sprintf("there are %d cells and %d columns", len(cells), len(t.names)))
		}
		place := fmt.Sprintf("byte %d", wrong.Column)
		if wrong.Line != wrong.StartLine {
			place = fmt.Sprintf("line %d, byte %d", wrong.Line, wrong.Column)
		}
		return nil, lineError(fmt.Sprintf("%s: %v", place, wrong.Err))
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("read %s after line %d: %w", t.src.name, t.src.number, err)
	}
	t.src.number, _ = t.csv.FieldPos(0)
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			return nil, lineError(fmt.Sprintf("the cell of %q is not UTF-8", t.names[i]))
		}
	}
	t.item = t.append(t.item[:0], cells)
	return t.item, nil
}

// append writes the item of a row. A cell that is empty says nothing.
func (t *table) append(dst []byte, cells []string) []byte {
	dst = append(dst, '{')
	attributes := false
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if t.columns[i] == asAttribute {
			attributes = true
			continue
		}
		dst = appendName(dst, t.names[i])
		switch {
		case t.columns[i] == asList:
			dst = appendList(dst, cell)
		case t.columns[i] == asTime && len(cell) <= 18 && allDigits([]byte(cell)) && cell[0] != '0':
			dst = append(dst, cell...)
		default:
			dst = jsontext.Append(dst, cell)
		}
	}
	if attributes {
		dst = append(appendName(dst, "attributes"), '{')
		for i, cell := range cells {
			if t.columns[i] == asAttribute && cell != "" {
				dst = jsontext.Append(appendName(dst, t.names[i]), cell)
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendName begins the next member of an object.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(jsontext.Append(dst, name), ':')
}

func appendList(dst []byte, cell string) []byte {
	dst = append(dst, '[')
	for value := range strings.SplitSeq(cell, "|") {
		if value = strings.TrimSpace(value); value == "" {
			continue
		}
		if dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
		dst = jsontext.Append(dst, value)
	}
	return append(dst, ']')
}

// itemLines passes items on that are JSON: the server names by its place what
// is wrong in one, but of a body that it cannot read only the first fault.
type itemLines struct{}

func (itemLines) translate(dst, line []byte) (out []byte, skip bool, err error) {
	if !utf8.Valid(line) {
		return dst, false, errors.New("the line is not UTF-8")
	}
	var value json.RawMessage
	if err := json.Unmarshal(line, &value); err != nil {
		return dst, false, fmt.Errorf("the line is not valid JSON: %w", err)
	}
	return append(dst, line...), false, nil
}
