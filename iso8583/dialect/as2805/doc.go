// SPDX-License-Identifier: Apache-2.0

// Package as2805 is a dialect in the style of AS 2805.2, from public facts only:
// for tests and simulation.
//
// Promise: the published messages of the style parse to their printed values and
// build to the same bytes.
//
// How: the 1987 table of part in BCD, an odd count of digits filled by an F; what
// Australian hosts write otherwise is replaced. docs/dialects/as2805.md says what
// is known.
//
// Imported by: iso8583/dialect. Imports: iso8583, its frame, internal/assert, its
// sibling part and moov-io/iso8583.
package as2805
