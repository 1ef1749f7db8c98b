package query

import (
	"strings"

	"github.com/readership/readership/internal/event"
)

// Kind says where the values of a dimension come from.
type Kind uint8

// The kinds of dimensions.
const (
	KindTime      Kind = iota // buckets of Resolution
	KindColumn                // a built-in column
	KindProperty              // a property of the publisher's, by Property
	KindSection               // of the item's catalogue entry, as are the next four
	KindTier                  //
	KindAuthor                // a list: a row counts in each
	KindTag                   // a list
	KindAttribute             // by Property
	KindEntryItem             // first item viewed in the row's visit
	KindExitItem              // last item viewed in the row's visit
	KindLoyalty               // new, returning, loyal
	KindSegment               // of the row's reader; a list
	kindUnknown               // a bare name: a property or an attribute, the view knows which
)

// None is the value where there is none.
const None = "(none)"

// Dimension is what rows can be grouped and filtered by.
type Dimension struct {
	Name       string // as asked
	Kind       Kind
	Column     event.Column // of KindColumn
	Property   string       // of KindProperty and KindAttribute
	Resolution Resolution   // of KindTime
}

// The prefixes that name a property or an attribute whatever else has its name.
const (
	propertyPrefix  = "properties."
	attributePrefix = "attributes."
	timePrefix      = "time:"
)

var derivedDimensions = []struct {
	name string
	kind Kind
}{
	{"section", KindSection}, {"tier", KindTier}, {"author", KindAuthor}, {"tag", KindTag},
	{"entry_item", KindEntryItem}, {"exit_item", KindExitItem}, {"loyalty", KindLoyalty},
	{"segment", KindSegment},
}

// dimensionByName reads a dimension's name. A bare name that is not built in
// has Kind kindUnknown. ok is false for what can be no dimension at all.
func dimensionByName(name string) (d Dimension, ok bool) {
	d.Name = name
	if c, found := event.ColumnByName(name); found {
		d.Kind, d.Column = KindColumn, c
		return d, true
	}
	for _, x := range derivedDimensions {
		if x.name == name {
			d.Kind = x.kind
			return d, true
		}
	}
	if unit, found := strings.CutPrefix(name, timePrefix); found {
		d.Kind = KindTime
		d.Resolution, ok = resolutionByName(unit)
		return d, ok
	}
	if d.Property, ok = strings.CutPrefix(name, propertyPrefix); ok {
		d.Kind = KindProperty
		return d, d.Property != ""
	}
	if d.Property, ok = strings.CutPrefix(name, attributePrefix); ok {
		d.Kind = KindAttribute
		return d, d.Property != ""
	}
	d.Property, d.Kind = name, kindUnknown
	return d, name != ""
}

// builtinDimensions are the names of all dimensions that every site has.
func builtinDimensions() []string {
	var names []string
	for _, r := range resolutionNames {
		names = append(names, timePrefix+r)
	}
	for c := range event.NumColumns {
		names = append(names, c.String())
	}
	for _, x := range derivedDimensions {
		names = append(names, x.name)
	}
	return names
}

// viewed says whether a visit counts under each value that it viewed; by other
// dimensions it counts under its first event's.
func (d *Dimension) viewed() bool {
	switch d.Kind {
	case KindSection, KindTier, KindAuthor, KindTag, KindAttribute, KindSegment:
		return true
	case KindColumn:
		switch d.Column {
		case event.ColItem, event.ColPath, event.ColURL, event.ColHost, event.ColTitle:
			return true
		}
	}
	return false
}

// list says whether a row can have several values.
func (d *Dimension) list() bool {
	return d.Kind == KindAuthor || d.Kind == KindTag || d.Kind == KindSegment
}

// ofItem says whether the value follows from the row's item and the catalogue.
func (d *Dimension) ofItem() bool {
	return d.Kind >= KindSection && d.Kind <= KindAttribute || d.Kind == KindColumn && d.Column == event.ColItem
}

// ofVisit says whether the value depends on the row's visit or reader.
func (d *Dimension) ofVisit() bool {
	return d.Kind == KindEntryItem || d.Kind == KindExitItem || d.Kind == KindLoyalty || d.Kind == KindSegment
}

// same says whether two names mean the same values.
func (d *Dimension) same(o *Dimension) bool {
	return d.Kind == o.Kind && d.Column == o.Column && d.Property == o.Property && d.Resolution == o.Resolution
}
