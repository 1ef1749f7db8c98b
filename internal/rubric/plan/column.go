package plan

import (
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/value"
)

// Column is a column of a row. Those below event.NumColumns are the built-in
// text columns under their own numbers.
type Column int

// The other columns.
const (
	ColTime           = Column(event.NumColumns) + iota // Time
	ColDay                                              // Time: start of the row's day in the site's calendar
	ColWeek                                             // Time: start of its week
	ColMonth                                            // Time: start of its month
	ColDevice                                           // Text
	ColView                                             // Text
	ColVisit                                            // the row's visit; as a key only
	ColStartsVisit                                      // Bool
	ColEngagedSeconds                                   // Decimal
	ColScrollPercent                                    // Int
	ColValue                                            // Decimal
	NumColumns
)

var columns = [...]struct {
	name     string
	typ      value.Type
	optional bool
}{
	ColTime: {"time", value.Time, false}, ColDay: {"day", value.Time, false}, ColWeek: {"week", value.Time, false}, ColMonth: {"month", value.Time, false},
	ColDevice: {"device", value.Text, false}, ColView: {"view", value.Text, true}, ColVisit: {"visit", value.Any, true},
	ColStartsVisit: {"starts_visit", value.Bool, true}, ColEngagedSeconds: {"engaged_seconds", value.Decimal, true},
	ColScrollPercent: {"scroll_percent", value.Int, true}, ColValue: {"value", value.Decimal, true},
}

// String returns the column's name, as programs write it.
func (c Column) String() string {
	if c < Column(event.NumColumns) {
		return event.Column(c).String()
	}
	return columns[c].name
}

// MarshalText writes the column's name.
func (c Column) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Type returns the type of the column's values.
func (c Column) Type() value.Type {
	if c < Column(event.NumColumns) {
		return value.Text
	}
	return columns[c].typ
}

// Optional tells whether a row may have no value in the column.
func (c Column) Optional() bool {
	if c < Column(event.NumColumns) {
		return event.Column(c) != event.ColType
	}
	return columns[c].optional
}

// ColumnByName finds a column by its name.
func ColumnByName(name string) (Column, bool) {
	for c := range NumColumns {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// ColumnNames returns the names of all columns.
func ColumnNames() []string {
	names := make([]string, NumColumns)
	for c := range NumColumns {
		names[c] = c.String()
	}
	return names
}

// Field is a field of a catalogue entry.
type Field int

// Fields of a catalogue entry. Others are attributes.
const (
	FieldID Field = iota
	FieldURL
	FieldAliases
	FieldKind
	FieldTitle
	FieldSection
	FieldTags
	FieldAuthors
	FieldTier
	FieldPublishedAt
	FieldUpdatedAt
	FieldLanguage
	FieldImage
	FieldRegion
	NumFields
)

var fields = [...]struct {
	name string
	typ  value.Type
}{
	FieldID: {"id", value.Text}, FieldURL: {"url", value.Text}, FieldAliases: {"aliases", value.List}, FieldKind: {"kind", value.Text},
	FieldTitle: {"title", value.Text}, FieldSection: {"section", value.Text}, FieldTags: {"tags", value.List}, FieldAuthors: {"authors", value.List},
	FieldTier: {"tier", value.Text}, FieldPublishedAt: {"published_at", value.Time}, FieldUpdatedAt: {"updated_at", value.Time},
	FieldLanguage: {"language", value.Text}, FieldImage: {"image", value.Text}, FieldRegion: {"region", value.Text},
}

// String returns the field's name, as programs write it behind `item.`.
func (f Field) String() string { return fields[f].name }

// MarshalText writes the field's name.
func (f Field) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Type returns the type of the field's values; lists are of texts.
func (f Field) Type() value.Type { return fields[f].typ }

// FieldByName finds a field by its name. `tag` and `author`, as queries call
// them, are `tags` and `authors`.
func FieldByName(name string) (Field, bool) {
	if name == "tag" || name == "author" {
		name += "s"
	}
	for f := range NumFields {
		if f.String() == name {
			return f, true
		}
	}
	return 0, false
}

// FieldNames returns the names of all fields.
func FieldNames() []string {
	names := make([]string, NumFields)
	for f := range NumFields {
		names[f] = f.String()
	}
	return names
}

// Flag is a Boolean about a request: a valid signed link for the item asked for.
type Flag uint8

// Flags of requests.
const (
	Preview Flag = iota
	Gift
	Newsletter
	NumFlags
)

var flagNames = [...]string{Preview: "preview", Gift: "gift", Newsletter: "newsletter"}

// FlagNames are the flags as they are written behind `request.`.
var FlagNames = flagNames[:]

// String returns the flag as it is written behind `request.`.
func (f Flag) String() string { return flagNames[f] }

// MarshalText writes the flag's name.
func (f Flag) MarshalText() ([]byte, error) { return []byte(f.String()), nil }
