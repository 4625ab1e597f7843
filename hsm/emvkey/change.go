// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// Change is a PIN change command made ready: all but PINs and keys.
type Change struct {
	Block   hsm.ScriptBlock
	Card    [16]byte // derivation data of the AC card key, whose left half ScriptVIS takes
	Chained bool     // the block is enciphered by CBC
	Header  [5]byte
	MACLen  int
	size    int // bytes of the enciphered block
}

// PrepareChange checks and lays out a PIN change.
func PrepareChange(s hsm.Script, p hsm.PINChange) (c Change, err error) {
	c.Block = s.Rules.Block
	if !p.Current.Block.IsZero() {
		if c.Block = s.Rules.Current; c.Block == 0 {
			return Change{}, fmt.Errorf("%w: these cards' PIN change has no place for a current PIN", hsm.ErrInput)
		}
	}
	if c.Block != hsm.ScriptVIS && c.Block != hsm.ScriptISO2 {
		return Change{}, fmt.Errorf("%w: script PIN block %d is not built", hsm.ErrInput, c.Block)
	}
	pan := s.PAN.Reveal(secret.ForHSM)
	if c.Card, err = CardData(s.Option, pan, s.PSN); err != nil {
		return Change{}, err
	}
	if _, _, err = ScriptWay(s); err != nil {
		return Change{}, err
	}
	var zeros [8]byte
	text, chained, err := ScriptPadded(nil, zeros[:], s.Rules.Padding)
	if err != nil {
		return Change{}, err
	}
	if c.MACLen, err = MACLen(s.Rules); err != nil {
		return Change{}, err
	}
	c.Chained, c.size = chained, len(text)
	c.Header = PINHeader(p, c.size, c.MACLen)
	return c, nil
}

// Size is the number of bytes of the enciphered PIN block.
func (c Change) Size() int { return c.size }

// Command is the whole command: header, enciphered block, MAC.
func (c Change) Command(block []byte, mac [8]byte) []byte {
	out := append(make([]byte, 0, 5+len(block)+8), c.Header[:]...)
	return append(append(out, block...), mac[:c.MACLen]...)
}
