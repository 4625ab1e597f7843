// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"tapswitch/internal/env"
)

// Database says where a history in PostgreSQL is.
type Database struct {
	URL     string        // postgres://user:password@host/database; holds a secret
	Schema  string        // a schema of its own; "" is DefaultSchema
	Timeout time.Duration // of a connection, and of one batch; 0 is DefaultTimeout
}

// The defaults of a Database.
const (
	DefaultSchema  = "tapswitch_history"
	DefaultTimeout = 5 * time.Second
)

// database is a history in a schema of PostgreSQL. Others may keep theirs in the
// same database: each has a schema and, by its name, a lock.
type database struct {
	world  env.Env
	cfg    Database
	server *pgx.ConnConfig
}

// InDatabase is the history in a schema of a PostgreSQL database. What it said once
// must not be forgotten: money depends on nothing being missing (Since). So a commit
// waits for the server's disk, and a server without fsync is refused.
func InDatabase(world env.Env, cfg Database) (Place, error) {
	if cfg.Schema == "" {
		cfg.Schema = DefaultSchema
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	server, err := pgx.ParseConfig(cfg.URL)
	if err != nil { // not repeated: it may hold the password
		return nil, errors.New("history: the PostgreSQL URL cannot be understood: give postgres://user:password@host:port/database")
	}
	server.ConnectTimeout = cfg.Timeout
	if !strings.HasPrefix(server.Host, "/") { // a path is a local socket, which env has not
		server.DialFunc = func(ctx context.Context, _, address string) (net.Conn, error) { return world.Net.Dial(ctx, address) }
	}
	server.RuntimeParams["application_name"] = "tapswitch history"
	server.RuntimeParams["synchronous_commit"] = "on"
	return &database{world, cfg, server}, nil
}

// String names server, database and schema, without user and password.
func (d *database) String() string {
	return fmt.Sprintf("%s:%d/%s schema %s", d.server.Host, d.server.Port, d.server.Database, d.cfg.Schema)
}

func (d *database) bound() time.Duration { return d.cfg.Timeout }

// connect makes a pool whose tables are those of a schema. It does not connect yet.
func (d *database) connect(schema string) *sql.DB {
	server := d.server.Copy()
	server.RuntimeParams["search_path"] = quoted(schema)
	return stdlib.OpenDB(*server)
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// wrong is a failure here without the connection's string, in which the user's name
// is.
func (d *database) wrong(err error) error {
	if c := (*pgconn.ConnectError)(nil); errors.As(err, &c) {
		err = c.Unwrap()
	}
	return fmt.Errorf("history %s: %w", d, err)
}

// mark is the table by which a schema is known as a history's; it has the version.
const mark = "tapswitch_history_form"

// found says whether there is such a schema, and whether it is a history's.
func found(db *sql.DB, schema string, bound time.Duration) (there, ours bool, err error) {
	ctx, cancel := within(bound)
	defer cancel()
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = $2)`, schema, mark).
		Scan(&there, &ours)
	return there, ours, err
}

func (d *database) reading() (*sql.DB, error) {
	db := d.connect(d.cfg.Schema)
	there, ours, err := found(db, d.cfg.Schema, d.cfg.Timeout)
	switch {
	case err != nil:
	case !there:
		err = ErrNone
	case !ours:
		err = ErrForeign
	default:
		ctx, cancel := within(d.cfg.Timeout)
		defer cancel()
		var version int64
		if err = db.QueryRowContext(ctx, "SELECT version FROM "+mark).Scan(&version); err == nil && version != schemaVersion {
			err = ErrForeign
		}
	}
	if err != nil {
		return nil, errors.Join(d.wrong(err), db.Close())
	}
	return db, nil
}

func (d *database) writing() (*sql.DB, error) {
	db, err := d.reading()
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(d.cfg.Timeout)
	defer cancel()
	var fsync string
	if err = db.QueryRowContext(ctx, "SELECT current_setting('fsync')").Scan(&fsync); err == nil && fsync != "on" {
		err = fmt.Errorf("the server would lose what it has acknowledged: fsync is %s; set fsync = on in postgresql.conf and restart it", fsync)
	}
	if err != nil {
		return nil, errors.Join(d.wrong(err), db.Close())
	}
	return db, nil
}

func (d *database) create() error { return d.build(func(*sql.DB) error { return nil }) }

// build makes a schema beside, and gives it the name of the old one, which goes, in
// one transaction. A schema that is no history's is left alone.
func (d *database) build(fill func(*sql.DB) error) error {
	fresh := d.cfg.Schema + "_new"
	db := d.connect(fresh)
	db.SetMaxOpenConns(1)
	for _, name := range []string{d.cfg.Schema, fresh} {
		there, ours, err := found(db, name, d.cfg.Timeout)
		if err == nil && there && !ours {
			err = fmt.Errorf("schema %s is there and no history's: name another, or remove it", name)
		}
		if err != nil {
			return errors.Join(d.wrong(err), db.Close())
		}
	}
	drop := "DROP SCHEMA IF EXISTS " + quoted(fresh) + " CASCADE; "
	form := fmt.Sprintf("CREATE TABLE %s (version BIGINT NOT NULL); INSERT INTO %[1]s VALUES (%d);", mark, schemaVersion)
	err := d.run(db, drop+"CREATE SCHEMA "+quoted(fresh)+"; "+form+schemaOf("BIGINT", "BYTEA", "''", ""))
	if err == nil {
		err = fill(db)
	}
	if err == nil {
		err = d.run(db, "DROP SCHEMA IF EXISTS "+quoted(d.cfg.Schema)+" CASCADE; ALTER SCHEMA "+quoted(fresh)+" RENAME TO "+quoted(d.cfg.Schema))
	}
	if err != nil {
		return errors.Join(d.wrong(err), d.run(db, drop), db.Close())
	}
	return db.Close()
}

// run carries out statements without arguments, which the server takes as one
// transaction.
func (d *database) run(db *sql.DB, statements string) error {
	ctx, cancel := within(4 * d.cfg.Timeout)
	defer cancel()
	_, err := db.ExecContext(ctx, statements)
	return err
}

// lockPause is how often a lock that somebody has is asked for again.
const lockPause = 50 * time.Millisecond

// lock takes the advisory lock of the schema, on a connection of its own. A process
// that was killed leaves it to us as soon as the server has noticed. One whose
// connection broke loses it and may write on: commit sees to that.
func (d *database) lock() (io.Closer, error) {
	db := d.connect(d.cfg.Schema)
	db.SetMaxOpenConns(1)
	for until := d.world.Clock.Mono().Add(d.cfg.Timeout); ; {
		var got bool
		ctx, cancel := within(d.cfg.Timeout)
		err := db.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(hashtextextended('tapswitch_history ' || $1, 0))`, d.cfg.Schema).Scan(&got)
		cancel()
		if err == nil && got {
			return db, nil
		}
		if err == nil && d.world.Clock.Mono() >= until {
			err = fmt.Errorf("%w; stop the switch that writes it, or wait for the rebuild to end", env.ErrLocked)
		}
		if err != nil {
			return nil, errors.Join(d.wrong(err), db.Close())
		}
		d.world.Waits.NewEvent().Wait(d.world.Clock.Mono().Add(lockPause))
	}
}
