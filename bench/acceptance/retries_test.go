package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerRetries(sc *godog.ScenarioContext) {
	sc.When(`^the last decision is committed by (\d+) clients that hang up before the answer$`, w.commitAndHangUp)
	sc.When(`^"([^"]*)" asks for "([^"]*)" and hangs up before the answer, (\d+) times$`, w.askAndHangUp)
	sc.When(`^"([^"]*)" asks for "([^"]*)" with the key "([^"]*)" and hangs up before the answer, (\d+) times$`, w.askKeyedAndHangUp)
	sc.When(`^"([^"]*)" asks for "([^"]*)" with the key "([^"]*)"$`, w.askKeyed)
	sc.When(`^the last decision is committed (\d+) times at once$`, w.commitAtOnce)
	sc.Then(`^each commit comes to "([^"]*)" with the meter at (\d+) of (\d+)$`, w.eachCommitIs)
	sc.Then(`^"([^"]*)" has (\d+) committed decisions?$`, w.hasDecisions)
}

func (w *world) commitAndHangUp(n int) error {
	return w.hangUp(n, path(w.decided.site, "decisions", w.decided.ID, "commit"), "", nil)
}

func (w *world) askAndHangUp(reader, item string, n int) error {
	return w.askKeyedAndHangUp(reader, item, "", n)
}

func (w *world) askKeyedAndHangUp(reader, item, key string, n int) error {
	return w.hangUp(n, path(w.site, "decisions"), key, w.question(w.site, cells{"reader": reader, "item": item}, w.places[w.site].clock, true))
}

func (w *world) askKeyed(ctx context.Context, reader, item, key string) error {
	q := w.question(w.site, cells{"reader": reader, "item": item}, w.places[w.site].clock, true)
	w.decided.site, w.decided.Decision = w.site, new(harness.Decision)
	w.decided.err = w.server.CallAs(ctx, harness.RootKey, map[string]string{"Idempotency-Key": key}, http.MethodPost, path(w.site, "decisions"), q, w.decided.Decision)
	return w.decided.err
}

// hangUp sends a request n times at once and says with its last byte that nobody
// waits for an answer. It returns when the server is done with all of them. An
// idempotency key of "" is none.
func (w *world) hangUp(n int, path, key string, body any) error {
	text := []byte{}
	if body != nil {
		text, _ = json.Marshal(body)
	}
	if key != "" {
		key = "Idempotency-Key: " + key + "\r\n"
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			errs[i] = func() error {
				c, err := net.DialTimeout("tcp", w.server.Addr, 10*time.Second)
				if err != nil {
					return err
				}
				defer c.Close()
				if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
					return err
				}
				_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: readership\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s",
					path, harness.RootKey, len(text), key, text)
				if err != nil {
					return err
				}
				if err := c.(*net.TCPConn).CloseWrite(); err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, c)
				return err
			}()
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w *world) commitAtOnce(ctx context.Context, n int) error {
	w.parallel = atOnce{verdicts: make([]*harness.Decision, n)}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { w.parallel.verdicts[i], errs[i] = w.server.Commit(ctx, w.decided.site, w.decided.ID) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w *world) eachCommitIs(commit string, used, limit int) error {
	var errs []error
	for _, d := range w.parallel.verdicts {
		w.decided.Decision = d
		errs = append(errs, w.commitIs(commit, used, limit))
	}
	return errors.Join(errs...)
}

func (w *world) hasDecisions(ctx context.Context, reader string, n int) error {
	var list struct{ Decisions []any }
	err := w.server.Call(ctx, http.MethodGet, path(w.site, "readers", reader, "decisions"), nil, &list)
	if err == nil && len(list.Decisions) != n {
		err = fmt.Errorf("%d committed decisions, want %d", len(list.Decisions), n)
	}
	return err
}
