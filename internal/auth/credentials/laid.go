package credentials

import (
	"encoding/json"
	"fmt"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store"
)

// laid are all keys but the root key, as they are laid out for processes without
// the database. API keys are there by their hashes only.
type laid struct {
	API   []laidKey         `json:"api"`
	Write map[string]string `json:"write"` // write key → site
}

type laidKey struct {
	Hash   []byte   `json:"hash"`
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Sites  []string `json:"sites"` // null: every site
	Scopes []string `json:"scopes"`
}

// OnChange has fn called after each change of a key, before who made it is told;
// changes wait for it.
func (k *Keys) OnChange(fn func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changed = fn
}

// Laid returns all keys for Learn.
func (k *Keys) Laid() ([]byte, error) {
	t := k.tables.Load()
	out := laid{Write: t.write}
	for hash, p := range t.api {
		if p.Kind == auth.KindAPI {
			out.API = append(out.API, laidKey{hash[:], p.ID, p.Name, p.Sites, p.Scopes.Names()})
		}
	}
	return json.Marshal(&out)
}

// LearnKeys returns the keys of a process without the database: the root key, ""
// for none, and what Learn brings. They are not changed here.
func LearnKeys(root string) *Keys {
	k := rootedKeys(root)
	k.use(&tables{api: map[store.Hash]*auth.Principal{}})
	return k
}

// Learn puts what Laid returned elsewhere in force, in place of what it brought
// before.
func (k *Keys) Learn(raw []byte) error {
	var in laid
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("learn keys: %w", err)
	}
	t := &tables{api: make(map[store.Hash]*auth.Principal, len(in.API)+1), write: in.Write}
	for _, key := range in.API {
		var hash store.Hash
		if copy(hash[:], key.Hash) != len(hash) {
			return fmt.Errorf("learn keys: that of %s has no hash", key.ID)
		}
		t.api[hash] = principalOf(store.Key{ID: key.ID, Name: key.Name, Scopes: key.Scopes, Sites: key.Sites})
	}
	k.use(t)
	return nil
}
