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
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	"tapswitch/internal/env"
)

// applicationID is the mark in the head of the file (PRAGMA application_id); the
// version beside it is user_version.
const applicationID = 0x74735748 // "tsWH"

// file is a history in a file of SQLite.
type file struct {
	disk env.Disk
	path string
}

// InFile is the history in a file of SQLite on the real disk. Of disk its lock
// and the renaming are used: SQLite opens its files itself.
func InFile(disk env.Disk, path string) Place { return file{disk, path} }

func (f file) String() string { return f.path }

func (f file) bound() time.Duration { return 0 } // a disk answers, or nothing does

func (f file) reading() (*sql.DB, error) { return open(f.disk, f.path, "&_pragma=query_only(1)") }

func (f file) writing() (*sql.DB, error) {
	return open(f.disk, f.path, "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
}

// create makes a file with an empty history. It is made under another name, so
// that a file with the right name always has its whole form.
func (f file) create() error { return f.build(func(*sql.DB) error { return nil }) }

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
		return nil, fmt.Errorf("%s: %w", name, ErrNone)
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

// build makes a file by fill and puts it in its place.
func (f file) build(fill func(*sql.DB) error) error {
	disk, name := f.disk, f.path
	fresh := name + ".new"
	if err := disk.MkdirAll(path.Dir(name)); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := remove(disk, fresh); err != nil {
		return err
	}
	made, err := disk.Create(fresh) // by us, so that nobody else may read it
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	err = errors.Join(fillFile(fresh, fill), made.Sync(), made.Close())
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
	_, err = db.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion) + schemaOf("INTEGER", "BLOB", "x''", " STRICT"))
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
func (f file) lock() (io.Closer, error) {
	locker, ok := f.disk.(env.Locker)
	if !ok {
		return nil, errors.New("history: this disk has no locks")
	}
	if err := f.disk.MkdirAll(path.Dir(f.path)); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	l, err := locker.Lock(f.path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("history: %w; stop the switch that writes it, or wait for the rebuild to end", err)
	}
	return l, nil
}
