// SPDX-License-Identifier: Apache-2.0

package history

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"

	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	"tapswitch/internal/env"
)

// Errors of this package.
var (
	// ErrOther: the file was written from another journal, or the journal was
	// replaced by an older copy.
	ErrOther = errors.New("history: it does not belong to this journal: make it anew (tapswitch history rebuild)")
	// ErrForeign: the file is none of ours, or of another version of the schema.
	ErrForeign = errors.New("history: the file has another form than this version writes: make it anew (tapswitch history rebuild)")
	// ErrNoFile: there is no history yet.
	ErrNoFile = errors.New("history: there is no file: a running switch writes it, or tapswitch history rebuild")
)

// The marks in the head of the file (PRAGMA application_id, user_version). A
// change of the schema is a new version: the file is made anew from the journal.
const (
	applicationID = 0x74735748 // "tsWH"
	schemaVersion = 2
)

// schema: payment has one row for each life of a key, numbered by the journal's
// number of its first record; event has the records of its life as the journal
// stored them. progress.whole is the number of the record from which on none is
// missing: what was purged before it was read is not here. Times are nanoseconds since 1970 (UTC).
const schema = `
CREATE TABLE progress (seq INTEGER NOT NULL, hash BLOB NOT NULL, whole INTEGER NOT NULL);
INSERT INTO progress VALUES (0, x'', 1);
CREATE TABLE payment (
	id       INTEGER PRIMARY KEY,
	key      BLOB    NOT NULL,
	terminal TEXT    NOT NULL,
	merchant TEXT    NOT NULL,
	batch    INTEGER NOT NULL,
	trace    INTEGER NOT NULL,
	class    INTEGER NOT NULL,
	token    BLOB    NOT NULL,
	masked   TEXT    NOT NULL,
	amount   INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	link     TEXT    NOT NULL,
	stan     INTEGER NOT NULL,
	rrn      TEXT    NOT NULL,
	at       INTEGER NOT NULL,
	state    TEXT    NOT NULL,
	code     TEXT    NOT NULL,
	reason   TEXT    NOT NULL
) STRICT;
CREATE INDEX payment_key      ON payment (key, id);
CREATE INDEX payment_token    ON payment (token, id);
CREATE INDEX payment_terminal ON payment (terminal, batch, trace, id);
CREATE INDEX payment_merchant ON payment (merchant, id);
CREATE INDEX payment_rrn      ON payment (rrn, id);
CREATE INDEX payment_stan     ON payment (stan, id);
CREATE INDEX payment_at       ON payment (at, id);
CREATE TABLE event (
	seq     INTEGER PRIMARY KEY,
	payment INTEGER NOT NULL,
	kind    INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE INDEX event_payment ON event (payment, seq);
`

// source names the file to SQLite. A write waits for others at most five seconds.
func source(name, mode string) string {
	escaped := (&url.URL{Path: name}).EscapedPath()
	return "file:" + escaped + "?mode=" + mode + "&_txlock=immediate&_pragma=busy_timeout(5000)"
}

// open opens a file that exists and has our form.
func open(disk env.Disk, name string, pragmas string) (*sql.DB, error) {
	there, err := exists(disk, name)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("%s: %w", name, ErrNoFile)
	}
	db, err := sql.Open("sqlite", source(name, "rw")+pragmas)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	var app, version int64
	err = db.QueryRow("SELECT a.application_id, v.user_version FROM pragma_application_id a, pragma_user_version v").Scan(&app, &version)
	if err == nil && (app != applicationID || version != schemaVersion) {
		err = ErrForeign
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("history %s: %w", name, err), db.Close())
	}
	return db, nil
}

// exists looks into the folder. The file itself must not be opened and closed
// beside SQLite: that would drop the locks that this process has on it.
func exists(disk env.Disk, name string) (bool, error) {
	names, err := disk.List(path.Dir(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("history: %w", err)
	}
	return slices.Contains(names, path.Base(name)), nil
}

// create makes a file with an empty history. It is made under another name, so
// that a file with the right name always has its whole form.
func create(disk env.Disk, name string) error {
	return build(disk, name, func(*sql.DB) error { return nil })
}

// build makes a file by fill and puts it in its place.
func build(disk env.Disk, name string, fill func(*sql.DB) error) error {
	fresh := name + ".new"
	if err := disk.MkdirAll(path.Dir(name)); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := remove(disk, fresh); err != nil {
		return err
	}
	f, err := disk.Create(fresh) // by us, so that nobody else may read it
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	err = errors.Join(fillFile(fresh, fill), f.Sync(), f.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("history: %w", err), remove(disk, fresh))
	}
	// The old file goes first, with what SQLite keeps beside it: a new file must
	// never meet the log of the old one. A crash in between leaves none, which
	// the journal makes good.
	if err := remove(disk, name); err != nil {
		return err
	}
	if err := errors.Join(disk.Rename(fresh, name), disk.SyncDir(path.Dir(name))); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// fillFile writes the schema and what fill adds. Nothing need be durable before
// the end: an unfinished file is thrown away.
func fillFile(name string, fill func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", source(name, "rw")+"&_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion) + schema)
	if err == nil {
		err = fill(db)
	}
	return errors.Join(err, db.Close())
}

// remove removes a file and what SQLite keeps beside it; none is no error.
func remove(disk env.Disk, name string) error {
	for _, ending := range []string{"", "-journal", "-wal", "-shm"} {
		if err := disk.Remove(name + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}

// lock keeps a second writer out: a running switch, a rebuild.
func lock(disk env.Disk, name string) (io.Closer, error) {
	locker, ok := disk.(env.Locker)
	if !ok {
		return nil, errors.New("history: this disk has no locks")
	}
	if err := disk.MkdirAll(path.Dir(name)); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	l, err := locker.Lock(name + ".lock")
	if err != nil {
		return nil, fmt.Errorf("history: %w; stop the switch that writes it, or wait for the rebuild to end", err)
	}
	return l, nil
}
