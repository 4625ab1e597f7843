// SPDX-License-Identifier: Apache-2.0

// Package part holds what dialects share: the encoders that moov-io/iso8583
// lacks, a style of writing fields, and the field tables of the ISO standard.
//
// Promise: a field made here packs the same by moov's codec and by ours.
//
// How: a Style says how numbers, text, tracks and lengths are written; its
// methods make one field each; ISO87 and ISO93 are the standard's tables in any
// style. A dialect takes a table and changes what its peers do otherwise.
//
// Imported by: the dialects, their loader. Imports: iso8583 and moov-io/iso8583.
package part
