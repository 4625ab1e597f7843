// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"fmt"

	"tapswitch/hsm"
)

// errTLV refuses field 55 whole: a tag found in broken data proves nothing.
var errTLV = fmt.Errorf("%w: field 55 is not well-formed BER-TLV", hsm.ErrInput)

// Find returns the first value of a one- or two-byte tag among the outermost
// elements of data. All of data must be well formed, and a tag that comes twice
// is refused: two readers could otherwise check two different values.
func Find(data []byte, tag uint16) (value []byte, ok bool, err error) {
	for len(data) > 0 {
		t, v, rest, err := next(data)
		if err != nil {
			return nil, false, err
		}
		if t == uint32(tag) {
			if ok {
				return nil, false, fmt.Errorf("%w: field 55 has tag %X twice", hsm.ErrInput, tag)
			}
			value, ok = v, true
		}
		data = rest
	}
	return value, ok, nil
}

// next cuts the first element off data. Tags have up to 3 bytes, lengths up to
// two bytes after the length of length: field 55 itself is no longer than 999.
func next(data []byte) (tag uint32, value, rest []byte, err error) {
	tag = uint32(data[0])
	at := 1
	if data[0]&0x1F == 0x1F {
		for more := true; more; at++ {
			if at > 2 || at >= len(data) {
				return 0, nil, nil, errTLV
			}
			tag = tag<<8 | uint32(data[at])
			more = data[at]&0x80 != 0
		}
	}
	if at >= len(data) {
		return 0, nil, nil, errTLV
	}
	size := int(data[at])
	at++
	if size >= 0x80 {
		bytes := size & 0x7F
		if bytes < 1 || bytes > 2 || at+bytes > len(data) {
			return 0, nil, nil, errTLV
		}
		size = 0
		for range bytes {
			size = size<<8 | int(data[at])
			at++
		}
	}
	if size > len(data)-at {
		return 0, nil, nil, errTLV
	}
	return tag, data[at : at+size], data[at+size:], nil
}
