// SPDX-License-Identifier: Apache-2.0

package card

// tlv appends one object; nothing on these cards is longer than 255 bytes.
func tlv(dst []byte, tag uint32, value ...[]byte) []byte {
	n := 0
	for _, v := range value {
		n += len(v)
	}
	for shift := 24; shift >= 0; shift -= 8 {
		if tag>>shift != 0 {
			dst = append(dst, byte(tag>>shift))
		}
	}
	if n > 0x7F {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(n))
	for _, v := range value {
		dst = append(dst, v...)
	}
	return dst
}

// dolValues cuts the terminal's data by the list of tags and lengths it was
// asked for. ok is false when the lengths do not add up.
func dolValues(list, data []byte) (values map[uint32][]byte, ok bool) {
	values = map[uint32][]byte{}
	for i := 0; i < len(list); {
		tag := uint32(list[i])
		i++
		if tag&0x1F == 0x1F {
			for i < len(list) {
				tag = tag<<8 | uint32(list[i])
				i++
				if tag&0x80 == 0 {
					break
				}
			}
		}
		if i >= len(list) || len(data) < int(list[i]) {
			return nil, false
		}
		n := int(list[i])
		values[tag], data = data[:n], data[n:]
		i++
	}
	return values, len(data) == 0
}
