package check

import (
	"slices"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

// requestColumns are the columns that a request has, as a row of it would.
var requestColumns = []plan.Column{
	plan.Column(event.ColURL), plan.Column(event.ColHost), plan.Column(event.ColPath), plan.Column(event.ColReferrer), plan.Column(event.ColReferrerHost),
	plan.Column(event.ColUTMSource), plan.Column(event.ColUTMMedium), plan.Column(event.ColUTMCampaign), plan.Column(event.ColChannel),
	plan.Column(event.ColCountry), plan.Column(event.ColRegion), plan.Column(event.ColCity), plan.Column(event.ColDeviceClass),
	plan.Column(event.ColBrowser), plan.Column(event.ColOS), plan.Column(event.ColLanguage),
}

// What stands behind the point of some names.
var (
	readerFields = []string{"registered", "entitled", "entitled_by", "traits", "first_seen"}
	botFields    = []string{"verified", "class", "operator"}
	meterFields  = []string{"used", "left", "limit", "resets_at"}
)

// spaceHints show how what is no value becomes one.
var spaceHints = map[string]string{
	"reader": "`reader.registered` or `reader.entitled(\"premium\")`", "request": "`request.country`", "bot": "`bot.verified`",
	"properties": "`properties.goal`", "reader.traits": "`reader.traits.plan`", "item.attributes": "`item.attributes.topic`",
	"reader.entitled": "`reader.entitled(\"premium\")`", "reader.entitled_by": "`reader.entitled_by(\"premium\")`",
}

// root returns what one of the roots stands for.
func (c *checker) root(en *env, id *ast.Ident) result {
	at := en.at(id)
	switch id.Name {
	case "item":
		return c.item(en, id)
	case "properties":
		if !en.stage && en.place != anywhere {
			return c.scopeError(en, at, "scope", "such as `events |> where properties.goal == …`", "`properties` are of rows: they have a value inside of stages such as `where` only")
		}
	case "reader":
		if en.stage {
			return c.scopeError(en, at, "scope", "say it beside the stream: `reader.… and (…)`", "`reader` has no meaning inside of a stage, which looks at one row")
		} else if !en.reader() {
			return c.scopeError(en, at, "scope", "", "`reader` has no meaning in %s", placeNames[en.place])
		}
	case "request":
		if !en.asked() {
			return c.scopeError(en, at, "scope", "the row's own are columns, such as `country` inside of a stage", "`request` has no meaning in %s, where nothing is asked for", placeNames[en.place])
		}
	case "bot":
		if en.stage {
			return c.scopeError(en, at, "scope", "the row's own are `bot_class` and `bot_operator`", "`bot` is about the request: it has no meaning inside of a stage")
		} else if !en.asked() {
			return c.scopeError(en, at, "scope", "the row's own is `bot_class` inside of a stage", "`bot` has no meaning in %s, where nothing is asked for", placeNames[en.place])
		}
	}
	return result{kind: isSpace, space: id.Name, at: at}
}

// item returns the item: the row's inside of a stage, else the one asked for.
func (c *checker) item(en *env, id *ast.Ident) result {
	switch {
	case en.stage:
		r := c.column(en, id, plan.Column(event.ColItem))
		r.space = "item"
		return r
	case en.asked():
		return c.askedItem(en, id, "item")
	case en.place == inTest:
		return c.scopeError(en, en.at(id), "scope", "an item of a test is called by its name, as in `a1 in monthly`", "`item` has no meaning in a test")
	default:
		return c.scopeError(en, en.at(id), "scope", "the row's item has a meaning inside of stages: `events |> where item.section == …`", "`item` has no meaning in %s, where none is asked for", placeNames[en.place])
	}
}

func (c *checker) askedItem(en *env, n ast.Node, space string) result {
	r := c.value(plan.Expr{Op: plan.AskedField, Type: value.Text, Field: plan.FieldID, Place: en.at(n)})
	r.space = space
	return r
}

// field says what `X.NAME` is.
func (c *checker) field(en *env, s *ast.Select) result {
	x := c.eval(en, s.X)
	c.look.offer(s, func() []Choice { return c.fieldChoices(en, x) })
	if s.Name.Text == "" {
		c.gaps = true
		return result{}
	}
	switch {
	case x.bad():
		return x
	case x.kind == isMeter:
		return c.meterField(en, s, x.def)
	case x.space != "":
		return c.spaceField(en, s, x.space)
	case x.kind == isRows:
		hint := ""
		if slices.Contains(ast.Ends, s.Name.Text) {
			hint = "write `|> " + s.Name.Text + "`"
		}
		return c.fail(en, s, "unknown_field", hint, "rows have no fields, found `.%s`", s.Name.Text)
	default:
		hint := ""
		if _, isFunction := functions[s.Name.Text]; isFunction {
			hint = "write `" + s.Name.Text + "(…)`"
		}
		return c.fail(en, s, "unknown_field", hint, "%s has no fields, found `.%s`", x.found(), s.Name.Text)
	}
}

func (c *checker) spaceField(en *env, s *ast.Select, space string) result {
	name := s.Name.Text
	switch space {
	case "item", "request.item":
		return c.itemField(en, s, space)
	case "item.attributes":
		return c.attribute(en, s, en.stage)
	case "request.item.attributes":
		return c.attribute(en, s, false)
	case "properties":
		return c.data(en, s, plan.RowProperty, ofProperty, name)
	case "reader.traits":
		return c.data(en, s, plan.ReaderTrait, ofTrait, name)
	case "reader":
		return c.readerField(en, s)
	case "request":
		return c.requestField(en, s)
	case "bot":
		return c.botField(en, s)
	default:
		c.unknownField(en, s, nil)
		return result{}
	}
}

// unknownField reports a field that is none of those known.
func (c *checker) unknownField(en *env, s *ast.Select, known []string) *source.Diagnostic {
	text := c.files[en.file].Slice(s.Span)
	prefix := strings.TrimSuffix(text, s.Name.Text)
	hint := c.near(s.Name.Text, these(known))
	if hint != "" {
		hint = strings.Replace(hint, "`", "`"+prefix, 1)
	} else if len(known) > 0 && len(known) < 6 {
		hint = "there is " + strings.Replace(either(known), " or ", " and ", 1)
	}
	return c.errorIn(en, en.at(s), "unknown_field", hint, "unknown field `%s`", text)
}

// itemField returns a field of the row's item or of the one asked for. What is
// no field is an attribute that some item has.
func (c *checker) itemField(en *env, s *ast.Select, space string) result {
	name := s.Name.Text
	ofRow := en.stage && space == "item"
	field, ok := plan.FieldByName(name)
	switch {
	case ok && field == plan.FieldID && ofRow:
		return c.column(en, s, plan.Column(event.ColItem))
	case ok:
		e := plan.Expr{Op: plan.AskedField, Type: field.Type(), Optional: field != plan.FieldID, Field: field, Place: en.at(s)}
		if ofRow {
			e.Op = plan.RowItem
		}
		if e.Type == value.List {
			e.Elem = value.Text
		}
		return c.value(e)
	case name == "attributes":
		return result{kind: isSpace, space: space + ".attributes", at: en.at(s)}
	case c.attrs[name]:
		return c.attribute(en, s, ofRow)
	}
	if d := c.unknownField(en, s, append(plan.FieldNames(), sorted(c.attrs)...)); d.Hint == "" {
		d.Hint = "an attribute that no item has yet is `" + space + ".attributes." + name + "`"
	}
	return result{}
}

func (c *checker) attribute(en *env, s *ast.Select, ofRow bool) result {
	op := plan.AskedAttribute
	if ofRow {
		op = plan.RowAttribute
	}
	return c.data(en, s, op, ofAttribute, s.Name.Text)
}

func (c *checker) readerField(en *env, s *ast.Select) result {
	at := en.at(s)
	switch s.Name.Text {
	case "registered":
		return c.value(plan.Expr{Op: plan.ReaderRegistered, Type: value.Bool, Place: at})
	case "first_seen":
		return c.value(plan.Expr{Op: plan.ReaderFirstSeen, Type: value.Time, Optional: true, Place: at})
	case "traits", "entitled", "entitled_by":
		return result{kind: isSpace, space: "reader." + s.Name.Text, at: at}
	}
	d := c.unknownField(en, s, readerFields)
	if slices.Contains(c.schema.Entitlements, s.Name.Text) {
		d.Hint = "did you mean `reader.entitled(\"" + s.Name.Text + "\")`?"
	} else if slices.Contains(c.schema.Traits, s.Name.Text) {
		d.Hint = "did you mean `reader.traits." + s.Name.Text + "`?"
	}
	return result{}
}

func (c *checker) requestField(en *env, s *ast.Select) result {
	name, at := s.Name.Text, en.at(s)
	if name == "item" {
		return c.askedItem(en, s, "request.item")
	}
	if en.stage {
		hint := "write `" + name + "`: the row's own"
		if _, ok := plan.ColumnByName(name); !ok {
			hint = "inside of a stage there is `request.item` only"
		}
		return c.scopeError(en, at, "scope", hint, "`request.%s` has no meaning inside of a stage", name)
	}
	if i := slices.Index(plan.FlagNames, name); i >= 0 {
		return c.value(plan.Expr{Op: plan.RequestFlag, Type: value.Bool, Flag: plan.Flag(i), Place: at})
	}
	column, _ := plan.ColumnByName(name)
	if slices.Contains(requestColumns, column) && column.String() == name {
		return c.value(plan.Expr{Op: plan.RequestColumn, Type: value.Text, Optional: true, Column: column, Place: at})
	}
	known := slices.Concat(plan.FlagNames, []string{"item"})
	for _, column := range requestColumns {
		known = append(known, column.String())
	}
	c.unknownField(en, s, known)
	return result{}
}

func (c *checker) botField(en *env, s *ast.Select) result {
	at := en.at(s)
	switch s.Name.Text {
	case "verified":
		return c.value(plan.Expr{Op: plan.BotVerified, Type: value.Bool, Place: at})
	case "class":
		return c.value(plan.Expr{Op: plan.BotClass, Type: value.Text, Optional: true, Place: at})
	case "operator":
		return c.value(plan.Expr{Op: plan.BotOperator, Type: value.Text, Optional: true, Place: at})
	default:
		c.unknownField(en, s, botFields)
		return result{}
	}
}

func (c *checker) meterField(en *env, s *ast.Select, d *definition) result {
	e := plan.Expr{Type: value.Int, Ref: d.index, Place: en.at(s)}
	switch s.Name.Text {
	case "used":
		e.Op = plan.MeterUsed
	case "left":
		e.Op = plan.MeterLeft
	case "limit":
		e.Op = plan.MeterLimit
	case "resets_at":
		e.Op, e.Type, e.Optional = plan.MeterResetsAt, value.Time, true
	default:
		c.unknownField(en, s, meterFields)
		return result{}
	}
	return c.value(e)
}
