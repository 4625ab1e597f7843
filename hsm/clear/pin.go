// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/hsm/pinoffset"
	"tapswitch/internal/secret"
)

// The way of a PIN through a Room: ReadPIN or TypePIN brings it in, and WritePIN,
// PVV or Offset take out a block or a reference value made of it. The PIN itself
// stays until the Room is wiped. One implementation serves all drivers; what they
// bring is the cipher.

// Cipher is one key of a module at work on one block of a Room, in place: 8
// bytes under TDEA, 16 under AES.
type Cipher func(encipher bool, block []byte) error

func (r *Room) wide() *[16]byte { return (*[16]byte)(r.mem[blockAt:]) }

func (r *Room) panField() *[16]byte { return (*[16]byte)(r.mem[fieldAt:]) }

func (r *Room) digits() []byte { return r.mem[pinAt : pinAt+int(r.mem[pinLenAt])] }

func (r *Room) setPIN(n int) { r.mem[pinLenAt] = byte(n) }

// ReadPIN deciphers a PIN block under c and keeps its PIN. hsm.PermitPIN has let
// it pass. A block that is not well-formed is hsm.ErrPINBlock.
func (r *Room) ReadPIN(c Cipher, in hsm.EncipheredPIN) error {
	block := in.Block.AppendTo(r.mem[blockAt:blockAt], secret.ForHSM)
	if err := c(false, block); err != nil {
		return err
	}
	pan := in.PAN.Reveal(secret.ForHSM)
	if in.Format == hsm.ISO4 {
		if err := r.xorPAN(pan); err != nil {
			return err
		}
		if err := c(false, block); err != nil {
			return err
		}
	}
	n, err := r.decode(in.Format, pan)
	clear(block)
	if err != nil {
		return err
	}
	r.setPIN(n)
	return nil
}

// decode reads the clear block, of format 4 the PIN field.
func (r *Room) decode(f hsm.PINFormat, pan []byte) (n int, err error) {
	var account [12]byte
	if f == hsm.ISO0 || f == hsm.ISO3 {
		if account, err = pinblock.Account(pan); err != nil {
			return 0, fmt.Errorf("%w: %w", hsm.ErrInput, err)
		}
	}
	switch f {
	case hsm.ISO0:
		n, err = pinblock.Decode0(r.pin(), r.Block(), account)
	case hsm.ISO1:
		n, err = pinblock.Decode1(r.pin(), r.Block())
	case hsm.ISO3:
		n, err = pinblock.Decode3(r.pin(), r.Block(), account)
	case hsm.ISO4:
		n, err = pinblock.DecodeField4(r.pin(), r.wide())
	default:
		return 0, fmt.Errorf("%w: %s is not read here", hsm.ErrPINFormat, f)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", hsm.ErrPINBlock, err)
	}
	return n, nil
}

// xorPAN xors the format 4 PAN field into the block.
func (r *Room) xorPAN(pan []byte) error {
	if err := pinblock.PANField4(r.panField(), pan); err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrInput, err)
	}
	subtle.XORBytes(r.wide()[:], r.wide()[:], r.panField()[:])
	return nil
}

// TypePIN keeps a PIN as it was typed. What is not 4 to 12 digits is hsm.ErrInput.
func (r *Room) TypePIN(pin secret.Key) error {
	if pin.Len() < pinblock.MinPIN || pin.Len() > pinblock.MaxPIN {
		return fmt.Errorf("%w: %w", hsm.ErrInput, pinblock.ErrPINLength)
	}
	pin.AppendTo(r.mem[pinAt:pinAt], secret.ForHSM)
	r.setPIN(pin.Len())
	return nil
}

