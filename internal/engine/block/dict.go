package block

import "github.com/readership/readership/internal/event"

// Dict numbers the values of a column from 1; 0 stands for missing. It is
// append-only: a View of it stays valid. It belongs to the shard's writer.
type Dict struct {
	texts []string
	kinds []event.Kind
	codes [3]map[string]uint32
	bytes int64
}

// DictView is a Dict as it was at one instant; Texts[0] is "" and stands for
// missing. It is immutable.
type DictView struct {
	Texts []string
	Kinds []event.Kind
}

// NewDict returns an empty dictionary.
func NewDict() *Dict {
	return &Dict{texts: []string{""}, kinds: []event.Kind{event.KindString}}
}

// Code returns the number of a value and adds it if it is new. It keeps a copy
// of text, never text itself.
func (d *Dict) Code(text string, kind event.Kind) uint32 {
	if code, ok := d.codes[kind][text]; ok {
		return code
	}
	if d.codes[kind] == nil {
		d.codes[kind] = make(map[string]uint32)
	}
	own := string(append([]byte(nil), text...))
	code := uint32(len(d.texts))
	d.texts = append(d.texts, own)
	d.kinds = append(d.kinds, kind)
	d.codes[kind][own] = code
	d.bytes += int64(len(own))
	return code
}

// Find returns the number of a value, 0 if the dictionary does not have it.
func (d *Dict) Find(text string, kind event.Kind) uint32 { return d.codes[kind][text] }

// Text returns the value with a code.
func (d *Dict) Text(code uint32) (string, event.Kind) { return d.texts[code], d.kinds[code] }

// Search is Find by looking at all values, for a dictionary that gets no more.
func (d *Dict) Search(text string) uint32 {
	for code := 1; code < len(d.texts); code++ {
		if d.texts[code] == text && d.kinds[code] != Removed {
			return uint32(code)
		}
	}
	return 0
}

// Len returns the number of values, missing included.
func (d *Dict) Len() int { return len(d.texts) }

// View returns the dictionary as it is now.
func (d *Dict) View() DictView {
	n := len(d.texts)
	return DictView{Texts: d.texts[:n:n], Kinds: d.kinds[:n:n]}
}

// Bytes estimates the memory of the dictionary.
func (d *Dict) Bytes() int64 {
	perEntry := int64(16 + 1)
	for k := range d.codes {
		if d.codes[k] != nil {
			perEntry = 16 + 1 + 28
		}
	}
	return d.bytes + perEntry*int64(len(d.texts))
}

// freeze drops what only a writer needs.
func (d *Dict) freeze() { d.codes = [3]map[string]uint32{} }
