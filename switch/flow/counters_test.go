// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
)

// chip gives a message the chip's word with a transaction counter, atc=NUMBER.
func (w *world) chip(in *txn.Request, atc string) {
	if atc == "" {
		return
	}
	n, err := strconv.Atoi(atc)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := hex.DecodeString(fmt.Sprintf("9F2701809F0206%012d5F2A0201569F3602%04X", in.Amount.Minor, n))
	if err == nil {
		in.Card.ICC, err = secret.NewICC(data)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
