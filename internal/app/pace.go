package app

import "time"

// Work that can wait takes a third of each shard's time at most: at midnight a
// hundred thousand readers are settled within a second all the same.
const (
	paceWork = time.Millisecond
	paceRest = 2 * time.Millisecond
)

// pace is engine.Config.Pace: spells of work with rests between them.
func pace(now func() time.Time) func() func() <-chan time.Time {
	return func() func() <-chan time.Time {
		var end time.Time // of the spell; zero: none has begun
		return func() <-chan time.Time {
			at := now()
			switch {
			case end.IsZero():
				end = at.Add(paceWork)
			case !at.Before(end):
				end = time.Time{}
				return time.After(paceRest)
			}
			return nil
		}
	}
}
