package app

import "time"

// Work that can wait takes about a third of each shard's time: at midnight a
// hundred thousand readers are settled within a second all the same. A step that takes
// longer than a spell is followed by as much longer a rest, up to paceMost of work:
// between two steps there may have been nothing to do. The first step after a rest is
// not counted, so where steps are long it is up to a half.
const (
	paceWork = time.Millisecond
	paceMost = 10 * time.Millisecond
	paceRest = 2 // times the work before
)

// pace is engine.Config.Pace: spells of work with rests between them.
func pace(now func() time.Time) func() func() <-chan time.Time {
	return func() func() <-chan time.Time {
		var begun time.Time // the spell; zero: none has
		return func() <-chan time.Time {
			at := now()
			if begun.IsZero() {
				begun = at
			}
			worked := at.Sub(begun)
			if worked < paceWork {
				return nil
			}
			begun = time.Time{}
			return time.After(paceRest * min(worked, paceMost))
		}
	}
}
