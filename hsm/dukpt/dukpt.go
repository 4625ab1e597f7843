// SPDX-License-Identifier: Apache-2.0

// Package dukpt derives unique keys per transaction: TDES by ANSI X9.24-1, AES
// by ANSI X9.24-3.
//
// Promise: no key is ever parity-adjusted; request and response have different
// keys; a host that goes down the chain from the initial key and a device that
// fills its registers come to the same key for every counter; a counter the
// standard forbids is skipped by the device.
//
// How: AES is a list of steps, each the data whose cipher under the key before
// is the next key, so a driver runs it in its module (aes.go). TDES needs the
// xor of keys, so it works on key bytes in memory of the caller, with a DES of
// the caller (tdes.go). Device is the terminal's side of both: registers and
// counter (device.go).
//
// Imported by: hsm/clear, hsm/soft, hsm/pkcs11, hsm/hsmtest. Imports: hsm.
//
// Non-obvious: a working key's length is part of what it is derived from: an
// AES-256 key does not begin with the AES-128 key of the same transaction.
package dukpt

import "tapswitch/hsm"

// Use is what a working key of a transaction is for.
type Use uint8

// The uses of working keys.
const (
	PIN          Use = iota + 1 // encipher a PIN block, terminal to host
	MACRequest                  // MAC, terminal to host
	MACResponse                 // MAC, host to terminal
	MACBoth                     // MAC, both ways: AES only
	DataRequest                 // data, terminal to host
	DataResponse                // data, host to terminal
	DataBoth                    // data, both ways: AES only
)

// MAC is the use of a MAC key of a direction, 0 for an unknown one.
func MAC(dir hsm.Direction) Use { return byDirection(dir, [...]Use{MACRequest, MACResponse, MACBoth}) }

// Data is the use of a data key of a direction, 0 for an unknown one.
func Data(dir hsm.Direction) Use {
	return byDirection(dir, [...]Use{DataRequest, DataResponse, DataBoth})
}

func byDirection(dir hsm.Direction, uses [3]Use) Use {
	if dir < hsm.Request || dir > hsm.BothWays {
		return 0
	}
	return uses[dir-hsm.Request]
}
