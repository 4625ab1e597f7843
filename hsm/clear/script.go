// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/pinblock"
)

// More places in a Room: what a PIN change holds besides a PIN and a key, and the
// other PIN, which no reading of a block may touch. The tree's three keys lie
// from keyAt on.
const (
	scriptAt  = 48
	currentAt = 128
	treeLen   = 48
)

// The places do not overlap and fit what is wiped.
const (
	_ = uint(scriptAt - (fieldAt + 16))
	_ = uint(keyAt - (scriptAt + 16))
	_ = uint(currentAt - (companionAt + 32))
	_ = uint(scratchAt - (currentAt + pinblock.MaxPIN))
	_ = uint(used - (keyAt + treeLen))
)

// KeepCurrent puts the PIN that ReadPIN has read aside for ScriptBlock: it is the
// card's current one, and the new one is read next.
func (r *Room) KeepCurrent() {
	kept := r.mem[currentAt : currentAt+pinblock.MaxPIN]
	clear(kept) // digits end at the first zero byte
	copy(kept, r.digits())
}

// current is the PIN that KeepCurrent kept, nothing when it kept none.
func (r *Room) current() []byte {
	n := 0
	for n < pinblock.MaxPIN && r.mem[currentAt+n] != 0 {
		n++
	}
	return r.mem[currentAt : currentAt+n : currentAt+n]
}

// ScriptBlock puts the script's PIN block into Block: of the PIN that ReadPIN has
// read and the one kept before it, and for Visa's form of the left half of the
// card's AC key in Key(8), any parity.
func (r *Room) ScriptBlock(form hsm.ScriptBlock) error {
	switch form {
	case hsm.ScriptVIS:
		r.OddParity(8)
		return emvkey.VIS(r.Block(), r.Key(8), r.digits(), r.current())
	case hsm.ScriptISO2:
		return emvkey.ISO2(r.Block(), r.digits())
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
