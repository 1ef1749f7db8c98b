package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/readership/readership/internal/store"
)

const personColumns = `id, email, name, role, sites, password_hash, created_at, updated_at`

func scanPerson(row scanner, p *store.Person) error {
	var sites sql.NullString
	if err := row.Scan(&p.ID, &p.Email, &p.Name, &p.Role, &sites, &p.PasswordHash, &p.CreatedAt, &p.UpdatedAt); err != nil {
		return err
	}
	return unmarshalList(sites, &p.Sites)
}

// marshalList writes a list as JSON; a nil one is NULL, which means "all".
func marshalList(list []string) sql.NullString {
	if list == nil {
		return sql.NullString{}
	}
	text, _ := json.Marshal(list) // strings always marshal
	return sql.NullString{String: string(text), Valid: true}
}

func unmarshalList(text sql.NullString, list *[]string) error {
	if !text.Valid {
		*list = nil
		return nil
	}
	return json.Unmarshal([]byte(text.String), list)
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func insertPerson(ctx context.Context, db execer, p store.Person) error {
	_, err := db.ExecContext(ctx, `INSERT INTO people (`+personColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ID, strings.ToLower(p.Email), p.Name, p.Role, marshalList(p.Sites), p.PasswordHash, p.CreatedAt, p.UpdatedAt)
	return named("create person", err)
}

// CreatePerson implements store.People.
func (d *DB) CreatePerson(ctx context.Context, p store.Person) error {
	return insertPerson(ctx, d.write, p)
}

// Person implements store.People.
func (d *DB) Person(ctx context.Context, id string) (p store.Person, err error) {
	row := d.read.QueryRowContext(ctx, `SELECT `+personColumns+` FROM people WHERE id = ?`, id)
	return p, named("read person", scanPerson(row, &p))
}

// PersonByEmail implements store.People.
func (d *DB) PersonByEmail(ctx context.Context, email string) (p store.Person, err error) {
	row := d.read.QueryRowContext(ctx, `SELECT `+personColumns+` FROM people WHERE email = ?`, strings.ToLower(email))
	return p, named("read person", scanPerson(row, &p))
}

// ListPeople implements store.People.
func (d *DB) ListPeople(ctx context.Context, page store.Page) ([]store.Person, error) {
	return list(ctx, d, "list people", scanPerson,
		`SELECT `+personColumns+` FROM people WHERE id > ? ORDER BY id LIMIT ?`, page.After, limit(page))
}

// CountPeople implements store.People.
func (d *DB) CountPeople(ctx context.Context) (n int, err error) {
	err = d.read.QueryRowContext(ctx, `SELECT count(*) FROM people`).Scan(&n)
	return n, named("count people", err)
}

// UpdatePerson implements store.People.
func (d *DB) UpdatePerson(ctx context.Context, p store.Person) error {
	return d.execOne(ctx, "update person",
		`UPDATE people SET email = ?, name = ?, role = ?, sites = ?, password_hash = ?, updated_at = ? WHERE id = ?`,
		strings.ToLower(p.Email), p.Name, p.Role, marshalList(p.Sites), p.PasswordHash, p.UpdatedAt, p.ID)
}

// DeletePerson implements store.People.
func (d *DB) DeletePerson(ctx context.Context, id string) error {
	return d.execOne(ctx, "delete person", `DELETE FROM people WHERE id = ?`, id)
}

const sessionColumns = `hash, person, created_at, seen_at, expires_at, user_agent`

// CreateSession implements store.Sessions.
func (d *DB) CreateSession(ctx context.Context, s store.Session) error {
	return d.exec(ctx, "create session", `INSERT INTO sessions (`+sessionColumns+`) VALUES (?, ?, ?, ?, ?, ?)`,
		s.Hash[:], s.Person, s.CreatedAt, s.SeenAt, s.ExpiresAt, s.UserAgent)
}

// Session implements store.Sessions.
func (d *DB) Session(ctx context.Context, hash store.Hash) (s store.Session, err error) {
	var raw []byte
	err = d.read.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE hash = ?`, hash[:]).
		Scan(&raw, &s.Person, &s.CreatedAt, &s.SeenAt, &s.ExpiresAt, &s.UserAgent)
	if err == nil {
		s.Hash, err = toHash(raw)
	}
	return s, named("read session", err)
}

// TouchSession implements store.Sessions.
func (d *DB) TouchSession(ctx context.Context, hash store.Hash, seen, expires int64) error {
	return d.exec(ctx, "touch session", `UPDATE sessions SET seen_at = ?, expires_at = ? WHERE hash = ?`, seen, expires, hash[:])
}

// DeleteSession implements store.Sessions.
func (d *DB) DeleteSession(ctx context.Context, hash store.Hash) error {
	return d.exec(ctx, "delete session", `DELETE FROM sessions WHERE hash = ?`, hash[:])
}

// DeleteSessionsOf implements store.Sessions.
func (d *DB) DeleteSessionsOf(ctx context.Context, person string) error {
	return d.exec(ctx, "delete sessions", `DELETE FROM sessions WHERE person = ?`, person)
}

func toHash(raw []byte) (h store.Hash, err error) {
	if len(raw) != len(h) {
		return h, fmt.Errorf("a hash of %d bytes", len(raw))
	}
	copy(h[:], raw)
	return h, nil
}

// PutSetupToken implements store.Setup.
func (d *DB) PutSetupToken(ctx context.Context, hash store.Hash, expires int64) error {
	return d.exec(ctx, "store setup token",
		`INSERT INTO setup_token (one, hash, expires_at) VALUES (1, ?, ?)
		 ON CONFLICT (one) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`, hash[:], expires)
}

// SetupToken implements store.Setup.
func (d *DB) SetupToken(ctx context.Context, hash store.Hash, now int64) (bool, error) {
	var n int
	err := d.read.QueryRowContext(ctx, `SELECT count(*) FROM setup_token WHERE hash = ? AND expires_at > ?`, hash[:], now).Scan(&n)
	return n > 0, named("read setup token", err)
}

// FinishSetup implements store.Setup.
func (d *DB) FinishSetup(ctx context.Context, hash store.Hash, now int64, p store.Person) error {
	return d.inTransaction(ctx, func(tx *sql.Tx) error {
		var people int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM people`).Scan(&people); err != nil {
			return named("count people", err)
		}
		if people > 0 {
			return fmt.Errorf("first person: %w", store.ErrExists)
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM setup_token WHERE hash = ? AND expires_at > ?`, hash[:], now)
		if err != nil {
			return named("take setup token", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errOr(err, fmt.Errorf("setup token: %w", store.ErrNotFound))
		}
		return insertPerson(ctx, tx, p)
	})
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
