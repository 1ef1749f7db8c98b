package incremental

// until says how long a value holds if nothing but time happens: to the earlier
// of an instant of its own and a border of the calendar.
type until struct{ timer, border int64 }

var never = until{timer: Never, border: Never}

func (u until) min(o until) until {
	return until{timer: min(u.timer, o.timer), border: min(u.border, o.border)}
}
