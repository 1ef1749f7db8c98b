package fold

import (
	"time"

	"github.com/readership/readership/internal/rubric/value"
)

// Recorded returns a property or trait as the type that its uses give it: one of
// another type is missing. Times are recorded as texts.
func Recorded(v value.Value, t value.Type) value.Value {
	switch {
	case v.Type == t || t == value.Any:
		return v
	case v.Type == value.Text && t == value.Time:
		return parseTime(v.S)
	default:
		return value.Value{}
	}
}

// Stored returns an attribute, which is stored as a text, as the type that its
// uses give it; one that cannot be read as that is missing.
func Stored(v value.Value, t value.Type) value.Value {
	if v.Type != value.Text {
		return Recorded(v, t)
	}
	switch t {
	case value.Bool:
		if v.S == "true" || v.S == "false" {
			return value.OfBool(v.S == "true")
		}
		return value.Value{}
	case value.Decimal:
		if n, ok := value.ParseMicro(v.S); ok {
			return value.OfMicro(n)
		}
		return value.Value{}
	default:
		return Recorded(v, t)
	}
}

// parseTime reads an instant as RFC 3339 writes it.
func parseTime(s string) value.Value {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return value.Value{}
	}
	return value.OfTime(t.UnixMilli())
}
