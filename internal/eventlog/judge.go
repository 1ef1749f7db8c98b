package eventlog

// judge decides on times of events of one site.
type judge struct {
	now     int64  // log time
	window  int64  // milliseconds
	clock   *clock // nil: the site's clock is the wall's
	advance bool
}

// time returns why an event of time t is rejected, "" if it is not, and moves
// the site's clock. The first event of a site with clock "event" sets it.
func (j *judge) time(t int64) (code, message string) {
	k := j.clock
	switch {
	case k == nil:
		if t < j.now-j.window {
			return CodeOutsideWindow, "time lies before the site's window"
		}
		return "", ""
	case !k.known:
		k.now, k.known = t, true
	default:
		if code, message := OffClock(t, k.now, j.window); code != "" && !(j.advance && code == CodeTimeJump) {
			return code, message
		}
	}
	k.now = max(k.now, t)
	return "", ""
}

// OffClock returns why an event of time t is rejected where the site's clock is that
// of events and stands at now, "" if it is not. window is in milliseconds.
func OffClock(t, now, window int64) (code, message string) {
	switch {
	case t < now-window:
		return CodeOutsideWindow, "time lies before the site's window, which ends at its newest event"
	case t > now+jumpMillis:
		return CodeTimeJump, "time would move the site's clock by more than 7 days at once"
	}
	return "", ""
}
