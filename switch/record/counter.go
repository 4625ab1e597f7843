// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"

	"tapswitch/switch/journal"
)

// Counter is the body of KindCounter: which counters of a card or device were
// used. Its key is switch/window's. Records of one key are merged, in any order.
type Counter struct {
	High uint32 // the highest
	Bits uint64 // bit n: High-n was used
}

// MakeCounter makes the record of the counters of key.
func MakeCounter(key []byte, c Counter) journal.Record {
	e := newEncoder(nil)
	e.bytes(tagCount, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, c.High), c.Bits))
	return journal.Record{Kind: KindCounter, Key: key, Body: e.buf}
}

// ParseCounter reads the body of KindCounter.
func ParseCounter(body []byte) (c Counter, err error) {
	found := false
	err = fields(body, func(tag byte, v []byte) bool {
		if tag != tagCount || len(v) != 12 || found {
			return false
		}
		found = true
		c.High, c.Bits = binary.BigEndian.Uint32(v), binary.BigEndian.Uint64(v[4:])
		return true
	})
	if err == nil && !found {
		err = ErrForm
	}
	return c, err
}
