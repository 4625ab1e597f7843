// SPDX-License-Identifier: Apache-2.0

package iso8583

import "fmt"

// HexEBCDIC is the encoder, for moov's codec as well, of bytes written as their
// hexadecimal characters in EBCDIC: bitmaps of hosts that speak nothing else.
type HexEBCDIC struct{}

var _ Native = HexEBCDIC{}

// Native names the encoding of ours that does the same.
func (HexEBCDIC) Native() Encoding { return EncodingHexEBCDIC }

// Encode writes bytes as characters.
func (HexEBCDIC) Encode(data []byte) ([]byte, error) {
	f := fieldCode{enc: EncodingHexEBCDIC}
	out, _ := f.appendWire(nil, data) // every byte can be written
	return out, nil
}

// Decode reads length bytes from twice as many characters.
func (HexEBCDIC) Decode(packed []byte, length int) (data []byte, read int, err error) {
	if length < 0 || len(packed)/2 < length {
		return nil, 0, fmt.Errorf("iso8583: hexadecimal characters end before their length: %d bytes, need %d", len(packed), 2*length)
	}
	packed = packed[:2*length]
	if !allHex(packed, &ebcdicNibbles) {
		return nil, 0, fmt.Errorf("iso8583: a character is not hexadecimal EBCDIC")
	}
	return EncodingHexEBCDIC.appendText(nil, packed, length), len(packed), nil
}
