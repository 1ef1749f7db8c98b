package collect

import (
	"fmt"
	"strings"
	"testing"
)

// tally counts the answers to n equal requests.
func (w *world) often(c call, n int) (taken, refused int) {
	w.t.Helper()
	for range n {
		switch a := w.do(c); a.Status {
		case 200, 202:
			taken++
		case 429:
			if a.Get("Retry-After") == "" || a.verdict.Code != "rate_limited" {
				w.t.Errorf("%v %s", a.Headers, a.Body)
			}
			refused++
		default:
			w.t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	return taken, refused
}

// TestRates allows what comes in ten seconds at once, and then as much as comes
// evenly.
func TestRates(t *testing.T) {
	w := newWorldOf(t, Rates{Address: 10})
	event := call{query: "key=w-news", body: `{"type":"a"}`}
	if taken, refused := w.often(event, 150); taken != 100 || refused != 50 {
		t.Errorf("%d are taken, %d refused", taken, refused)
	}
	if n := w.count("news", "refused", "address_rate"); n != 50 {
		t.Errorf("the ledger has %d", n)
	}
	w.now += 1000
	if taken, _ := w.often(event, 20); taken != 10 {
		t.Errorf("a second later %d are taken", taken)
	}
	if got := w.c.Limited(); got["address_rate"] != 60 || got["key_rate"] != 0 || got["device_rate"] != 0 {
		t.Errorf("%v", got)
	}
	// Other sites have buckets of their own.
	if taken, _ := w.often(call{query: "key=w-open", body: `{"type":"a"}`}, 100); taken != 100 {
		t.Errorf("of another site %d are taken", taken)
	}
	// A long body counts as several requests, and no body waits longer than that.
	w.now += 10_000
	long := call{query: "key=w-news", body: "[" + strings.Repeat(" ", 9*tokenBytes) + `{"type":"a"}]`}
	if taken, _ := w.often(long, 20); taken != 10 {
		t.Errorf("%d long bodies are taken", taken)
	}
}

// TestRatesOfDialects limit foreign trackers too, whose site is known by their
// body.
func TestRatesOfDialects(t *testing.T) {
	for _, bounds := range []Rates{{Address: 1}, {Key: 1}} {
		w := newWorldOf(t, bounds)
		if taken, refused := w.often(call{path: "/api/event", body: `{"n":"pageview","u":"https://news.example/a","d":"news.example"}`, headers: headers{"User-Agent": "Mozilla/5.0"}}, 15); taken != 10 || refused != 5 {
			t.Errorf("%+v: %d are taken, %d refused", bounds, taken, refused)
		}
	}
}

// TestHotDevice rejects the events of a device that sends too many, and no
// others.
func TestHotDevice(t *testing.T) {
	w := newWorldOf(t, Rates{Device: 2})
	var events []string
	for i := range 50 {
		events = append(events, fmt.Sprintf(`{"type":"a","device":"hot"},{"type":"a","device":"d%d"}`, i))
	}
	a := w.send("[" + strings.Join(events, ",") + "]")
	if a.Status != 200 || *a.verdict.Accepted != 70 || a.verdict.RejectedTotal != 30 || a.verdict.Rejected[0]["code"] != "too_many" || a.verdict.Rejected[0]["path"] != "device" {
		t.Errorf("%d %.300s", a.Status, a.Body)
	}
	if n := w.count("news", "refused", "device_rate"); n != 30 {
		t.Errorf("the ledger has %d", n)
	}
	if n := w.count("news", "rejected", "too_many"); n != 0 {
		t.Errorf("the ledger has %d as rejected", n)
	}
	if a := w.send(`[{"type":"a","device":"hot"},{"type":"a","device":"hot"}]`); a.Status != 429 || a.Get("Retry-After") == "" || a.verdict.RejectedTotal != 2 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.send(`[{"type":"a","device":"hot"},{"type":7}]`); a.Status != 400 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	// An importer's device is not a device that sends.
	if a := w.do(call{query: "key=import&site=news", body: "[" + strings.Repeat(`{"type":"a","device":"hot"},`, 50) + `{"type":"a","device":"hot"}]`}); *a.verdict.Accepted != 51 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	// Readers without consent may have one identity in common.
	if taken, _ := w.often(call{query: "key=w-news", body: `{"type":"a"}`}, 50); taken != 50 {
		t.Errorf("%d without consent are taken", taken)
	}
	// What would be stored is not.
	if a := w.do(call{query: "key=w-news&debug=1", body: `{"type":"a","device":"hot"}`}); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
