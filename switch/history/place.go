// SPDX-License-Identifier: Apache-2.0

package history

import (
	"database/sql"
	"errors"
	"io"
	"strings"
	"time"
)

// Errors of this package.
var (
	// ErrOther: it was written from another journal, or the journal was
	// replaced by an older copy.
	ErrOther = errors.New("history: it does not belong to this journal: make it anew (tapswitch history rebuild)")
	// ErrForeign: it is none of ours, or of another version of the schema.
	ErrForeign = errors.New("history: it has another form than this version writes: make it anew (tapswitch history rebuild)")
	// ErrNone: there is no history yet.
	ErrNone = errors.New("history: there is none: a running switch writes it, or tapswitch history rebuild")
)

// Place is where a history is: InFile, or InDatabase. Its String names it in
// messages, without a password.
type Place interface {
	String() string
	// lock keeps a second writer out: a running switch, a rebuild.
	lock() (io.Closer, error)
	// reading and writing open what is there; ErrNone, or ErrForeign when it has
	// another form.
	reading() (*sql.DB, error)
	writing() (*sql.DB, error)
	// create makes an empty history, and build one by fill, which takes the place of
	// what is there. Both are whole or have not happened.
	create() error
	build(fill func(*sql.DB) error) error
	// bound is how long one batch may take; 0 is no bound.
	bound() time.Duration
}

// plain makes of every text one that any database takes and finds again: what is no
// character, and the character zero, which a message may have in any field, is
// written as U+FFFD. The payment's key beside it has the bytes.
func plain(values []any) []any {
	for i, v := range values {
		if text, ok := v.(string); ok {
			values[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return values
}

// schemaVersion is the version of the form. A change of it is a new version: the
// history is made anew from the journal.
const schemaVersion = 2

// schemaOf is the form of a history in the words of a database: payment has one row
// for each life of a key, numbered by the journal's number of its first record;
// event has the records of its life as the journal stored them. progress.whole is the
// number of the record from which on none is missing: what was purged before it was
// read is not here. Times are nanoseconds since 1970 (UTC).
func schemaOf(integer, blob, nothing, strict string) string {
	return strings.NewReplacer("INTEGER", integer, "BLOB", blob, "NOTHING", nothing, " STRICT", strict).Replace(schema)
}

const schema = `
CREATE TABLE progress (seq INTEGER NOT NULL, hash BLOB NOT NULL, whole INTEGER NOT NULL);
INSERT INTO progress VALUES (0, NOTHING, 1);
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
