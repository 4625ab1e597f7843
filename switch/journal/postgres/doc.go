// SPDX-License-Identifier: Apache-2.0

// Package postgres keeps the journal in PostgreSQL, or in what speaks its
// protocol: for switches whose records must outlive their machine's disk.
//
// Promise: that of package journal. A server that would lose what it has
// acknowledged (fsync or synchronous_commit off) is refused, at the start and
// with each batch. There is one writer: a second is kept out, and one that was
// replaced writes nothing more. When the connection breaks in the middle of a
// batch the journal finds out whether it was committed; only when the server does
// not come back in time the answer is unknown, and the journal stops.
//
// How: batch.Queue lets one caller at a time commit for all who wait: one row a
// batch, one statement, one round trip (commit.go). A hash chain runs over the
// rows, and a row of state has its end, so that a changed, lost or added row is
// named at Open (read.go). The statement asks for the writer's own token and epoch;
// whoever takes the journal over changes them first. So a statement whose
// connection broke is either done by then or never will be, and the end says which
// (resolve.go). Non-obvious: the advisory lock only keeps a second process from
// starting by mistake; what makes it safe is the epoch.
//
// Purge: kept rows with a chain of their own stand for the oldest rows (compact.go,
// kept.go). All its statements go over the writer's connection, between batches, and
// ask for the epoch. The kept rows are complete before one statement makes the state
// name them; from there on the rows below are not read, and are removed in parts.
//
// Reserve: the room of the server's disks is not known here. What payments in
// flight have reserved is counted, and MaxBytes, when it is set, bounds records
// and reserves together: a new payment beyond it is refused with journal.ErrFull.
// A server that reports its disk full refuses whoever asks, journal.ErrFull too;
// keep it from that.
//
// Imported by: node, cmd. Imports: journal, internal, github.com/jackc/pgx/v5,
// github.com/pressly/goose/v3.
package postgres
