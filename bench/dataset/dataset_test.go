package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
)

func TestSyntheticIsTheSameEachTime(t *testing.T) {
	p := Portal{Seed: 3, Clicks: 20_000, Readers: 4_000, Items: 500, Start: 1506816000000, Days: 9}
	a, b := digest(t, Synthetic(p)), digest(t, Synthetic(p))
	if a != b {
		t.Error("two runs with one seed differ")
	}
	p.Seed++
	if digest(t, Synthetic(p)) == a {
		t.Error("another seed gives the same clicks")
	}
}

func digest(t *testing.T, clicks []Click) [32]byte {
	t.Helper()
	h := sha256.New()
	if err := WriteNDJSON(h, clicks); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func TestRepeatKeepsOrderAndIDs(t *testing.T) {
	p := Portal{Seed: 3, Clicks: 5_000, Readers: 900, Items: 100, Start: 1506816000000, Days: 9}
	clicks := Repeat(Synthetic(p), 17_000)
	if len(clicks) != 17_000 {
		t.Fatalf("%d clicks, want 17,000", len(clicks))
	}
	seen := map[string]bool{}
	for i := range clicks {
		id := string(clicks[i].AppendID(nil))
		if seen[id] {
			t.Fatalf("id %s occurs twice", id)
		}
		seen[id] = true
		if i > 0 && clicks[i].Time < clicks[i-1].Time {
			t.Fatalf("click %d is earlier than the one before", i)
		}
	}
	if span := clicks[len(clicks)-1].Time - clicks[0].Time; span > 30*dayMillis {
		t.Errorf("the clicks span %d days, more than a window", span/dayMillis)
	}
}

func TestVisitsAreCompleteAndInOrder(t *testing.T) {
	v := Visits{Seed: 7, Views: 3000, Devices: 600, Items: 200, Start: 1506816000000, Days: 5}
	var b bytes.Buffer
	if err := v.WriteNDJSON(&b); err != nil {
		t.Fatal(err)
	}
	views, pings, ids := map[string]string{}, 0, map[string]bool{}
	last := int64(0)
	for d := json.NewDecoder(&b); ; {
		var e struct {
			Type, ID, View, Device string
			Time                   int64
		}
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e.Time < last || len(e.ID) != 36 || len(e.View) != 36 || len(e.Device) != 36 || ids[e.ID] {
			t.Fatalf("event %+v is late, has a short id or one that occurred before", e)
		}
		last, ids[e.ID] = e.Time, true
		if e.Type == "page_view" {
			views[e.View] = e.Device
			continue
		}
		pings++
		if views[e.View] != e.Device {
			t.Fatalf("engagement %+v comes before its page view", e)
		}
	}
	if len(views) != 3000 || pings != 3000 {
		t.Errorf("%d page views and %d engagements, want 3,000 each", len(views), pings)
	}
}

// The loader of the real log is checked against the answers of a separate
// program, so that a wrong answer of the server cannot hide behind it.
func TestGloboHasTheReferencesCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the whole log")
	}
	clicks, err := Globo()
	if errors.Is(err, ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := LoadReference()
	if err != nil {
		t.Fatal(err)
	}
	readers, items := map[uint32]bool{}, map[uint32]bool{}
	perDay := map[string]int{}
	for i := range clicks {
		readers[clicks[i].Reader], items[clicks[i].Item] = true, true
		perDay[time.UnixMilli(clicks[i].Time).UTC().Format(time.DateOnly)]++
	}
	if len(clicks) != want.Events || len(readers) != want.Readers || len(items) != want.Items {
		t.Errorf("%d clicks, %d readers, %d items; want %d, %d, %d", len(clicks), len(readers), len(items), want.Events, want.Readers, want.Items)
	}
	for day, pair := range want.UTC {
		if perDay[day] != pair[0] {
			t.Errorf("%s has %d clicks, want %d", day, perDay[day], pair[0])
		}
	}
}
