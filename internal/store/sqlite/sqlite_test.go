package sqlite

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/readership/readership/internal/store"
	"github.com/readership/readership/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		db, err := Open(t.Context(), filepath.Join(t.TempDir(), "app.db"))
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

func TestReopenKeepsDataAndSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space & 100%?.db")
	for i := range 2 {
		db, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := db.CountPeople(t.Context())
		if err != nil || n != i {
			t.Fatalf("open %d: %d people, %v", i, n, err)
		}
		if i == 0 {
			if err := db.CreatePerson(t.Context(), store.Person{ID: "p", Email: "e"}); err != nil {
				t.Fatal(err)
			}
		}
		var mode string
		var sync, keys int
		for _, q := range []struct {
			pragma string
			into   any
		}{{"journal_mode", &mode}, {"synchronous", &sync}, {"foreign_keys", &keys}} {
			if err := db.write.QueryRow("PRAGMA " + q.pragma).Scan(q.into); err != nil {
				t.Fatal(err)
			}
		}
		if mode != "wal" || sync != 2 || keys != 1 {
			t.Errorf("journal %s, synchronous %d, foreign keys %d", mode, sync, keys)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if matches, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "with space*")); len(matches) == 0 {
		t.Error("the file has another name")
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Fatalf("error %v", err)
	}
}
