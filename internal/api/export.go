package api

import (
	"strconv"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
)

// eachRow calls emit with every row of a view whose time is from ≤ time < to,
// as a JSON object with the names that events are sent with; copies, and rows
// that were erased, are left out. The object's bytes are valid until emit returns; an error of emit ends
// it. Rows come by shard and block, which is no promise.
func eachRow(v *engine.View, from, to int64, emit func(row []byte) error) error {
	from = max(from, v.From)
	var row []byte
	for _, shard := range v.Shards {
		for _, b := range shard.Blocks {
			day := int64(b.Day) * block.DayMillis
			if b.Kind == block.Copies || b.N == 0 || day+int64(b.MaxTime) < from || day+int64(b.MinTime) >= to {
				continue
			}
			for i := range b.N {
				if t := b.Unix(i); t < from || t >= to || t == block.GoneTime {
					continue
				}
				row = appendRow(row[:0], shard, b, i)
				if err := emit(row); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// appendRow writes one row as JSON.
func appendRow(dst []byte, shard *engine.ShardView, b *block.Block, i int) []byte {
	dst = append(dst, `{"time":"`...)
	dst = time.UnixMilli(b.Unix(i)).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = append(dst, `","device":`...)
	dst = jsontext.Append(dst, shard.Subjects.Name(b.Subject[i]))
	properties := 0
	for c := range shard.Columns {
		column := b.ColumnAt(c)
		if column == nil {
			continue
		}
		code := column.At(i)
		if code == 0 {
			continue
		}
		dict := shard.Columns[c].Dict
		if column.Local != nil {
			dict = *column.Local
		}
		text, kind := dict.Texts[code], dict.KindOf(code)
		if c >= int(event.NumColumns) {
			if properties++; properties == 1 {
				dst = append(dst, `,"properties":{`...)
			} else {
				dst = append(dst, ',')
			}
		} else {
			dst = append(dst, ',')
			kind = event.KindString
		}
		dst = jsontext.Append(dst, shard.Columns[c].Name)
		dst = append(dst, ':')
		if kind == event.KindString {
			dst = jsontext.Append(dst, text)
		} else {
			dst = append(dst, text...) // canonical: a number or true or false
		}
	}
	if properties > 0 {
		dst = append(dst, '}')
	}
	value, valued := valueOf(b, i)
	return append(appendMeasures(dst, b.EngagedMillis(i), b.ScrollPercent(i), value, valued), '}')
}

// appendMeasures writes what was measured of a row, after its other members:
// milliseconds of attention, percents of scroll, micro-units of a value.
func appendMeasures(dst []byte, engaged uint32, scroll uint8, value int64, valued bool) []byte {
	if engaged > 0 {
		dst = append(dst, `,"engaged_seconds":`...)
		dst = strconv.AppendFloat(dst, float64(engaged)/1000, 'f', -1, 64)
	}
	if scroll > 0 {
		dst = append(dst, `,"scroll_percent":`...)
		dst = strconv.AppendUint(dst, uint64(scroll), 10)
	}
	if valued {
		dst = append(dst, `,"value":`...)
		dst = strconv.AppendFloat(dst, float64(value)/1e6, 'f', -1, 64)
	}
	return dst
}

// valueOf returns the value of a row in micro-units.
func valueOf(b *block.Block, i int) (int64, bool) {
	lo, hi := 0, len(b.ValueRows)
	for lo < hi {
		if mid := (lo + hi) / 2; int(b.ValueRows[mid]) < i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(b.ValueRows) && int(b.ValueRows[lo]) == i {
		return b.Values[lo], true
	}
	return 0, false
}