// WritePIN makes the block of the PIN it keeps, enciphered under c, and returns a
// view of it in the Room. random is used by the formats that have randomness.
func (r *Room) WritePIN(c Cipher, to hsm.PINTarget, random [8]byte) ([]byte, error) {
	pan := to.PAN.Reveal(secret.ForHSM)
	if err := r.encode(to.Format, pan, random); err != nil {
		if !errors.Is(err, hsm.ErrPINFormat) {
			err = fmt.Errorf("%w: %w", hsm.ErrInput, err)
		}
		return nil, err
	}
	block := r.wide()[:to.Format.BlockLen()]
	if err := c(true, block); err != nil {
		return nil, err
	}
	if to.Format != hsm.ISO4 {
		return block, nil
	}
	if err := r.xorPAN(pan); err != nil { // behind the first cipher, never in front of it
		return nil, err
	}
	return block, c(true, block)
}

// encode writes the clear block, of format 4 the PIN field.
func (r *Room) encode(f hsm.PINFormat, pan []byte, random [8]byte) (err error) {
	var account [12]byte
	if f == hsm.ISO0 || f == hsm.ISO3 {
		if account, err = pinblock.Account(pan); err != nil {
			return err
		}
	}
	switch f {
	case hsm.ISO0:
		return pinblock.Encode0(r.Block(), r.digits(), account)
	case hsm.ISO1:
		fill := pinblock.Fill1(random)
		return pinblock.Encode1(r.Block(), r.digits(), &fill)
	case hsm.ISO3:
		fill := pinblock.Fill3(random)
		return pinblock.Encode3(r.Block(), r.digits(), account, &fill)
	case hsm.ISO4:
		return pinblock.EncodeField4(r.wide(), r.digits(), random)
	}
	return fmt.Errorf("%w: %s is not written here", hsm.ErrPINFormat, f)
}

// PVV computes the Visa PIN verification value of the PIN it keeps; c is the PVK.
func (r *Room) PVV(c Cipher, pan secret.PAN, index byte) (pvv [4]byte, err error) {
	account, err := pinoffset.Account11(pan.Reveal(secret.ForHSM))
	if err == nil {
		err = pinoffset.TSP(r.Block(), account, index, r.digits())
	}
	if err != nil {
		return pvv, fmt.Errorf("%w: %w", hsm.ErrInput, err)
	}
	if err := c(true, r.Block()[:]); err != nil {
		return pvv, err
	}
	return pinoffset.Decimalise(*r.Block()), nil
}

// CheckPVV compares the PVV of the PIN it keeps with value: hsm.ErrPIN when they
// differ.
func (r *Room) CheckPVV(c Cipher, pan secret.PAN, ref hsm.PVV) error {
	got, err := r.PVV(c, pan, ref.Index)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got[:], ref.Value[:]) != 1 {
		return hsm.ErrPIN
	}
	return nil
}

// Offset computes the IBM 3624 offset of the PIN it keeps; c is the PVKOffset
// with the given rule.
func (r *Room) Offset(c Cipher, pan secret.PAN, rule hsm.OffsetRule) ([]byte, error) {
	if err := pinoffset.Validation(r.Block(), rule, pan.Reveal(secret.ForHSM)); err != nil {
		return nil, fmt.Errorf("%w: %w", hsm.ErrInput, err)
	}
	if err := c(true, r.Block()[:]); err != nil {
		return nil, err
	}
	pin := r.digits()
	natural := r.mem[fieldAt : fieldAt+len(pin)]
	pinoffset.Natural(natural, rule.Table, r.Block())
	out := make([]byte, len(pin))
	err := pinoffset.Offset(out, pin, natural)
	clear(natural)
	clear(r.wide()[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hsm.ErrInput, err)
	}
	return out, nil
}

// CheckOffset compares the offset of the PIN it keeps with value: hsm.ErrPIN when
// they differ, also in length.
func (r *Room) CheckOffset(c Cipher, pan secret.PAN, ref hsm.PINOffset) error {
	got, err := r.Offset(c, pan, ref.Key.Offset)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got, ref.Value) != 1 {
		return hsm.ErrPIN
	}
	return nil
}
