package fold

import (
	"math"
	"sort"
	"strings"

	"github.com/readership/readership/internal/rubric/plan"
)

// Stream returns the rows of a stream in order of time.
func (v *View) Stream(id int) []Row {
	s := v.Program.Streams[id]
	from := int64(math.MinInt64)
	if base := s.Base(); base.Kind == plan.Filter {
		from = base.Window.From(v.Now, v.Program.Calendar)
	}
	rows := v.seen(from)
	for i := range s.Stages {
		rows = v.stage(rows, &s.Stages[i])
	}
	return rows
}

// seen returns the rows up to now that are in the site's window, those before from
// perhaps left out. Where folds are known without rows they are very many, and few are
// asked: then no more are read than that. Else all are, once.
func (v *View) seen(from int64) []Row {
	if v.Load != nil && (!v.loaded || from < v.from) {
		if v.Folded == nil || v.loaded {
			from = math.MinInt64
		}
		v.Rows, v.loaded, v.from = v.Load(from), true, from
	}
	return keep(v.Rows, func(r Row) bool { return v.Now-v.Program.Window < r.Time() && r.Time() <= v.Now })
}

// stage takes rows through one stage. By groups readers' rows together in
// metrics; to the rows of one it does nothing.
func (v *View) stage(rows []Row, s *plan.Stage) []Row {
	switch s.Kind {
	case plan.Filter:
		from := s.Window.From(v.Now, v.Program.Calendar)
		return keep(rows, func(r Row) bool { return r.Time() >= from && v.Predicate(s.Predicate, r) })
	case plan.Distinct:
		met := map[string]bool{}
		return keep(rows, func(r Row) bool {
			k, ok := v.key(r, s.Keys)
			first := ok && !met[k]
			met[k] = true
			return first
		})
	case plan.Then:
		return keep(v.Stream(s.Other), func(r Row) bool { return followsOne(r.Time(), rows, s.Within) })
	case plan.Unless:
		others := v.Stream(s.Other)
		return keep(rows, func(r Row) bool { return v.Now-r.Time() >= s.Within && !precedesOne(r.Time(), others, s.Within) })
	default:
		return rows
	}
}

func keep(rows []Row, fn func(Row) bool) []Row {
	var out []Row
	for _, r := range rows {
		if fn(r) {
			out = append(out, r)
		}
	}
	return out
}

// followsOne tells whether a time lies behind one of the rows', within ms at
// most.
func followsOne(t int64, rows []Row, within int64) bool {
	i := atOrAfter(rows, t-within)
	return i < len(rows) && rows[i].Time() < t
}

// precedesOne tells whether one of the rows lies behind a time, within ms at
// most.
func precedesOne(t int64, rows []Row, within int64) bool {
	i := atOrAfter(rows, t+1)
	return i < len(rows) && rows[i].Time() <= t+within
}

// atOrAfter returns the place of the first row that is not before a time.
func atOrAfter(rows []Row, t int64) int {
	return sort.Search(len(rows), func(i int) bool { return rows[i].Time() >= t })
}

// key returns what rows with the same keys have in common; ok is false if one of
// the keys is missing.
func (v *View) key(r Row, keys []*plan.Expr) (k string, ok bool) {
	parts := make([]string, len(keys))
	for i, e := range keys {
		x := v.On(r, e)
		if x.IsMissing() {
			return "", false
		}
		parts[i] = x.String()
	}
	return strings.Join(parts, ","), true
}

// Predicate tells whether a predicate holds for a row.
func (v *View) Predicate(id int, r Row) bool {
	p := v.Program.Predicates[id]
	for _, conditions := range [...][]int{p.Row, p.Item, p.Both, p.Asked} {
		for _, c := range conditions {
			if !v.Condition(c, r) {
				return false
			}
		}
	}
	return true
}

// Condition tells whether a condition holds for a row: one that has no value
// does not.
func (v *View) Condition(id int, r Row) bool { return v.On(r, v.Program.Conditions[id].Expr).True() }
