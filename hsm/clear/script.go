// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/pinblock"
)

// More places in a Room, between the PIN and the key: what a PIN change holds
// besides them. The tree's three keys lie from keyAt on.
const (
	currentAt = 32
	scriptAt  = 48
	treeLen   = 48
)

// The places do not overlap and fit what is wiped.
const (
	_ = uint(currentAt - (pinAt + pinblock.MaxPIN))
	_ = uint(scriptAt - (currentAt + pinblock.MaxPIN))
	_ = uint(keyAt - (scriptAt + 16))
	_ = uint(used - (keyAt + treeLen))
)

// TakePIN checks that Block is of format 0 and of this account, and keeps its
// PIN for ScriptBlock: as the current one, or as the new one.
func (r *Room) TakePIN(account hsm.Account12, current bool) error {
	at := pinAt
	if current {
		at = currentAt
	}
	pin := (*[pinblock.MaxPIN]byte)(r.mem[at:])
	clear(pin[:]) // digits end at the first zero byte
	if _, err := pinblock.Decode0(pin, r.Block(), account); err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrPINBlock, err)
	}
	return nil
}

// taken is the PIN that TakePIN kept, nothing when it kept none.
func (r *Room) taken(at int) []byte {
	n := 0
	for n < pinblock.MaxPIN && r.mem[at+n] != 0 {
		n++
	}
	return r.mem[at : at+n : at+n]
}

// ScriptBlock puts the script's PIN block into Block: of the PINs taken, and for
// Visa's form of the left half of the card's AC key in Key(8), any parity.
func (r *Room) ScriptBlock(form hsm.ScriptBlock) error {
	switch form {
	case hsm.ScriptVIS:
		r.OddParity(8)
		return emvkey.VIS(r.Block(), r.Key(8), r.taken(pinAt), r.taken(currentAt))
	case hsm.ScriptISO2:
		return emvkey.ISO2(r.Block(), r.taken(pinAt))
	}
	return fmt.Errorf("%w: script PIN block %d is not built", hsm.ErrInput, form)
}

// ScriptText lays Block out to be enciphered; the view is good until the next
// use of the Room.
func (r *Room) ScriptText(padding hsm.ScriptPadding) ([]byte, error) {
	text, _, err := emvkey.ScriptPadded(r.mem[scriptAt:scriptAt:scriptAt+16], r.Block()[:], padding)
	return text, err
}

// VisaScriptKey makes the session key of a Visa script out of the card key in
// Key(16), in place.
func (r *Room) VisaScriptKey(atc [2]byte) { emvkey.VisaScriptKey(r.Key(16), atc) }

// Tree makes the session key of EMV 2000 out of the card key in Key(16), in
// place. encipher runs data under key, in place; both are in the Room.
func (r *Room) Tree(t hsm.Tree, atc [2]byte, encipher func(key, data []byte) error) error {
	keys := (*[treeLen]byte)(r.mem[keyAt:])
	err := emvkey.Tree(keys, t, atc, encipher)
	clear(keys[16:])
	return err
}
