package collect

import "time"

// maxTime is 9999-12-31T23:59:59.999Z in Unix milliseconds.
const maxTime = 253402300799999

// parseTime reads an RFC 3339 time with an offset and returns Unix
// milliseconds; what is finer is cut off.
func parseTime(s string) (millis int64, ok bool) {
	// 2006-01-02T15:04:05[.999…](Z|±07:00)
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, ok0 := digits(s[0:4])
	month, ok1 := digits(s[5:7])
	day, ok2 := digits(s[8:10])
	hour, ok3 := digits(s[11:13])
	minute, ok4 := digits(s[14:16])
	second, ok5 := digits(s[17:19])
	if !ok0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 ||
		day > daysIn(year, month) {
		return 0, false
	}
	s = s[19:]
	fraction, scale := 0, 100
	if s[0] == '.' {
		n := 1
		for n < len(s) && s[n]-'0' <= 9 {
			fraction += int(s[n]-'0') * scale
			scale /= 10
			n++
		}
		if n == 1 {
			return 0, false
		}
		s = s[n:]
	}
	offset := 0
	switch {
	case s == "Z" || s == "z":
	case len(s) == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':':
		h, ok0 := digits(s[1:3])
		m, ok1 := digits(s[4:6])
		if !ok0 || !ok1 || h > 23 || m > 59 {
			return 0, false
		}
		offset = (h*60 + m) * 60
		if s[0] == '-' {
			offset = -offset
		}
	default:
		return 0, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix()
	return (at-int64(offset))*1000 + int64(fraction), true
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// parseMillis reads integer Unix milliseconds.
func parseMillis(s string) (millis int64, ok bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 15 {
		return 0, false
	}
	n, ok := digits(s)
	if negative {
		n = -n
	}
	return int64(n), ok
}
