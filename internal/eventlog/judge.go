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
	case t < k.now-j.window:
		return CodeOutsideWindow, "time lies before the site's window, which ends at its newest event"
	case t > k.now+jumpMillis && !j.advance:
		return CodeTimeJump, "time would move the site's clock by more than 7 days at once"
	}
	k.now = max(k.now, t)
	return "", ""
}
