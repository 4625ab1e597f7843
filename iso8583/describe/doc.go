// SPDX-License-Identifier: Apache-2.0

// Package describe shows a message to people and to tools: a table or JSON.
//
// Promise: nothing is shown that the dialect's marks forbid. Of a card number
// the first six and last four digits are shown; of tracks, PIN blocks, keys and
// sensitive fields only the length; of chip data the known tags that hold no
// card data. A field without a mark is looked through for a card number all the
// same. A message that could not be read shows the fields before the
// failure, and where it lies.
//
// How: Of makes a Message out of a View and what Parse said about it; no code
// after that sees an unmasked value. Bytes that were not read are never shown.
//
// Imported by: cmd, switch/admin. Imports: iso8583, iso8583/emv.
package describe
