// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tapswitch/internal/batch"
	"tapswitch/internal/env"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationName is what the server's lists show; the writer's connection has
// the beginning of its token besides, by which it is found again.
const applicationName = "tapswitch journal"

// migrationTable is where goose notes what was done; other rooms have theirs.
const migrationTable = "tapswitch_journal_version"

// Open connects, makes or raises the tables, takes the journal over from whoever
// wrote it before, reads and checks all of it, and is ready to append. What is
// stored wrongly is a *Fault.
func Open(e env.Env, cfg Config) (*Journal, error) {
	cfg = cfg.withDefaults()
	server, err := parse(e, cfg)
	if err != nil {
		return nil, err
	}
	j := &Journal{env: e, cfg: cfg, server: server}
	j.queue = batch.New(e.Waits, cfg.QueueMax, j.serve)
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("journal: %w", errors.Join(err, j.hangUp()))
	}
	j.publish()
	return j, nil
}

// parse reads the URL. Its errors do not hold the password: pgx leaves it out,
// and what it could not parse at all is not repeated.
func parse(e env.Env, cfg Config) (*pgx.ConnConfig, error) {
	server, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, errors.New("journal: the PostgreSQL URL cannot be understood: give postgres://user:password@host:port/database")
	}
	server.ConnectTimeout = cfg.Timeout
	ours := func(ctx context.Context, _, address string) (net.Conn, error) { return e.Net.Dial(ctx, address) }
	if !strings.HasPrefix(server.Host, "/") { // a path is a local socket, which env has not
		server.DialFunc = ours
	}
	return server, nil
}

func (j *Journal) open() error {
	if _, err := io.ReadFull(j.env.Rand, j.token[:]); err != nil {
		return fmt.Errorf("writer's token: %w", err)
	}
	j.server.RuntimeParams["application_name"] = fmt.Sprintf("%s %x", applicationName, j.token[:8])
	if err := j.dial(); err != nil {
		return err
	}
	if err := j.migrate(); err != nil {
		return err
	}
	if err := j.takeOver(); err != nil {
		return err
	}
	if err := j.load(); err != nil {
		return err
	}
	return j.prepare()
}

// bounded is the time that one statement may take.
func (j *Journal) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), j.cfg.Timeout)
}

// dial connects, checks the server and takes the lock.
func (j *Journal) dial() error {
	ctx, cancel := j.bounded()
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, j.server.Copy())
	if err != nil {
		return fmt.Errorf("connect to %s: %w", j.place(), bare(err))
	}
	j.conn = conn
	if err := j.durable(ctx); err != nil {
		return err
	}
	return j.lock()
}

// place names the server without user and password.
func (j *Journal) place() string {
	return fmt.Sprintf("%s:%d/%s", j.server.Host, j.server.Port, j.server.Database)
}

// bare is err without the connection's string, in which the user's name is.
func bare(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// Errors of Open, and of a server that changed its ways meanwhile.
var (
	ErrNotDurable = errors.New("the server would lose what it has acknowledged")
	ErrStandby    = errors.New("the server is a standby, which takes no records")
	ErrReplaced   = errors.New("another switch has taken the journal over")
)

// durable refuses a server that acknowledges what is not on its disk.
func (j *Journal) durable(ctx context.Context) error {
	var fsync, commit string
	var standby bool
	err := j.conn.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()`).Scan(&fsync, &commit, &standby)
	switch {
	case err != nil:
		return fmt.Errorf("look at the server's settings: %w", err)
	case standby:
		return fmt.Errorf("%s: %w: name the primary", j.place(), ErrStandby)
	case fsync != "on":
		return fmt.Errorf("%s: %w: fsync is %s; set fsync = on in postgresql.conf and restart it", j.place(), ErrNotDurable, fsync)
	case commit == "off":
		return fmt.Errorf("%s: %w: synchronous_commit is off for this user or database; set it to on, or to remote_apply or remote_write with a standby", j.place(), ErrNotDurable)
	}
	return nil
}

// lockPause is how often a lock that somebody has is asked for again.
const lockPause = 20 * time.Millisecond

// lock takes the advisory lock of the journal in this schema. A process that was
// killed leaves it to us as soon as the server has noticed.
func (j *Journal) lock() error {
	for until := j.env.Clock.Mono().Add(j.cfg.Timeout); ; {
		var got bool
		ctx, cancel := j.bounded()
		err := j.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('tapswitch_journal ' || current_schema(), 0))`).Scan(&got)
		cancel()
		if err != nil {
			return fmt.Errorf("lock: %w", err)
		}
		if got {
			return nil
		}
		if j.env.Clock.Mono() >= until {
			return fmt.Errorf("%s: %w; stop the other process or use another schema (search_path)", j.place(), env.ErrLocked)
		}
		j.env.Waits.NewEvent().Wait(j.env.Clock.Mono().Add(lockPause))
	}
}

