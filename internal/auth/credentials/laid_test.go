package credentials

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store/sqlite"
)

// Keys that are laid out are learned as they are, without a secret among them.
func TestLaid(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := OpenKeys(t.Context(), db, "root-key-of-the-database", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	keys.OnChange(func() { changes++ })
	key, secret, err := keys.CreateKey(t.Context(), "cms", []string{"catalog:write"}, []string{"news"})
	if err != nil {
		t.Fatal(err)
	}
	write, err := keys.CreateWriteKey(t.Context(), "news", "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := keys.Laid()
	if err != nil || changes != 2 || bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte("root")) {
		t.Fatalf("%s %d %v", raw, changes, err)
	}
	learned := LearnKeys("root-key-of-the-edge")
	if _, ok := learned.WriteKey(write.Key); ok {
		t.Error("a key is known that nobody told of")
	}
	if err := learned.Learn(raw); err != nil {
		t.Fatal(err)
	}
	if site, ok := learned.WriteKey(write.Key); !ok || site != "news" {
		t.Error(site)
	}
	if p, ok := learned.APIKey(secret); !ok || p.ID != key.ID || !p.Has(auth.CatalogWrite, "news") || p.Reaches("other") || p.Has(auth.EventsImport, "") {
		t.Errorf("%+v", p)
	}
	if _, ok := learned.APIKey("root-key-of-the-edge"); !ok {
		t.Error("the root key is not known")
	}
	if err := learned.Learn([]byte(`{"api":[{"id":"x"}]}`)); err == nil {
		t.Error("a key without a hash was taken")
	}
	if _, ok := learned.APIKey(secret); !ok {
		t.Error("keys are lost with what cannot be read")
	}
}
