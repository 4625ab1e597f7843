// SPDX-License-Identifier: Apache-2.0

package chip

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// tagATC is the application transaction counter (EMV Book 3, annex A): two
// bytes, one more with each payment of the card.
const tagATC bertlv.Tag = 0x9F36

// Counters takes the transaction counters of on-us cards, by the window of their
// issuer.
type Counters struct {
	Book *window.Book
}

// Take takes the transaction counter of a payment whose cryptogram was verified.
// The records must be made durable together with the payment's own; failed says
// that they were not.
func (c Counters) Take(in *txn.Request, p *txn.Payment, is Issuer) (records []journal.Record, failed func(), err error) {
	if !is.ATC.InUse() {
		return nil, func() {}, nil
	}
	atc, err := counter(in.Card.ICC)
	if err != nil {
		return nil, func() {}, err
	}
	r, failed, err := c.Book.Take(window.Card(p.Token, sequence(in)), atc, is.ATC)
	if err != nil {
		return nil, func() {}, counterRefusal(err)
	}
	return []journal.Record{r}, failed, nil
}

func counter(icc secret.ICC) (uint32, error) {
	data := icc.AppendTo(make([]byte, 0, 1024), secret.ForChip)
	defer clear(data[:cap(data)])
	atc, ok := bertlv.Find(data, tagATC)
	if !ok || len(atc) != 2 {
		return 0, txn.DeclineChipData.Why(fmt.Errorf("tag 9F36 is missing or has not two bytes"))
	}
	return uint32(binary.BigEndian.Uint16(atc)), nil
}

// counterRefusal names what the book said.
func counterRefusal(err error) error {
	switch {
	case errors.Is(err, window.ErrSeen):
		return txn.DeclineATCSeen.Why(err)
	case errors.Is(err, window.ErrOutside):
		return txn.DeclineATCWindow.Why(err)
	}
	return txn.DeclineCounters.Why(err)
}

// sequence is the card's sequence number as its card key is derived with it: 00
// when it has none.
func sequence(in *txn.Request) [2]byte {
	if in.PSN == ([3]byte{}) {
		return [2]byte{'0', '0'}
	}
	return [2]byte(in.PSN[1:])
}
