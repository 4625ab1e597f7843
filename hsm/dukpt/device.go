// SPDX-License-Identifier: Apache-2.0

package dukpt

import (
	"errors"
	"math/bits"

	"tapswitch/hsm"
)

// ErrExhausted says that a device has used every counter it may: it needs a new
// initial key.
var ErrExhausted = errors.New("dukpt: the device has used all its transaction keys; load a new initial key")

// Device is a terminal's side of DUKPT: it holds no initial key, only the keys
// of transactions to come, one register for each bit of the counter, and
// erases each key once it is used. K is a key by value or a handle.
type Device[K any] struct {
	id        hsm.KSN
	counter   uint32 // of the next transaction; 0 = exhausted
	ones      int
	registers []K
	derive    func(base K, counter uint32) K
}

// NewDevice loads an initial key. first is the number of the device's first
// transaction, whose counter does not matter; derive makes the derivation key
// for counter from the one for counter without its lowest one-bit. The caller
// erases the initial key.
func NewDevice[K any](first hsm.KSN, initial K, derive func(base K, counter uint32) K) *Device[K] {
	d := &Device[K]{id: first, counter: 1, ones: hsm.TDESCounterOnes, registers: make([]K, hsm.TDESCounterBits), derive: derive}
	if first.IsAES() {
		d.ones, d.registers = hsm.AESCounterOnes, make([]K, hsm.AESCounterBits)
	}
	d.fill(initial, 0, len(d.registers))
	return d
}

// fill derives the lowest n registers from base, the key for counter.
func (d *Device[K]) fill(base K, counter uint32, n int) {
	for i := range n {
		d.registers[i] = d.derive(base, counter|1<<i)
	}
}

// Next returns the number and the derivation key of the next transaction. The
// key is in no register any more and cannot be had again. ErrExhausted: there
// is none.
func (d *Device[K]) Next() (hsm.KSN, K, error) {
	var none K
	if d.counter == 0 {
		return hsm.KSN{}, none, ErrExhausted
	}
	ksn, err := d.id.At(d.counter)
	if err != nil {
		return hsm.KSN{}, none, err
	}
	return ksn, d.take(), nil
}

// take gives the key of the present counter away and moves on by one.
func (d *Device[K]) take() K {
	var none K
	lowest := bits.TrailingZeros32(d.counter)
	key := d.registers[lowest]
	d.registers[lowest] = none
	if bits.OnesCount32(d.counter) < d.ones {
		d.fill(key, d.counter, lowest)
	}
	d.counter = following(d.counter, d.ones, len(d.registers))
	return key
}

// SkipTo erases the keys of all transactions before counter, in at most one
// step for each bit. A terminal that keeps its counter by reserved blocks calls
// it after a restart: no number of the block is used a second time.
func (d *Device[K]) SkipTo(counter uint32) {
	for d.counter != 0 && d.counter < counter {
		low := d.counter & -d.counter
		if uint64(d.counter)+uint64(low) > uint64(counter) {
			_ = d.take() // its register leads to the counter
			continue
		}
		var none K
		d.registers[bits.TrailingZeros32(low)] = none
		if d.counter += low; uint64(d.counter) >= 1<<len(d.registers) {
			d.counter = 0
		}
	}
}

// following is the counter after c, 0 when there is none: the next number,
// unless c has all the one-bits it may have; then the lowest moves up by a carry.
func following(c uint32, ones, width int) uint32 {
	next := uint64(c) + 1
	if bits.OnesCount32(c) >= ones {
		next = uint64(c) + uint64(c&-c)
	}
	if next >= 1<<width {
		return 0
	}
	return uint32(next)
}

// NextKSN is the number that a device gives its next transaction after k.
// ErrExhausted: k was its last.
func NextKSN(k hsm.KSN) (hsm.KSN, error) {
	ones, width := hsm.TDESCounterOnes, hsm.TDESCounterBits
	if k.IsAES() {
		ones, width = hsm.AESCounterOnes, hsm.AESCounterBits
	}
	next := following(k.Counter(), ones, width)
	if next == 0 {
		return hsm.KSN{}, ErrExhausted
	}
	return k.At(next)
}
