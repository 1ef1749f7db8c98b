package fold

import (
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Typed reads a recorded value; numbers too large for a Decimal are missing.
func Typed(text string, kind event.Kind) value.Value {
	switch kind {
	case event.KindNumber:
		if n, ok := value.ParseMicro(text); ok {
			return value.OfMicro(n)
		}
		return value.Value{}
	case event.KindBool:
		return value.OfBool(text == "true")
	}
	return value.OfText(text)
}

// ItemField returns a field of an item but its id; nil stands for an unknown one.
func ItemField(i *event.Item, f plan.Field) value.Value {
	if i == nil {
		return value.Value{}
	}
	switch f {
	case plan.FieldURL:
		return text(i.URL)
	case plan.FieldAliases:
		return texts(i.Aliases)
	case plan.FieldKind:
		return text(i.Kind)
	case plan.FieldTitle:
		return text(i.Title)
	case plan.FieldSection:
		return text(i.Section)
	case plan.FieldTags:
		return texts(i.Tags)
	case plan.FieldAuthors:
		return texts(i.Authors)
	case plan.FieldTier:
		return text(i.Tier)
	case plan.FieldPublishedAt:
		return instant(i.PublishedAt)
	case plan.FieldUpdatedAt:
		return instant(i.UpdatedAt)
	case plan.FieldLanguage:
		return text(i.Language)
	case plan.FieldImage:
		return text(i.Image)
	case plan.FieldRegion:
		return text(i.Region)
	}
	return value.Value{}
}

// ItemAttribute returns an attribute of an item, a Text; nil stands for an unknown
// one.
func ItemAttribute(i *event.Item, name string) value.Value {
	if i != nil {
		if text, ok := i.Attributes[name]; ok {
			return value.OfText(text)
		}
	}
	return value.Value{}
}

// text is a field's value; an empty one is missing, as is an empty list.
func text(s string) value.Value {
	if s == "" {
		return value.Value{}
	}
	return value.OfText(s)
}

func texts(list []string) value.Value {
	if len(list) == 0 {
		return value.Value{}
	}
	return value.OfTexts(list)
}

func instant(t *time.Time) value.Value {
	if t == nil {
		return value.Value{}
	}
	return value.OfTime(t.UnixMilli())
}
