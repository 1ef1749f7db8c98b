package query

import (
	"slices"
	"strings"
)

// passes says whether a value passes the test.
func (f *Filter) passes(value string) bool {
	switch f.Op {
	case OpIs:
		return slices.Contains(f.Values, value)
	case OpIsNot:
		return !slices.Contains(f.Values, value)
	case OpContains:
		for _, v := range f.Values {
			if strings.Contains(value, v) {
				return true
			}
		}
	case OpMatches:
		for _, p := range f.patterns {
			if p.MatchString(value) {
				return true
			}
		}
	case OpGreater, OpLess:
		n, ok := number(value)
		if !ok {
			return false
		}
		for _, limit := range f.numbers {
			if f.Op == OpGreater && n > limit || f.Op == OpLess && n < limit {
				return true
			}
		}
	}
	return false
}

// passesAny says whether a list passes the test: one of its values does, but
// for is_not, which none may fail.
func (f *Filter) passesAny(values []string) bool {
	if f.Op == OpIsNot {
		return !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(f.Values, v) })
	}
	return slices.ContainsFunc(values, f.passes)
}

// table tells for each text of a dictionary whether it passes; code 0 is None.
func (f *Filter) table(texts []string) []uint8 {
	table := make([]uint8, max(len(texts), 1))
	set := func(code int, pass bool) {
		if pass {
			table[code] = 1
		}
	}
	set(0, f.passes(None))
	if f.Op == OpIs && len(f.Values) == 1 {
		want := f.Values[0]
		for code := 1; code < len(texts); code++ {
			if texts[code] == want {
				table[code] = 1
			}
		}
		return table
	}
	if f.Op <= OpIsNot && len(f.Values) > 8 {
		values := make(map[string]bool, len(f.Values))
		for _, v := range f.Values {
			values[v] = true
		}
		for code := 1; code < len(texts); code++ {
			set(code, values[texts[code]] == (f.Op == OpIs))
		}
		return table
	}
	for code := 1; code < len(texts); code++ {
		set(code, f.passes(texts[code]))
	}
	return table
}

// codeTest is a test of a dictionary's codes.
type codeTest struct {
	passes []uint8
	bits   []uint64 // the same, a bit a code
	only   uint32   // the one code that passes, 0 if there are others
	none   bool     // no code passes
	all    bool     // every code passes
}

func newCodeTest(passes []uint8) codeTest {
	t := codeTest{passes: passes, bits: make([]uint64, len(passes)/64+1)}
	n := 0
	for code, p := range passes {
		if p != 0 {
			n++
			t.only = uint32(code)
			t.bits[code/64] |= 1 << (code % 64)
		}
	}
	if n != 1 {
		t.only = 0
	}
	t.none, t.all = n == 0, n == len(passes)
	return t
}

// meets says whether a code of present passes.
func (t *codeTest) meets(present []uint64) bool {
	for i, word := range present[:min(len(present), len(t.bits))] {
		if word&t.bits[i] != 0 {
			return true
		}
	}
	return false
}
