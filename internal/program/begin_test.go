package program

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/readership/readership/internal/event"
)

// factsOfOne are the facts of one site.
type factsOfOne map[string][]byte

func (f factsOfOne) Fact(kind, _, key string) ([]byte, bool) {
	v, ok := f[kind+key]
	return v, ok
}

// TestBegin: who begins does not wait for the compiler, and gets the version as it
// stood then, whatever became of the facts.
func TestBegin(t *testing.T) {
	text := func(clause string) []byte {
		raw, err := json.Marshal(event.Program{Files: map[string]string{event.MainFile: "access story { allow " + clause + " }"}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	f := factsOfOne{event.FactActive: []byte(`{"version":2,"stored":3}`), event.FactProgram + "1": text("first"),
		event.FactProgram + "2": text("second"), event.FactProgram + "3": []byte(`{"files":{"main":"no program"}}`)}
	p := New(f)
	site := &event.Site{ID: "news", Timezone: "UTC", Window: "30d"}
	p.compiling.Lock() // the compiler is busy
	var begun []*Compiling
	for _, version := range []int{1, 1, 2, 3, 9, 0} { // 3 cannot be compiled, 9 is not kept
		c, later := p.Begin(site, version)
		if c != nil || later == nil {
			t.Fatalf("version %d is there", version)
		}
		begun = append(begun, later)
	}
	f[event.FactProgram+"1"], f[event.FactProgram+"2"] = text("other"), text("another")
	f[event.FactActive] = []byte(`{"version":1,"stored":3}`)
	p.compiling.Unlock()
	for i, want := range []string{"first", "first", "second", "second", "second", "everyone"} {
		c, err := begun[i].Wait()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Plan.Accesses[0].Clauses[0].Name; got != want {
			t.Errorf("%d: version %d allows %s, want %s", i, c.Version, got, want)
		}
	}
	if one, _ := begun[0].Wait(); one != begun[1].compiled {
		t.Error("one version was compiled twice")
	}
	if c, later := p.Begin(site, 9); later == nil {
		t.Errorf("the active one, which is another now, is there: %+v", c)
	} else if c, err := later.Wait(); err != nil || c.Plan.Accesses[0].Clauses[0].Name != "other" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, later := p.Begin(site, 9); later != nil || c.Version != 1 {
		t.Error("what is compiled is compiled again")
	}
	delete(f, event.FactProgram+"1")
	if _, later := p.Begin(site, 9); later == nil {
		t.Error("a version that is gone is there")
	} else if _, err := later.Wait(); !errors.Is(err, ErrNotKept) {
		t.Error(err)
	}
}
