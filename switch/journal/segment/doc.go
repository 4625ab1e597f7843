// SPDX-License-Identifier: Apache-2.0

// Package segment is the switch's own journal: records in preallocated files,
// one write and one sync for all who wait.
//
// Promise: that of package journal. An Append of several records is kept whole
// or not at all. A torn end, which only a crash before the sync leaves behind,
// is cut at Open; anything else that is not as it was written is refused with
// file and offset. A payment is accepted only with room for its later records
// on blocks the files already have.
//
// How: batch.Queue lets one caller at a time commit for all who wait (commit.go);
// room is counted in room.go; Open reads everything, judges the end (tail.go) and
// goes on behind it. Files are 000000000001.seg and so on, each of the configured
// size from the start:
//
//	segment  ┌────────────┬────────┬────────┬───┬──────┬──────────────────┐
//	         │ header 128 │ record │ record │ … │ seal │ zeros to the end │
//	         └────────────┴────────┴────────┴───┴──────┴──────────────────┘
//
//	header    0  8  "tswjrnl\n"
//	          8  4  version 1
//	         12  4  length of the header
//	         16  8  sequence number of the segment, as in the file name
//	         24  8  number of the first record in it
//	         32  8  length of the file
//	         40 16  identity of the journal, random
//	         56 16  chain value at the end of the segment before, zero in the first
//	         72 36  zero
//	        108  4  CRC32C of bytes 0–107
//	        112 16  chain value: SHA-256 of bytes 0–111, 15 bytes of it, and A5
//
//	record    0  1  5A
//	          1  3  length n of the record, a multiple of 16
//	          4  4  length of the body
//	          8  4  distance from the first byte of its batch
//	         12  4  reserve, signed
//	         16  8  number of the record, from 1 on; a seal has the next one's
//	         24  1  kind
//	         25  1  flags: 1 more records of this Append follow, 2 seal
//	         26  1  length of the key
//	         27  1  zero
//	         28  4  CRC32C of bytes 0–27, begun with identity and sequence number
//	         32  …  key, body, zeros
//	       n-20  4  CRC32C of bytes 0 to n-21, begun likewise
//	       n-16 16  chain value: SHA-256 of the chain value before and bytes 0 to
//	                n-17, 15 bytes of it, and A5
//
//	seal      a record without a key; its body is
//	          0  8  length of the next file
//	          8  4  how many files there are behind this one
//
// Compact (compact.go) puts a checkpoint 000000000007.kept in the place of
// segments 1 to 7: the records that live on, numbered as they were (checkpoint.go):
//
//	header    as of a segment, but it begins with "tswkept\n", its sequence number is
//	          that of the last segment it stands for, and bytes 24–39 and 56–71 are zero
//	records   as in a segment; numbers may be left out; a batch is one Append
//	last      flags 2; its number is that of the next segment's first record; its body is
//	          0 16  chain value at the end of the last segment it stands for
//	         16  8  reserve outstanding by the records kept
//	         24  8  how many records were kept
//
// It is written and synced as 000000000007.new and then renamed, so that it is
// there whole or not at all, and only then the segments are removed. The segment
// behind it is as it was: its chain goes on from the value that the checkpoint
// has kept. What a crash leaves of all this is removed at Open.
//
// Numbers are little-endian. A batch is what lies between two syncs; it is
// written only when all before it is durable. A sector of 512 bytes that never
// reached the disk reads as zeros, and every part of a record that lies in one
// sector has a byte that is not zero (records begin and end at multiples of 16).
// So an end is torn when the first bad record has such a hole, or stops short with
// only zeros behind it (a write failed in between), or begins with a zero (a cut
// failed in between), and nothing behind it belongs to a later batch. All else is
// corrupt: a whole record begins with 5A and ends with A5. A full
// segment is sealed before the next one gets its header, and sealed only when
// the next file exists: a missing or shortened last file is noticed.
//
// Non-obvious: a body that holds 512 zero bytes in one sector looks like a hole;
// damage to such a record in the very last batch is taken for a torn end. The
// loss of whole batches at the end (a disk that lies about sync, a restored old
// copy) cannot be seen from the files alone. Open writes the last batch again
// before it trusts it: after a failed sync the page cache may show what the disk
// does not have.
//
// Imported by: node, world, cmd. Imports: journal, internal.
package segment
