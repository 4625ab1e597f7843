// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"strconv"

	"tapswitch/iso8583"
)

// Sub is a subfield of a field that may be shown.
type Sub struct {
	Path   string `json:"path"` // "3", or "62.1" for one within another
	Name   string `json:"name,omitempty"`
	Length int    `json:"length"`
	Value  string `json:"value"`
}

// subs lists the subfields of a composite, each followed by its own.
func subs(w iso8583.Subs, path string) (all []Sub) {
	for w.Next() {
		s := w.Sub()
		tag := s.Tag()
		if !s.Known() {
			tag = hex(s.WireTag())
		}
		at := tag
		if path != "" {
			at = path + "." + tag
		}
		inner := s.Subs()
		if below := subs(inner, at); len(below) > 0 {
			all = append(all, Sub{Path: at, Name: s.Description(), Length: s.Len()})
			all = append(all, below...)
			continue
		}
		all = append(all, Sub{at, s.Description(), s.Len(), plain(s.AppendText(nil))})
	}
	return all
}

// InHex says whether programs are given field n in hex: bytes, and composites
// whose text is bytes.
func InHex(l *iso8583.Layout, n int) bool {
	switch l.Encoding(n) {
	case iso8583.EncodingBytes:
		return true
	case iso8583.EncodingComposite:
		return !flat(l.Inside(n))
	}
	return false
}

// flat says whether all subfields have fixed places.
func flat(in iso8583.Inside) bool {
	if in.Kind() != iso8583.InsidePositional {
		return false
	}
	for i := range in.Size() {
		f := in.At(i)
		if inner := f.Inside(); inner.Kind() != iso8583.InsideNone && !flat(inner) {
			return false
		}
		if !f.Fixed() || f.Encoding() == iso8583.EncodingBytes {
			return false
		}
	}
	return true
}

func (s Sub) appendLine(dst []byte, field int) []byte {
	dst = append(dst, "               "...)
	dst = appendPadded(dst, strconv.Itoa(field)+"."+s.Path, 8)
	dst = append(append(dst, "  "...), s.Value...)
	if s.Name != "" {
		dst = append(append(dst, "  "...), s.Name...)
	}
	return append(dst, '\n')
}
