package access

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/readership/readership/internal/jsontext"
)

// AppendJSON appends the JSON of a verdict, the same that encoding/json makes of it without
// escaping for HTML:
// there are tens of thousands a second.
func (v *Verdict) AppendJSON(dst []byte) []byte {
	text := func(name, s string) { dst = jsontext.Append(append(dst, name...), s) }
	some := func(name, s string) {
		if s != "" {
			text(name, s)
		}
	}
	number := func(name string, n int64) { dst = strconv.AppendInt(append(dst, name...), n, 10) }
	text(`{"decision":`, v.Decision)
	some(`,"clause":`, v.Clause)
	some(`,"offer":`, v.Offer)
	some(`,"price":`, v.Price)
	text(`,"access":`, v.Access)
	number(`,"program_version":`, int64(v.ProgramVersion))
	text(`,"decision_id":`, v.DecisionID)
	text(`,"reader":`, v.Reader)
	if m := v.Meter; m != nil {
		text(`,"meter":{"name":`, m.Name)
		number(`,"used":`, m.Used)
		number(`,"limit":`, m.Limit)
		number(`,"left":`, m.Left)
		if m.ResetsAt != nil {
			dst = append(m.ResetsAt.AppendFormat(append(dst, `,"resets_at":"`...), time.RFC3339Nano), '"')
		}
		dst = append(dst, '}')
	}
	if v.Commit != nil {
		text(`,"commit":`, *v.Commit)
	} else {
		dst = append(dst, `,"commit":null`...)
	}
	if v.Counts != nil {
		raw, _ := json.Marshal(v.Counts) // numbers, which are always finite
		dst = append(append(dst, `,"counts":`...), raw...)
	}
	number(`,"ttl_s":`, int64(v.TTL))
	if v.Segments != nil {
		dst = append(dst, `,"segments":[`...)
		for i, name := range v.Segments {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = jsontext.Append(dst, name)
		}
		dst = append(dst, ']')
	}
	dst = strconv.AppendBool(append(dst, `,"fallback":`...), v.Fallback)
	number(`,"took_us":`, v.TookMicros)
	some(`,"token":`, v.Token)
	return append(dst, '}')
}
