package sqlite

import (
	"context"
	"database/sql"

	"github.com/readership/readership/internal/store"
)

const keyColumns = `id, name, hash, hint, scopes, sites, created_at`

// CreateKey implements store.Keys.
func (d *DB) CreateKey(ctx context.Context, k store.Key) error {
	scopes := k.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	return d.exec(ctx, "create key", `INSERT INTO keys (`+keyColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		k.ID, k.Name, k.Hash[:], k.Hint, marshalList(scopes), marshalList(k.Sites), k.CreatedAt)
}

// ListKeys implements store.Keys.
func (d *DB) ListKeys(ctx context.Context, page store.Page) ([]store.Key, error) {
	scan := func(row scanner, k *store.Key) error {
		var hash []byte
		var scopes, sites sql.NullString
		if err := row.Scan(&k.ID, &k.Name, &hash, &k.Hint, &scopes, &sites, &k.CreatedAt); err != nil {
			return err
		}
		var err error
		if k.Hash, err = toHash(hash); err != nil {
			return err
		}
		if err := unmarshalList(scopes, &k.Scopes); err != nil {
			return err
		}
		return unmarshalList(sites, &k.Sites)
	}
	return list(ctx, d, "list keys", scan,
		`SELECT `+keyColumns+` FROM keys WHERE id > ? ORDER BY id LIMIT ?`, page.After, limit(page))
}

// DeleteKey implements store.Keys.
func (d *DB) DeleteKey(ctx context.Context, id string) error {
	return d.execOne(ctx, "delete key", `DELETE FROM keys WHERE id = ?`, id)
}

const writeKeyColumns = `id, site, key, name, created_at`

// CreateWriteKey implements store.WriteKeys.
func (d *DB) CreateWriteKey(ctx context.Context, k store.WriteKey) error {
	return d.exec(ctx, "create write key", `INSERT INTO write_keys (`+writeKeyColumns+`) VALUES (?, ?, ?, ?, ?)`,
		k.ID, k.Site, k.Key, k.Name, k.CreatedAt)
}

// ListWriteKeys implements store.WriteKeys.
func (d *DB) ListWriteKeys(ctx context.Context, site string, page store.Page) ([]store.WriteKey, error) {
	scan := func(row scanner, k *store.WriteKey) error {
		return row.Scan(&k.ID, &k.Site, &k.Key, &k.Name, &k.CreatedAt)
	}
	return list(ctx, d, "list write keys", scan,
		`SELECT `+writeKeyColumns+` FROM write_keys WHERE (?1 = '' OR site = ?1) AND id > ?2 ORDER BY id LIMIT ?3`,
		site, page.After, limit(page))
}

// DeleteWriteKey implements store.WriteKeys.
func (d *DB) DeleteWriteKey(ctx context.Context, site, id string) error {
	return d.execOne(ctx, "delete write key", `DELETE FROM write_keys WHERE site = ? AND id = ?`, site, id)
}

// DeleteWriteKeysOf implements store.WriteKeys.
func (d *DB) DeleteWriteKeysOf(ctx context.Context, site string) error {
	return d.exec(ctx, "delete write keys", `DELETE FROM write_keys WHERE site = ?`, site)
}
