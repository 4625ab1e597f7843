// SPDX-License-Identifier: Apache-2.0

package record

import (
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// MakeRerouted makes the record that k, of which surely nothing left, goes to
// another link from now on, by the numbers that it has: no request carried them.
// It asks for no room of its own, yet is refused when there is none beyond what
// was promised.
func MakeRerouted(k txn.Key, link string) journal.Record {
	e := newEncoder(nil)
	e.byte(tagEvent, byte(txn.Rerouted))
	e.bytes(tagLink, []byte(link))
	return journal.Record{Kind: KindRerouted, Key: AppendKey(nil, k), Body: e.buf, Reserve: admission}
}

// ParseRerouted reads the body of KindRerouted.
func ParseRerouted(body []byte) (link string, err error) {
	rerouted := false
	err = fields(body, func(tag byte, v []byte) bool {
		switch tag {
		case tagEvent:
			rerouted = isEvent(v, txn.Rerouted)
			return rerouted
		case tagLink:
			link = string(v)
			return true
		}
		return false
	})
	if err == nil && (!rerouted || link == "") {
		err = ErrForm
	}
	return link, err
}
