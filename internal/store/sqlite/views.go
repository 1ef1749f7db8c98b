package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/readership/readership/internal/store"
)

const viewColumns = `id, site, owner, name, shared, state, version, created_at, updated_at`

func scanView(row scanner, v *store.View) error {
	var state string
	err := row.Scan(&v.ID, &v.Site, &v.Owner, &v.Name, &v.Shared, &state, &v.Version, &v.CreatedAt, &v.UpdatedAt)
	v.State = []byte(state)
	return err
}

// CreateView implements store.Views.
func (d *DB) CreateView(ctx context.Context, v store.View) error {
	return d.exec(ctx, "create view", `INSERT INTO views (`+viewColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.Site, v.Owner, v.Name, v.Shared, string(v.State), v.Version, v.CreatedAt, v.UpdatedAt)
}

// View implements store.Views.
func (d *DB) View(ctx context.Context, site, id string) (v store.View, err error) {
	row := d.read.QueryRowContext(ctx, `SELECT `+viewColumns+` FROM views WHERE site = ? AND id = ?`, site, id)
	return v, named("read view", scanView(row, &v))
}

// ListViews implements store.Views.
func (d *DB) ListViews(ctx context.Context, site, owner string, page store.Page) ([]store.View, error) {
	return list(ctx, d, "list views", scanView,
		`SELECT `+viewColumns+` FROM views WHERE site = ? AND (owner = ? OR shared) AND id > ? ORDER BY id LIMIT ?`,
		site, owner, page.After, limit(page))
}

// UpdateView implements store.Views.
func (d *DB) UpdateView(ctx context.Context, v store.View) error {
	return d.inTransaction(ctx, func(tx *sql.Tx) error {
		var version int64
		err := tx.QueryRowContext(ctx, `SELECT version FROM views WHERE site = ? AND id = ?`, v.Site, v.ID).Scan(&version)
		if err != nil {
			return named("update view", err)
		}
		if version != v.Version {
			return fmt.Errorf("update view: %w", store.ErrStale)
		}
		_, err = tx.ExecContext(ctx, `UPDATE views SET name = ?, shared = ?, state = ?, version = version + 1, updated_at = ? WHERE id = ?`,
			v.Name, v.Shared, string(v.State), v.UpdatedAt, v.ID)
		return named("update view", err)
	})
}

// DeleteView implements store.Views.
func (d *DB) DeleteView(ctx context.Context, site, id string) error {
	return d.execOne(ctx, "delete view", `DELETE FROM views WHERE site = ? AND id = ?`, site, id)
}

// DeleteViewsOf implements store.Views.
func (d *DB) DeleteViewsOf(ctx context.Context, site string) error {
	return d.exec(ctx, "delete views", `DELETE FROM views WHERE site = ?`, site)
}

const replyColumns = `key, fingerprint, done, sealed, created_at, expires_at`

// BeginReply implements store.Replies. Rows are numbered as they come.
func (d *DB) BeginReply(ctx context.Context, r store.Reply, most int) (store.Reply, error) {
	earlier := r
	err := d.inTransaction(ctx, func(tx *sql.Tx) error {
		var key, fingerprint []byte
		err := tx.QueryRowContext(ctx, `SELECT `+replyColumns+` FROM replies WHERE key = ? AND expires_at > ?`, r.Key[:], r.CreatedAt).
			Scan(&key, &fingerprint, &earlier.Done, &earlier.Sealed, &earlier.CreatedAt, &earlier.ExpiresAt)
		switch {
		case err == nil:
			if earlier.Fingerprint, err = toHash(fingerprint); err != nil {
				return err
			}
			return store.ErrExists
		case err != sql.ErrNoRows:
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO replies (`+replyColumns+`) VALUES (?, ?, 0, NULL, ?, ?)`,
			r.Key[:], r.Fingerprint[:], r.CreatedAt, r.ExpiresAt)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM replies WHERE rowid <= (SELECT max(rowid) FROM replies) - ?`, most)
		}
		return err
	})
	return earlier, named("begin reply", err)
}

// EndReply implements store.Replies.
func (d *DB) EndReply(ctx context.Context, key store.Hash, sealed []byte, expires int64) error {
	return d.exec(ctx, "end reply", `UPDATE replies SET done = 1, sealed = ?, expires_at = ? WHERE key = ?`, sealed, expires, key[:])
}

// DropReply implements store.Replies.
func (d *DB) DropReply(ctx context.Context, key store.Hash) error {
	return d.exec(ctx, "drop reply", `DELETE FROM replies WHERE key = ?`, key[:])
}
