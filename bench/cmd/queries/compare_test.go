package main

import "testing"

func TestEqualNoticesWrongAnswers(t *testing.T) {
	rows := func(pairs ...[2]float64) (all []row) {
		for _, p := range pairs {
			all = append(all, row{keys: []int64{int64(p[0])}, metrics: []float64{p[1]}})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		a, b   []row
		ranked bool
		same   bool
	}{
		{"same", rows([2]float64{1, 5}, [2]float64{2, 3}), rows([2]float64{1, 5}, [2]float64{2, 3}), true, true},
		{"another order", rows([2]float64{1, 5}, [2]float64{2, 3}), rows([2]float64{2, 3}, [2]float64{1, 5}), false, true},
		{"another value", rows([2]float64{1, 5}), rows([2]float64{1, 6}), false, false},
		{"another key", rows([2]float64{1, 5}), rows([2]float64{2, 5}), false, false},
		{"a row less", rows([2]float64{1, 5}), nil, false, false},
		{"ranked, ties swapped", rows([2]float64{1, 9}, [2]float64{2, 5}, [2]float64{3, 5}), rows([2]float64{1, 9}, [2]float64{3, 5}, [2]float64{2, 5}), true, true},
		{"ranked, first wrong", rows([2]float64{1, 9}, [2]float64{2, 5}), rows([2]float64{7, 9}, [2]float64{2, 5}), true, false},
	} {
		if err := equal(c.a, c.b, c.ranked); (err == nil) != c.same {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
