// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// SM4Block is where an SM4 PIN block is deciphered to or enciphered from.
func (r *Room) SM4Block() *[16]byte { return (*[16]byte)(r.mem[blockAt:]) }

// The block of 16 ends where the digits begin.
const _ = uint(pinAt - blockAt - 16)

// CheckSM4Block checks that SM4Block has this shape and account. For a TDES
// target it leaves the format 0 block of the same PIN in Block.
func (r *Room) CheckSM4Block(shape hsm.SM4Shape, account hsm.Account12, tdes bool) error {
	decode := pinblock.DecodeSM4Filled
	switch shape {
	case hsm.SM4Filled:
	case hsm.SM4Wide:
		decode = pinblock.DecodeSM4Wide
	default:
		return fmt.Errorf("%w: SM4 PIN block shape %d is not built", hsm.ErrInput, shape)
	}
	n, err := decode(r.pin(), r.SM4Block(), account)
	defer clear(r.pin()[:])
	if err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrPINBlock, err)
	}
	if !tdes {
		return nil
	}
	return pinblock.Encode0(r.Block(), r.pin()[:n], account)
}

// EncodeSM4PIN puts the block of a typed PIN into SM4Block.
func (r *Room) EncodeSM4PIN(pin secret.Key, shape hsm.SM4Shape, account hsm.Account12) error {
	encode := pinblock.EncodeSM4Filled
	switch shape {
	case hsm.SM4Filled:
	case hsm.SM4Wide:
		encode = pinblock.EncodeSM4Wide
	default:
		return fmt.Errorf("%w: SM4 PIN block shape %d is not built", hsm.ErrInput, shape)
	}
	if pin.Len() > pinblock.MaxPIN {
		return fmt.Errorf("%w: %w", hsm.ErrInput, pinblock.ErrPINLength)
	}
	digits := pin.AppendTo(r.mem[pinAt:pinAt], secret.ForHSM)
	err := encode(r.SM4Block(), digits, account)
	clear(r.pin()[:])
	if err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrInput, err)
	}
	return nil
}
