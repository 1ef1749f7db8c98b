package program_test

import (
	"errors"
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

// TestSiteMadeAgain: the programs of a site that was removed are not those of one
// that is made under its name, and a version that is not kept is none.
func TestSiteMadeAgain(t *testing.T) {
	f := facts{}
	programs := program.New(f)
	site := &event.Site{ID: "news", Timezone: "UTC", Window: "30d"}
	store := func(segment string) {
		t.Helper()
		_, list, err := program.Stored("news", event.Active{}, event.Program{Files: map[string]string{event.MainFile: "segment " + segment + " = events |> last 7d |> count >= 3\n"}}, true)
		if err != nil {
			t.Fatal(err)
		}
		f.apply(list)
	}
	active := func(want string) {
		t.Helper()
		c, err := programs.Active(site)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Plan.Segments) != 1 || c.Plan.Segments[0].Name != want {
			t.Fatalf("segments %v, want %s", c.Plan.Segments, want)
		}
	}
	store("old")
	active("old")
	clear(f)
	if _, err := programs.At(site, 1); !errors.Is(err, program.ErrNotKept) {
		t.Fatalf("a version that is not kept: %v", err)
	}
	site = &event.Site{ID: "news", Timezone: "UTC", Window: "30d"}
	store("new")
	active("new")
}
