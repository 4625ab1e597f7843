// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"

	"tapswitch/internal/money"
	"tapswitch/switch/txn"
)

// keyNameMax is the longest name of a key.
const keyNameMax = 128

// minor writes an amount of a payment's own currency, unless it is zero.
func (e *encoder) minor(tag byte, m money.MinorUnits) {
	if m != 0 {
		e.bytes(tag, binary.BigEndian.AppendUint64(nil, uint64(m)))
	}
}

func setMinor(m *money.MinorUnits, v []byte) bool {
	if len(v) != 8 {
		return false
	}
	*m = money.MinorUnits(binary.BigEndian.Uint64(v))
	return *m > 0 && *m <= money.Max
}

// sealedBy: version 4, name.
func (e *encoder) sealedBy(k txn.KeyRef) {
	if k.Name != "" {
		e.bytes(tagSealedBy, append(binary.BigEndian.AppendUint32(nil, k.Version), k.Name...))
	}
}

func setSealedBy(k *txn.KeyRef, v []byte) bool {
	if len(v) < 5 || len(v) > 4+keyNameMax {
		return false
	}
	*k = txn.KeyRef{Name: string(v[4:]), Version: binary.BigEndian.Uint32(v)}
	return true
}

// isEvent says whether a field holds the one event that its record is of.
func isEvent(v []byte, want txn.Event) bool {
	var e txn.Event
	return setEvent(&e, v) && e == want
}
