package importer

import (
	"strconv"
	"time"
)

// isoTime reads an RFC 3339 time as Unix milliseconds.
func isoTime(t []byte) (ms int64, ok bool) {
	at, err := time.Parse(time.RFC3339Nano, string(t))
	if err != nil || at.Year() < 1970 {
		return 0, false
	}
	return at.UnixMilli(), true
}

// secondsTime reads seconds since 1970, with a fraction, as Unix milliseconds.
func secondsTime(t []byte) (ms int64, ok bool) {
	seconds, err := strconv.ParseFloat(string(t), 64)
	const most = 1 << 38 // the year 10680
	if err != nil || !(seconds >= 0 && seconds < most) {
		return 0, false
	}
	return int64(seconds*1000 + 0.5), true
}

// anyTime reads what the names of a log's fields leave open.
func anyTime(t []byte) (ms int64, ok bool) {
	if ms, ok = isoTime(t); ok {
		return ms, true
	}
	if ms, ok = clfTime(t); ok {
		return ms, true
	}
	return secondsTime(t)
}
