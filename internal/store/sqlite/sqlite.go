// Package sqlite keeps the application database in one SQLite file, with a
// write-ahead log beside it. A write is on the disk when its method returns.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"sort"

	sqlitedriver "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/readership/readership/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is an open application database. SQLite has one writer at a time, so
// writes share one connection and never meet SQLITE_BUSY; reads have a few.
type DB struct {
	write *sql.DB
	read  *sql.DB
}

var _ store.Store = (*DB)(nil)

// Open opens or creates the database file and brings its schema up to date.
func Open(ctx context.Context, path string) (*DB, error) {
	pragmas := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "busy_timeout(5000)",
	}}
	source := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
	open := func(connections int, extra string) (*sql.DB, error) {
		db, err := sql.Open("sqlite", source+"?"+pragmas.Encode()+extra)
		if err != nil {
			return nil, fmt.Errorf("open database %s: %w", path, err)
		}
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		return db, nil
	}
	write, err := open(1, "&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	d := &DB{write: write}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if d.read, err = open(4, ""); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// migrate applies the files of migrations/ that the database has not seen, in
// order, each in a transaction. user_version counts them.
func (d *DB) migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	sort.Strings(names)
	var version int
	if err := d.write.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if version > len(names) {
		return fmt.Errorf("the database has schema %d, this program knows %d: it was written by a newer release", version, len(names))
	}
	for i := version; i < len(names); i++ {
		text, err := migrations.ReadFile(names[i])
		if err != nil {
			return err
		}
		err = d.inTransaction(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("migrate %s: %w", names[i], err)
		}
	}
	return nil
}

func (d *DB) inTransaction(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Ping implements store.Store.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	return d.read.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
}

// Sweep implements store.Store.
func (d *DB) Sweep(ctx context.Context, now int64) error {
	for _, table := range []string{"sessions", "replies", "setup_token"} {
		if _, err := d.write.ExecContext(ctx, `DELETE FROM `+table+` WHERE expires_at <= ?`, now); err != nil {
			return fmt.Errorf("sweep %s: %w", table, err)
		}
	}
	return nil
}

// Secret implements store.Store.
func (d *DB) Secret(ctx context.Context, name string, size int, random io.Reader) ([]byte, error) {
	fresh := make([]byte, size)
	if _, err := io.ReadFull(random, fresh); err != nil {
		return nil, fmt.Errorf("make secret %s: %w", name, err)
	}
	var value []byte
	err := d.inTransaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = ?`, name).Scan(&value)
	})
	if err != nil {
		return nil, fmt.Errorf("store secret %s: %w", name, err)
	}
	if len(value) != size {
		return nil, fmt.Errorf("secret %s has %d bytes, not %d", name, len(value), size)
	}
	return value, nil
}

// Close implements store.Store.
func (d *DB) Close() error {
	var errs []error
	for _, db := range []*sql.DB{d.read, d.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// named gives a driver's error the words of package store and says what was
// being done.
func named(action string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", action, store.ErrNotFound)
	}
	var se *sqlitedriver.Error
	if errors.As(err, &se) {
		switch se.Code() {
		case sqlitelib.SQLITE_CONSTRAINT_UNIQUE, sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%s: %w", action, store.ErrExists)
		case sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%s: %w", action, store.ErrNotFound)
		}
	}
	return fmt.Errorf("%s: %w", action, err)
}

// exec runs one write.
func (d *DB) exec(ctx context.Context, action, query string, args ...any) error {
	_, err := d.write.ExecContext(ctx, query, args...)
	return named(action, err)
}

// execOne runs one write that must touch a row, else ErrNotFound.
func (d *DB) execOne(ctx context.Context, action, query string, args ...any) error {
	result, err := d.write.ExecContext(ctx, query, args...)
	if err != nil {
		return named(action, err)
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return named(action, err)
	}
	return fmt.Errorf("%s: %w", action, store.ErrNotFound)
}

// scanner is a row or rows.
type scanner interface{ Scan(dest ...any) error }

// list reads all rows of a query.
func list[T any](ctx context.Context, d *DB, action string, scan func(scanner, *T) error, query string, args ...any) ([]T, error) {
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, named(action, err)
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, named(action, err)
		}
		out = append(out, v)
	}
	return out, named(action, rows.Err())
}

// limit is a page's limit as SQL has it: all without one.
func limit(p store.Page) int {
	if p.Limit <= 0 {
		return -1
	}
	return p.Limit
}