// migrate brings the tables to this version's form. Only who has the lock is here.
func (j *Journal) migrate() error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*j.server.Copy())
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, folder, goose.WithTableName(migrationTable),
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(tableLock{}))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*j.cfg.Timeout)
	defer cancel()
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	if have > want {
		return fmt.Errorf("the tables are of version %d, this program knows %d: use a newer tapswitch", have, want)
	}
	return nil
}

// tableLock is held by the session that changes the tables. The journal's lock is another
// session's: when a process is gone its server process may still be at a statement.
type tableLock struct{}

const tableLockName = `hashtextextended('tapswitch_journal_tables ' || current_schema(), 0)`

// SessionLock waits for whoever changes the tables of this schema.
func (tableLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(`+tableLockName+`)`)
	return err
}

// SessionUnlock lets the next one go on; so does the end of the session.
func (tableLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(`+tableLockName+`)`)
	return err
}

// takeOver makes this process the only writer. It waits for a statement of the
// one before that is under way; a later one finds itself replaced.
func (j *Journal) takeOver() error {
	var identity [16]byte
	if _, err := io.ReadFull(j.env.Rand, identity[:]); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	first := (&row{body: identity[:]}).seal(chain{})
	ctx, cancel := j.bounded()
	defer cancel()
	_, err := j.conn.Exec(ctx, `INSERT INTO tapswitch_journal_state VALUES (true, $1, 0, $2, 0, $3) ON CONFLICT DO NOTHING`, identity[:], j.token[:], first[:])
	if err != nil {
		return fmt.Errorf("take the journal over: %w", err)
	}
	var value, id []byte
	var stored storedBase
	err = j.conn.QueryRow(ctx, `UPDATE tapswitch_journal_state SET epoch = epoch + 1, writer = $1 RETURNING identity, epoch, last, chain, `+baseColumns, j.token[:]).
		Scan(append([]any{&id, &j.epoch, &j.end, &value}, stored.fields()...)...)
	if err != nil {
		return fmt.Errorf("take the journal over: %w", err)
	}
	return j.begins(id, value, stored)
}

// begins takes the two ends of the chain, and where the rows begin, from the state.
func (j *Journal) begins(identity, value []byte, stored storedBase) (err error) {
	j.origin = (&row{body: identity}).seal(chain{})
	if j.base, err = stored.base(j.origin); err != nil {
		return err
	}
	if len(value) != len(j.chain) {
		return &Fault{Reason: "the state's chain value does not have its length"}
	}
	j.chain = chain(value)
	return nil
}

// appendStatement stores a batch if this process is still the writer, nothing
// came in between, and the server is durable.
const appendStatement = `
WITH mine AS (
	UPDATE tapswitch_journal_state SET last = $2::bigint, chain = $6::bytea
	WHERE writer = $3::bytea AND epoch = $4::bigint AND last = $1::bigint - 1 AND chain = $5::bytea
	AND current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'
	RETURNING true
)
INSERT INTO tapswitch_journal (first, last, reserved, chain, body)
SELECT $1::bigint, $2::bigint, $7::bigint, $6::bytea, $8::bytea FROM mine`

func (j *Journal) prepare() error {
	ctx, cancel := j.bounded()
	defer cancel()
	if _, err := j.conn.Prepare(ctx, "append", appendStatement); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	return nil
}

// hangUp closes the connection, if there is one.
func (j *Journal) hangUp() error {
	if j.conn == nil {
		return nil
	}
	ctx, cancel := j.bounded()
	defer cancel()
	err := j.conn.Close(ctx)
	j.conn = nil
	return err
}
