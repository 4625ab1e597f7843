// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
)

// workAt is where in the page the memory for clear key blocks begins; it goes to the
// end of the page.
const workAt = 1024

const _ = uint(workAt - used) // does not compile when the places in front grow into it

// partLen is one part of a DES key in bytes.
const partLen = 8

// Spacious is Unlocked with the memory that key blocks need, for hsm/soft alone.
func Spacious() *Room { return &Room{mem: make([]byte, pageSize)} }

// work is the memory for key blocks; the next Wipe clears it.
func (r *Room) work() []byte {
	r.worked = true
	return r.mem[workAt:pageSize]
}

func (r *Room) wipeWork() {
	if r.worked && len(r.mem) >= pageSize {
		clear(r.mem[workAt:pageSize])
	}
	r.worked = false
}

// OpenBlock checks and deciphers a key block and puts its key, of the returned
// length, into Key.
func (r *Room) OpenBlock(b *keyblock.Block, keys keyblock.Keys) (size int, err error) {
	defer r.wipeWork()
	value, err := b.Unwrap(keys, r.work())
	if err != nil {
		return 0, err
	}
	if len(value) > companionAt-keyAt {
		return 0, fmt.Errorf("%w: a key of %d bytes is none of this HSM", keyblock.ErrTooLarge, len(value))
	}
	return copy(r.Key(len(value)), value), nil
}

// CloseBlock builds the key block of the size bytes in Key.
func (r *Room) CloseBlock(keys keyblock.Keys, h keyblock.Header, size int, padding []byte) (string, error) {
	defer r.wipeWork()
	return keyblock.Wrap(keys, h, r.Key(size), padding, r.work())
}

// Arrive holds the size bytes in Key to what a key that travels must be, and makes
// K‖K of a single-length one. The key stands in Key also after an error: a check
// value may still say that it is another key altogether.
func (r *Room) Arrive(w *hsm.WorkingKey, size int) error {
	if err := keyblock.FitsLength(w, size); err != nil {
		return err
	}
	if size == partLen && w.Algorithm.Size() != partLen {
		copy(r.Key(2 * partLen)[partLen:], r.Key(partLen))
	}
	return keyblock.Screen(w, r.Key(w.Algorithm.Size()))
}

// Fresh makes a DES key of the random bytes in Key: odd parity, and K‖K for one of
// single length. It reports whether they may be a key; if not, take others.
func (r *Room) Fresh(w *hsm.WorkingKey) bool {
	size := w.Algorithm.Size()
	if w.Single {
		copy(r.Key(size)[partLen:], r.Key(partLen))
	}
	if w.Algorithm.IsTDES() {
		r.OddParity(size)
	}
	return keyblock.Screen(w, r.Key(size)) == nil
}

// Travel is the part of Key that travels: 8 bytes of a single-length key.
func (r *Room) Travel(w *hsm.WorkingKey) []byte {
	if w.Single {
		return r.Key(partLen)
	}
	return r.Key(w.Algorithm.Size())
}

// Variant writes the variant of the size bytes in Key for one purpose (key blocks of
// versions A and C) beside it and returns it.
func (r *Room) Variant(p keyblock.Purpose, size int) []byte {
	out := r.Companion(size)
	copy(out, r.Key(size))
	keyblock.Variant(out, p)
	return out
}

// Companion is n bytes beside Key, for what belongs to it.
func (r *Room) Companion(n int) []byte { return r.mem[companionAt : companionAt+n : companionAt+n] }

// DerivationData lays out what a key block key is derived from, in the memory for key
// blocks: whoever knows it knows the subkey of the protection key's CMAC.
func (r *Room) DerivationData(version byte, p keyblock.Purpose, size int, zero []byte) []byte {
	return keyblock.DerivationData(r.work()[:0], version, p, size, zero)
}
