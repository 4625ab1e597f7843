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
// and what the value says: behind it when it is one thing, else below. Offsets
// count from base, where the data stands in what the reader has before him; so
// many spaces stand between an offset and its tag.
func AppendText(dst []byte, items []Item, base, indent int) []byte {
	for i := range items {
		dst = items[i].appendText(dst, base, indent)
	}
	return dst
}

// offsetWidth is the width of the column of offsets.
const offsetWidth = 6

func (it *Item) appendText(dst []byte, base, indent int) []byte {
	indent += 2 * it.Depth
	offset := strconv.Itoa(base + it.Offset)
	dst = append(dst, strings.Repeat(" ", max(0, offsetWidth-len(offset)))+offset+strings.Repeat(" ", indent)...)
	if it.Fault != "" {
		return append(dst, "not read from here on: "+it.Fault+"\n"...)
	}
	dst = append(dst, it.Tag+strings.Repeat(" ", max(1, 8-len(it.Tag)))...)
	dst = append(dst, it.shown()...)
	if it.Name != "" {
		dst = append(dst, "  "+it.Name...)
	}
	if it.Unconfirmed {
		dst = append(dst, " (unconfirmed)"...)
	}
	if it.Duplicate {
		dst = append(dst, "  DUPLICATE"...)
	}
	if len(it.Meaning) == 1 && it.Name != "" {
		return append(dst, ": "+it.Meaning[0].String()+"\n"...)
	}
	dst = append(dst, '\n')
	for _, l := range it.Meaning {
		dst = append(dst, strings.Repeat(" ", offsetWidth+indent+4)+l.String()+"\n"...)
	}
	return dst
}

// shown is the value, or why it is not there.
func (it *Item) shown() string {
	switch {
	case it.Template:
		return "(" + strconv.Itoa(it.Length) + " bytes)"
	case it.Hidden && it.Mark != "":
		return "(length " + strconv.Itoa(it.Length) + ", " + it.Mark + ")"
	case it.Hidden:
		return "(length " + strconv.Itoa(it.Length) + ")"
	case it.Length == 0:
		return "(empty)"
	}
	return it.Value
}
