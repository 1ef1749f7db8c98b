package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/cucumber/godog"
)

func (w *world) registerReplay(sc *godog.ScenarioContext) {
	sc.When(`^the server starts again from its log alone$`, w.replay)
}

// replayed says whether a scenario must come out the same from a replay.
func replayed(s *godog.Scenario) bool {
	for _, t := range s.Tags {
		if t.Name == "@replayed" {
			return true
		}
	}
	return false
}

// replay starts the server again without its checkpoint.
func (w *world) replay(ctx context.Context) (err error) {
	if err := w.server.Stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(w.server.Dir, "checkpoint")); err != nil {
		return err
	}
	w.server, err = w.server.Restart(ctx)
	return err
}

// sameAfterReplay asks everything about the readers of the scenario, replays the
// log, and asks again.
func (w *world) sameAfterReplay(ctx context.Context) error {
	if len(w.readers) == 0 {
		return errors.New("the scenario has no readers to ask about")
	}
	before, err := w.everything(ctx)
	if err != nil {
		return err
	}
	if err := w.replay(ctx); err != nil {
		return err
	}
	after, err := w.everything(ctx)
	if err != nil {
		return err
	}
	for question, answer := range before {
		if !reflect.DeepEqual(after[question], answer) {
			a, _ := json.Marshal(answer)
			b, _ := json.Marshal(after[question])
			return fmt.Errorf("%s\nbefore the replay: %s\nafter it:          %s", question, a, b)
		}
	}
	return nil
}

// everything is each reader's export, kept decisions with their explanations, and
// what every item of the scenario would come to, by question.
func (w *world) everything(ctx context.Context) (map[string]any, error) {
	out := map[string]any{}
	ask := func(method, address string, body any) (any, error) {
		var answer any
		if err := w.server.Call(ctx, method, address, body, &answer); err != nil {
			return nil, err
		}
		text, _ := json.Marshal(body)
		plain(answer, body != nil)
		out[method+" "+address+" "+string(text)] = answer
		return answer, nil
	}
	for r := range w.readers {
		site, reader := r[0], r[1]
		if _, err := ask(http.MethodGet, path(site, "readers", reader), nil); err != nil {
			return nil, err
		}
		list, err := ask(http.MethodGet, path(site, "readers", reader, "decisions"), nil)
		if err != nil {
			return nil, err
		}
		for _, d := range list.(map[string]any)["decisions"].([]any) {
			if _, err := ask(http.MethodGet, path(site, "decisions", d.(map[string]any)["decision_id"].(string)), nil); err != nil {
				return nil, err
			}
		}
		kind, id, _ := strings.Cut(reader, ":")
		for i := range w.items {
			if i[0] != site {
				continue
			}
			body := map[string]any{"access": "story", "reader": map[string]string{kind: id}, "item": map[string]string{"id": i[1]}}
			if _, err := ask(http.MethodPost, path(site, "decisions"), body); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// plain takes out of an answer what differs from one asking to the next. The id
// of a bare decision does, that of a committed one does not.
func plain(answer any, bare bool) {
	m, ok := answer.(map[string]any)
	if !ok {
		return
	}
	for _, name := range []string{"took_us", "as_of", "position"} {
		delete(m, name)
	}
	if bare {
		delete(m, "decision_id")
	}
}
