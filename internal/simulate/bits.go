package simulate

import (
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// itemBits gives each condition that looks at the item alone a bit: it is worked
// out once for an item. Conditions without one, beyond 64, are worked out again.
type itemBits []uint64 // by Expr.Key; 0: none

func itemBitsOf(exprs []*plan.Expr) itemBits {
	var bits itemBits
	given := 0
	alone := map[int]bool{} // by Key
	var looks func(x *plan.Expr) bool
	looks = func(x *plan.Expr) bool {
		is, known := alone[x.Key]
		if !known {
			is = x.Op == plan.Const || x.Op == plan.AskedField || x.Op == plan.AskedAttribute || x.Op >= plan.Not
			for _, a := range x.Args {
				is = is && looks(a)
			}
			alone[x.Key] = is
		}
		return is
	}
	met := map[int]bool{}
	var walk func(x *plan.Expr)
	walk = func(x *plan.Expr) {
		if met[x.Key] {
			return
		}
		met[x.Key] = true
		if x.Type == value.Bool && x.Op != plan.Const && looks(x) {
			if given == 64 {
				return
			}
			for len(bits) <= x.Key {
				bits = append(bits, 0)
			}
			bits[x.Key] = 1 << given
			given++
			return
		}
		for _, a := range x.Args {
			walk(a)
		}
	}
	for _, x := range exprs {
		walk(x)
	}
	return bits
}

// of returns the bit of an expression, 0 if it has none.
func (b itemBits) of(x *plan.Expr) uint64 {
	if x.Key < len(b) {
		return b[x.Key]
	}
	return 0
}
