package program_test

import (
	"strconv"
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
)

// facts are those of one site.
type facts map[string][]byte

func (f facts) Fact(kind, _, key string) ([]byte, bool) {
	v, ok := f[kind+" "+key]
	return v, ok
}

func (f facts) apply(list []event.Fact) {
	for _, one := range list {
		if len(one.Value) == 0 {
			delete(f, one.Kind+" "+one.Key)
		} else {
			f[one.Kind+" "+one.Key] = one.Value
		}
	}
}

// TestVersionsAreBounded: however often a program is stored, the last ones are
// kept, and the active one while it is active.
func TestVersionsAreBounded(t *testing.T) {
	f := facts{}
	programs := program.New(f)
	store := func(activate bool) int {
		t.Helper()
		state, err := programs.State("news")
		if err != nil {
			t.Fatal(err)
		}
		version, list, err := program.Stored("news", state, event.Program{Files: map[string]string{event.MainFile: program.Initial}}, activate)
		if err != nil {
			t.Fatal(err)
		}
		f.apply(list)
		return version
	}
	has := func(version int) bool {
		t.Helper()
		_, ok, err := programs.Version("news", version)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	active := store(true)
	newest := 0
	for range 2 * program.MaxVersions {
		newest = store(false)
	}
	if !has(active) || !has(newest) || !has(newest-program.MaxVersions+1) || has(newest-program.MaxVersions) {
		t.Fatalf("of %d versions the active one or the last %d are not kept, or more", newest, program.MaxVersions)
	}
	compiled, err := programs.Active(&event.Site{ID: "news", Timezone: "UTC", Window: "30d"})
	if err != nil || compiled.Version != active {
		t.Fatalf("active: %+v, %v", compiled, err)
	}
	if newest = store(true); has(active) || !has(newest) {
		t.Fatal("a version is kept for being active once")
	}
	if n := len(f); n != program.MaxVersions+1 {
		t.Fatalf("%s facts are kept", strconv.Itoa(n))
	}
}
