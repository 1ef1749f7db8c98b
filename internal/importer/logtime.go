package importer

// monthDays are the days before each month of a year without a leap day.
var monthDays = [12]int{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}

const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

// clfTime reads 17/May/2015:10:05:03 +0000, the time of the common log format,
// as Unix milliseconds. Leap seconds count as the second after.
func clfTime(t []byte) (ms int64, ok bool) {
	if len(t) != 26 || t[2] != '/' || t[6] != '/' || t[11] != ':' || t[14] != ':' || t[17] != ':' || t[20] != ' ' {
		return 0, false
	}
	two := func(i int) int {
		if t[i] < '0' || t[i] > '9' || t[i+1] < '0' || t[i+1] > '9' {
			ok = false
			return 0
		}
		return int(t[i]-'0')*10 + int(t[i+1]-'0')
	}
	ok = true
	day, year := two(0), two(7)*100+two(9)
	hour, minute, second := two(12), two(15), two(18)
	zone := two(22)*60 + two(24)
	month := -1
	for m := 0; m < 12; m++ {
		if string(t[3:6]) == monthNames[3*m:3*m+3] {
			month = m
		}
	}
	if !ok || month < 0 || year == 0 || day < 1 || day > daysOf(month, year) || hour > 23 || minute > 59 || second > 60 || zone > 15*60 {
		return 0, false
	}
	switch t[21] {
	case '+':
	case '-':
		zone = -zone
	default:
		return 0, false
	}
	days := int64(daysBefore(year) + monthDays[month] + day - 1)
	if month > 1 && leap(year) {
		days++
	}
	return ((days*24+int64(hour))*60+int64(minute-zone))*60_000 + int64(second)*1000, true
}

// daysBefore counts the days from 1970-01-01 to the first of January of year.
func daysBefore(year int) int {
	y := year - 1
	return y*365 + y/4 - y/100 + y/400 - 719162
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysOf(month, year int) int {
	if month == 11 {
		return 31
	}
	n := monthDays[month+1] - monthDays[month]
	if month == 1 && leap(year) {
		n++
	}
	return n
}
