// SPDX-License-Identifier: Apache-2.0

// Package history is the searchable past of payments, on SQLite or PostgreSQL.
//
// Promise: it is a projection of the journal and never a second truth. It may be
// behind, and is never wrong: what it says is what the journal said up to the
// record whose number it keeps. It is not on the path of an answer, and whatever
// happens to its store, payments go on. Made anew from the journal it answers every
// question in the same words. Card numbers are in it as the journal has them:
// masked, as a keyed token, and sealed.
//
// How: a Writer follows the journal from the last record it has written and puts
// batches into the store, each in one transaction together with the number and a
// hash of its last record. So a crash leaves it behind, and another journal, or a
// history ahead of its journal, is noticed before a word is written. Nothing is
// queued in memory: the journal itself is the queue. Each payment has a row with
// what is searched for and the records of its life as the journal stored them;
// record.Fold makes the payment of them, as recovery does. A Place is where it is: a
// file of SQLite (sqlite.go), or a schema of PostgreSQL (postgres.go); both have the
// same tables and answer in the same words. Rebuild writes a new file or schema and
// renames it. SQLite opens its files itself: a file is on the real disk only, and
// takes from env.Disk its lock and the renaming. In PostgreSQL the lock belongs to
// a connection and may be lost with it: a commit asks for the progress that it began
// with, so that of two writers one is refused.
//
// Imported by: node, cmd. Imports: switch/{record,txn,journal}, internal,
// modernc.org/sqlite, github.com/jackc/pgx/v5.
package history
