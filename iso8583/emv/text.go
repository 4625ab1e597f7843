// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"errors"
	"strconv"
	"strings"
)

// errEnd ends the walk of a list whose data is too short.
var errEnd = errors.New("emv: end of data")

// AppendText appends items as lines of text: offset, tag, value or length, name,
// and the meaning below, indented by depth.
func AppendText(dst []byte, items []Item) []byte {
	for i := range items {
		dst = items[i].appendText(dst)
	}
	return dst
}

func (it *Item) appendText(dst []byte) []byte {
	offset := strconv.Itoa(it.Offset)
	dst = append(dst, strings.Repeat(" ", max(0, 4-len(offset)))+offset+"  "+strings.Repeat("  ", it.Depth)...)
	if it.Fault != "" {
		return append(dst, "not read from here on: "+it.Fault+"\n"...)
	}
	dst = append(dst, it.Tag+strings.Repeat(" ", max(1, 8-len(it.Tag)))...)
	switch {
	case it.Template:
		dst = append(dst, "("+strconv.Itoa(it.Length)+" bytes)"...)
	case it.Hidden:
		dst = append(dst, "(length "+strconv.Itoa(it.Length)...)
		if it.Mark != "" {
			dst = append(dst, ", "+it.Mark...)
		}
		dst = append(dst, ')')
	case it.Length == 0:
		dst = append(dst, "(empty)"...)
	default:
		dst = append(dst, it.Value...)
	}
	if it.Name != "" {
		dst = append(dst, "  "+it.Name...)
	}
	if it.Unconfirmed {
		dst = append(dst, " (unconfirmed)"...)
	}
	if it.Duplicate {
		dst = append(dst, "  DUPLICATE"...)
	}
	dst = append(dst, '\n')
	for _, l := range it.Meaning {
		dst = append(dst, strings.Repeat(" ", 8+2*it.Depth)+l.String()+"\n"...)
	}
	return dst
}
