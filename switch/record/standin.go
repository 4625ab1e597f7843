// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// StandIn is the body of KindStandIn: one payment that the switch approved in an
// issuer's place, in the day of its card; its key is the card token.
type StandIn struct {
	Day     uint32 // days from 1970 on, as the switch counts them
	Amount  money.Amount
	Payment txn.Key
}

// MakeStandIn makes the record that counts a payment in the day of its card.
func MakeStandIn(token [16]byte, s StandIn) journal.Record {
	e := newEncoder(nil)
	e.bytes(tagAmount, appendAmount(nil, s.Amount))
	e.bytes(tagCount, binary.BigEndian.AppendUint32(nil, s.Day))
	e.bytes(tagKey, AppendKey(nil, s.Payment))
	return journal.Record{Kind: KindStandIn, Key: append([]byte(nil), token[:]...), Body: e.buf}
}

// ParseStandIn reads key and body of KindStandIn.
func ParseStandIn(key, body []byte) (token [16]byte, s StandIn, err error) {
	if !fill(token[:], key) {
		return token, s, ErrForm
	}
	found := 0
	err = fields(body, func(tag byte, v []byte) bool {
		found++
		switch {
		case tag == tagAmount && found == 1:
			return setAmount(&s.Amount, v)
		case tag == tagCount && found == 2 && len(v) == 4:
			s.Day = binary.BigEndian.Uint32(v)
			return true
		case tag == tagKey && found == 3:
			k, err := ParseKey(v)
			s.Payment = k
			return err == nil
		}
		return false
	})
	if err == nil && found != 3 {
		err = ErrForm
	}
	return token, s, err
}
