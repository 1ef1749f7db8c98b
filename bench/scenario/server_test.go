package scenario

import (
	"bytes"
	"errors"
	"os/exec"
	"testing"
)

// The safety scenarios at a small size; `make bench-…` runs them at full.

func TestKilledServersLoseAndDoubleNothing(t *testing.T) {
	small(t, Crash, "-rounds", "3", "-connections", "8")
}

func TestPagesGoOnWithoutTheEngine(t *testing.T) {
	small(t, Roles, "-span", "1s", "-rate", "100", "-events", "200")
}

func TestNoMeterOvershoots(t *testing.T) {
	small(t, Overshoot, "-repetitions", "60", "-kills", "4")
}

func TestImportedFileIsStoredWhole(t *testing.T) {
	small(t, Import, "-events", "20000", "-runs", "1")
}

func TestRestartedServersAnswerTheSame(t *testing.T) {
	small(t, Restart, "-log-gb", "0.05", "-replay")
}

func TestMemoryListsWhatIsHeld(t *testing.T) {
	small(t, Memory, "-views", "20000", "-half=false")
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	_, err := FullDisk(t.Context())
	if errors.Is(err, ErrNotRoot) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnswersAreSynced(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip(err)
	}
	const answers = 100
	for _, synced := range []bool{true, false} {
		shown, err := TraceSyncs(t.Context(), answers, synced)
		if err != nil {
			t.Fatal(err)
		}
		if synced && shown != answers {
			t.Errorf("%d of %d answers are preceded by the sync of their batch", shown, answers)
		}
		if !synced && shown == answers {
			t.Error("the check does not notice a server without syncs")
		}
	}
}

// small runs a scenario and fails with what it printed.
func small(t *testing.T, run Run, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), &out, args); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
}
