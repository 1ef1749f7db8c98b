package access

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A verdict's JSON is the one that its tags say.
func TestVerdictJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-z_:.0-9 -]{0,20}`), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		v := Verdict{Decision: text.Draw(t, "decision"), Clause: text.Draw(t, "clause"), Offer: text.Draw(t, "offer"), Price: text.Draw(t, "price"), Access: text.Draw(t, "access"),
			ProgramVersion: rapid.Int().Draw(t, "version"), DecisionID: text.Draw(t, "id"), Reader: text.Draw(t, "reader"), TTL: rapid.Int().Draw(t, "ttl"),
			Segments: rapid.SampledFrom([][]string{nil, {}, {"fan"}, {"a", "b<"}}).Draw(t, "segments"), Fallback: rapid.Bool().Draw(t, "fallback"),
			TookMicros: rapid.Int64().Draw(t, "took"), Token: text.Draw(t, "token")}
		if rapid.Bool().Draw(t, "committed") {
			commit := text.Draw(t, "commit")
			v.Commit = &commit
		}
		if rapid.Bool().Draw(t, "counts") {
			v.Counts = &Counts{EngagedSeconds: rapid.Float64Range(0, 1e9).Draw(t, "engaged"), ScrollPercent: rapid.Int64().Draw(t, "scroll")}
		}
		if rapid.Bool().Draw(t, "metered") {
			v.Meter = &MeterState{Name: text.Draw(t, "meter"), Used: rapid.Int64().Draw(t, "used"), Limit: rapid.Int64().Draw(t, "limit"), Left: rapid.Int64().Draw(t, "left")}
			if rapid.Bool().Draw(t, "resets") {
				zone := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", -3*3600), time.FixedZone("", 5*3600+1800)}).Draw(t, "zone")
				at := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "at")).In(zone)
				v.Meter.ResetsAt = &at
			}
		}
		var want strings.Builder
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(&v); err != nil {
			t.Fatal(err)
		}
		if got := string(v.AppendJSON(nil)) + "\n"; got != want.String() {
			t.Fatalf("%s, want %s", got, want.String())
		}
	})
}
