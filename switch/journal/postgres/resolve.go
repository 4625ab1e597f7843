// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tapswitch/switch/journal"
)

// resolvePause is how often a server that is gone is tried again.
const resolvePause = 50 * time.Millisecond

// where is all that tells what was stored last.
type where struct {
	end   uint64
	chain chain
	purge purgeID
}

// now is where the journal is, as far as the writer knows.
func (j *Journal) now() where { return where{j.end, j.chain, j.base.purge} }

// resolve finds out what became of a statement that leads to after, and whose
// connection broke: true when it is durable, false when it is not and cannot
// become so. An error is journal.ErrUnknown, or says why nothing more can be stored.
func (j *Journal) resolve(after where, cause error) (done bool, err error) {
	for until := j.env.Clock.Mono().Add(j.cfg.Resolve); ; {
		at, err := j.reconnect()
		switch {
		case err == nil && at == after:
			j.count.Resolved++
			return true, nil
		case err == nil && at == j.now():
			j.count.Resolved++
			return false, nil
		case err == nil:
			return false, fmt.Errorf("%w: the journal ends at record %d, which is neither before nor behind the batch", journal.ErrCorrupt, at.end)
		case errors.Is(err, ErrReplaced), errors.Is(err, ErrNotDurable), errors.Is(err, ErrStandby):
			return false, fmt.Errorf("%w: %w", journal.ErrUnknown, err)
		}
		if j.env.Clock.Mono() >= until {
			return false, fmt.Errorf("%w: %w, and then %w", journal.ErrUnknown, cause, err)
		}
		j.env.Waits.NewEvent().Wait(j.env.Clock.Mono().Add(resolvePause))
	}
}

// reconnect makes a new connection the writer's. With the new epoch whatever the
// old one still holds is void; where the journal ends now is where it ends.
func (j *Journal) reconnect() (at where, err error) {
	_ = j.hangUp() // it is broken: what it says is of no use
	if err := j.dialAgain(); err != nil {
		return at, err
	}
	j.count.Reconnects++
	ctx, cancel := j.bounded()
	defer cancel()
	var value, purge []byte
	err = j.conn.QueryRow(ctx, `UPDATE tapswitch_journal_state SET epoch = epoch + 1 WHERE writer = $1 RETURNING epoch, last, chain, kept_purge`, j.token[:]).
		Scan(&j.epoch, &at.end, &value, &purge)
	if errors.Is(err, pgx.ErrNoRows) {
		return at, fmt.Errorf("%s: %w", j.place(), ErrReplaced)
	}
	if err != nil {
		return at, err
	}
	if len(value) != len(at.chain) || len(purge) != 0 && len(purge) != len(at.purge) {
		return at, &Fault{Reason: "a value of the state does not have its length"}
	}
	copy(at.chain[:], value)
	copy(at.purge[:], purge)
	return at, j.prepare()
}

// dialAgain connects and ends what is left of old connections of this process:
// the server may not have noticed yet, and they have the lock.
func (j *Journal) dialAgain() error {
	ctx, cancel := j.bounded()
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, j.server.Copy())
	if err != nil {
		return bare(err)
	}
	j.conn = conn
	_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
		AND application_name = current_setting('application_name') AND usename = current_user AND datname = current_database()`)
	if err != nil {
		return err
	}
	if err := j.durable(ctx); err != nil {
		return err
	}
	return j.lock()
}
