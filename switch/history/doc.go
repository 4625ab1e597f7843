// SPDX-License-Identifier: Apache-2.0

// Package history is the searchable past of payments, on SQLite.
//
// Promise: it is a projection of the journal and never a second truth. It may be
// behind, and is never wrong: what it says is what the journal said up to the
// record whose number it keeps. It is not on the path of an answer, and whatever
// happens to its file, payments go on. Made anew from the journal it answers every
// question in the same words. Card numbers are in it as the journal has them:
// masked, as a keyed token, and sealed.
//
// How: a Writer follows the journal from the last record it has written and puts
// batches into the file, each in one transaction together with the number and a
// hash of its last record. So a crash leaves it behind, and another journal, or a
// history ahead of its journal, is noticed before a word is written. Nothing is
// queued in memory: the journal itself is the queue. Each payment has a row with
// what is searched for and the records of its life as the journal stored them;
// record.Fold makes the payment of them, as recovery does. Rebuild writes a new
// file and renames it. SQLite opens its files itself: this package runs on the
// real disk only, and takes from env.Disk its lock and the renaming.
//
// Imported by: node, cmd. Imports: switch/{record,txn,journal}, internal,
// modernc.org/sqlite.
package history
