// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
	"tapswitch/hsm/emvkey"
)

// Masked writes the masked base derivation key (BDK) of the double-length key
// in Key beside it and returns it: the companion under which the module makes
// the right half of a TDES DUKPT initial key.
func (r *Room) Masked() []byte {
	out := r.mem[companionAt : companionAt+16 : companionAt+16]
	copy(out, r.Key(16))
	dukpt.Mask(out)
	return out
}

// Carry enciphers the TDES initial key in Key for the carrier in Companion(16),
// random bytes that become a double-length key: ECB under the carrier gives the
// initial key. What it returns is as public as the carrier's own wrapped form.
func (r *Room) Carry() (carried [16]byte) {
	carrier, out := r.Companion(16), r.mem[scratchAt:scratchAt+16]
	emvkey.OddParity(carrier)
	copy(out, r.Key(16))
	for _, half := range [][]byte{out[:8], out[8:]} {
		r.decipher(carrier[:8], half)
		r.encipher(carrier[8:], half)
		r.decipher(carrier[:8], half)
	}
	copy(carried[:], out)
	clear(r.mem[scratchAt:used])
	return carried
}

// DUKPTInitial replaces the TDES BDK in Key by the initial key of ksn's device.
func (r *Room) DUKPTInitial(ksn hsm.KSN) {
	id, masked, key := ksn.ID(), r.Masked(), r.Key(16)
	left, right := r.mem[scratchAt:scratchAt+8], r.mem[scratchAt+8:scratchAt+16]
	copy(left, id[:])
	copy(right, id[:])
	r.ede(key, left)
	r.ede(masked, right)
	copy(key, left)
	copy(key[8:], right)
	clear(masked)
	clear(r.mem[scratchAt:used])
}

// DUKPTWorking replaces the TDES initial key in Key by the working key of a
// transaction. use must be one that TDES DUKPT has. No parity is set.
func (r *Room) DUKPTWorking(ksn hsm.KSN, use dukpt.Use) {
	m := dukpt.Memory{Key: r.Key(16), Scratch: r.mem[scratchAt : scratchAt+dukpt.ScratchLen]}
	dukpt.WorkingKey(r.encipher, r.decipher, m, ksn, use)
	clear(r.mem[scratchAt:used])
}

func (r *Room) schedule() []byte { return r.mem[scheduleAt : scheduleAt+scheduleLen] }

// encipher is single DES of one block in place; key and block are in the Room.
func (r *Room) encipher(key, block []byte) {
	desSchedule(r.schedule(), key)
	desBlock(r.schedule(), block, false)
}

func (r *Room) decipher(key, block []byte) {
	desSchedule(r.schedule(), key)
	desBlock(r.schedule(), block, true)
}

// ede enciphers one block in place under a double-length key.
func (r *Room) ede(key, block []byte) {
	r.encipher(key[:8], block)
	r.decipher(key[8:16], block)
	r.encipher(key[:8], block)
}
