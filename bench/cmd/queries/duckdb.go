package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/readership/readership/bench/dataset"
)

// columns is the table of clicks for DuckDB and ClickHouse: no wider than the
// values need.
const columns = `time %s, reader %s, item %s, device_group %s, environment %s, os_code %s, country_code %s, region_code %s, referrer_type %s`

// duckDB is an in-memory database in this process.
type duckDB struct {
	db   *sql.DB
	text string // name with version
}

func openDuckDB(ctx context.Context, clicks []dataset.Click, threads int) (system, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	d := &duckDB{db: sql.OpenDB(connector)}
	var version string
	if err := d.db.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		return nil, err
	}
	d.text = "DuckDB " + version
	table := fmt.Sprintf("CREATE TABLE clicks ("+columns+")", "BIGINT", "UINTEGER", "UINTEGER", "UTINYINT", "UTINYINT", "UTINYINT", "UTINYINT", "UTINYINT", "UTINYINT")
	for _, statement := range []string{fmt.Sprintf("SET threads = %d", threads), table} {
		if _, err := d.db.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	if err := d.fill(ctx, connector, clicks); err != nil {
		return nil, err
	}
	_, err = d.db.ExecContext(ctx, "CREATE TABLE visits AS "+visitsSQL+" ORDER BY start")
	return d, err
}

func (d *duckDB) fill(ctx context.Context, connector *duckdb.Connector, clicks []dataset.Click) error {
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	a, err := duckdb.NewAppenderFromConn(conn, "", "clicks")
	if err != nil {
		return err
	}
	values := make([]driver.Value, 9)
	for i := range clicks {
		c := &clicks[i]
		values[0], values[1], values[2] = c.Time, c.Reader, c.Item
		for k, code := range c.Codes() {
			values[3+k] = code
		}
		if err := a.AppendRow(values...); err != nil {
			return fmt.Errorf("append row %d: %w", i, err)
		}
	}
	return a.Close()
}

func (d *duckDB) name() string { return d.text }
func (d *duckDB) close() error { return d.db.Close() }

func (d *duckDB) ask(ctx context.Context, q *question) ([]row, time.Duration, error) {
	start := time.Now()
	rows, err := d.db.QueryContext(ctx, q.sql) // executes and materializes
	took := time.Since(start)
	if err != nil {
		return nil, 0, fmt.Errorf("%w\n%s", err, q.sql)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, 0, err
	}
	values, targets := make([]float64, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	var out []row
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, 0, err
		}
		out = append(out, rowOf(values, q.keys))
	}
	return out, took, rows.Err()
}

// rowOf splits a line's values into keys and metrics. Times in milliseconds
// are exact as float64.
func rowOf(values []float64, keys int) row {
	r := row{metrics: append([]float64(nil), values[keys:]...)}
	for _, v := range values[:keys] {
		r.keys = append(r.keys, int64(v))
	}
	return r
}
