package access

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
)

// wire is a Remote to a service of the same process, which may be away.
type wire struct {
	to   *Service
	away bool
	last []byte // question
}

func (w *wire) Ask(_ time.Duration, question []byte, done func([]byte, error)) {
	w.last = question
	if w.away {
		done(nil, errors.New("nobody is there"))
		return
	}
	w.to.Answer(question, func(answer []byte) { done(answer, nil) })
}

const remoteProgram = `
meter monthly (limit: 2) = burns |> per month |> distinct item
access story (deadline: 10s) {
  allow again   if item in monthly
  allow metered if monthly.left > 0 burns monthly
  deny  wall    offers plans
}
access closed (deadline: 10s, fails: closed) { deny all offers plans }
`

// remote is the desk's service as another process has it.
func remote(d *desk) (*Service, *wire) {
	w := &wire{to: d.service}
	cfg := d.service.Config
	cfg.Remote = w
	return New(cfg), w
}

func TestRemoteDecides(t *testing.T) {
	d := newDesk(t, remoteProgram)
	s, w := remote(d)
	ask := func(access, item string, commit bool) *Verdict {
		t.Helper()
		v, err := s.Decide(t.Context(), &Ask{Site: d.site, Access: access, Reader: "device:d1", Item: item, Commit: commit})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	said := func(v *Verdict) string {
		commit := "null"
		if v.Commit != nil {
			commit = *v.Commit
		}
		return v.Decision + " " + v.Clause + " " + commit
	}
	for i, want := range []string{"allow metered burned", "allow metered burned", "deny wall denied"} {
		if got := said(ask("story", string(rune('a'+i)), true)); got != want {
			t.Errorf("commit %d: %s, want %s", i, got, want)
		}
	}
	shown := ask("story", "a", false)
	if said(shown) != "allow again null" || shown.Meter == nil || shown.Meter.Left != 0 {
		t.Errorf("%+v", shown)
	}
	for _, want := range []string{"again", "again"} { // a second commit answers as the first
		v, err := s.Commit(t.Context(), d.site, shown.DecisionID, Own{Any: true}, 0)
		if err != nil || *v.Commit != want || v.DecisionID != shown.DecisionID {
			t.Errorf("%+v %v", v, err)
		}
	}
	var unknown *UnknownAccess
	if _, err := s.Decide(t.Context(), &Ask{Site: d.site, Access: "stroy", Reader: "device:d1", Item: "a"}); !errors.As(err, &unknown) {
		t.Error(err)
	}
	if v, err := s.Decide(t.Context(), &Ask{Site: d.site, Access: "story", Reader: "device:d1", Item: "a", At: 5}); !errors.Is(err, ErrOutside) {
		t.Error(v, err)
	}

	// Away: the policy answers, and a commit is decided when it is applied, once,
	// whoever writes it.
	w.away = true
	if v := ask("closed", "a", false); v.Decision != Deny || !v.Fallback || v.Offer != "plans" {
		t.Errorf("closed: %+v", v)
	}
	d.now += 40 * 24 * 3600_000 // another month
	open := ask("story", "z", true)
	if open.Decision != Allow || !open.Fallback || open.Commit != nil {
		t.Errorf("open: %+v", open)
	}
	again := make(chan answer, 1)
	d.service.Answer(w.last, func(raw []byte) { again <- readAnswer(raw) }) // the question comes late after all
	if a := <-again; a.err != nil || a.verdict.DecisionID != open.DecisionID || *a.verdict.Commit != "burned" {
		t.Errorf("late: %+v %v", a.verdict, a.err)
	}
	w.away = false
	if v := ask("story", "z", true); said(v) != "allow again again" || v.Meter.Used != 1 {
		t.Errorf("back: %+v", v)
	}
	w.away = true
	if _, err := s.Commit(t.Context(), d.site, ask("story", "y", false).DecisionID, Own{Any: true}, 0); !errors.Is(err, ErrAway) {
		t.Errorf("commit: %v", err)
	}
	if s.Fallbacks() != 3 {
		t.Errorf("%d fallbacks", s.Fallbacks())
	}
}

// A question means the same where it is read.
func TestQuestion(t *testing.T) {
	site := event.Site{ID: "news"}.WithDefaults()
	sites := func(id string) (*event.Site, bool) { return &site, id == site.ID }
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, 60)
		given := Given{Verified: rapid.Bool().Draw(t, "verified")}
		for range rapid.IntRange(0, 3).Draw(t, "columns") {
			given.setColumn(event.Column(rapid.IntRange(0, int(event.NumColumns)-1).Draw(t, "column")), text.Draw(t, "text"))
		}
		given.Entitlements = rapid.SliceOfN(text, 0, 3).Draw(t, "entitlements")
		if len(given.Entitlements) == 0 {
			given.Entitlements = nil
		}
		if rapid.Bool().Draw(t, "link") {
			given.Link = &identity.Link{ID: text.Draw(t, "id"), Kind: text.Draw(t, "kind"), Item: text.Draw(t, "item"), Expires: 7, Uses: 2}
		}
		at := rapid.Int64Range(0, 1<<45).Draw(t, "at")
		if rapid.Bool().Draw(t, "session") {
			given.Session = &Session{User: text.Draw(t, "user"), Claimed: rapid.Bool().Draw(t, "claimed"),
				Burns: []engine.Burn{{Meter: "monthly", Item: text.Draw(t, "burned"), Time: at, Limit: 3, Rule: 9, Until: at + 1}}}
		}
		a := &attempt{
			ask: &Ask{Site: &site, Reader: text.Draw(t, "reader"), Device: text.Draw(t, "device"), Claimed: text.Draw(t, "claim"), Item: text.Draw(t, "item"),
				Access: "story", Commit: rapid.Bool().Draw(t, "commit"), Segments: rapid.Bool().Draw(t, "segments"), Position: event.Position(rapid.Uint64().Draw(t, "position"))},
			limit: 40 * time.Millisecond,
		}
		a.ask.Given.Columns = given.Columns
		a.ticket = &ticket{Reader: a.ask.Reader, Item: a.ask.Item, At: at, Version: rapid.IntRange(0, 1<<20).Draw(t, "version"), Access: "story", Given: given}
		copy(a.ticket.Nonce[:], rapid.SliceOfN(rapid.Byte(), identity.NonceBytes, identity.NonceBytes).Draw(t, "nonce"))
		got, err := readQuestion(a.appendQuestion(nil, a.limit), sites)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.ask, a.ask) || !reflect.DeepEqual(got.ticket, a.ticket) || got.limit != a.limit || got.id != a.id {
			t.Fatalf("got %+v %+v\nwant %+v %+v", got.ask, got.ticket, a.ask, a.ticket)
		}
	})
}

func FuzzQuestion(f *testing.F) {
	site := event.Site{ID: "news"}.WithDefaults()
	sites := func(string) (*event.Site, bool) { return &site, true }
	a := &attempt{ask: &Ask{Site: &site, Reader: "device:d1", Item: "a", Commit: true}, ticket: &ticket{Reader: "device:d1", Item: "a", Access: "story"}}
	f.Add(a.appendQuestion(nil, time.Second))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := readQuestion(raw, sites)
		if err != nil {
			return
		}
		if _, err := readQuestion(a.appendQuestion(nil, a.limit), sites); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}
