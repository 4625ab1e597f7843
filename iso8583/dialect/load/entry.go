// SPDX-License-Identifier: Apache-2.0

package load

import (
	"path/filepath"

	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/frame"
)

// Entry is a loaded dialect as the catalogue has its own: file and data are what
// Layout made l of. How it travels is in no specification; it is taken to be two
// bytes of length, as most hosts have it.
func Entry(l *iso8583.Layout, file string, data []byte) dialect.Entry {
	return dialect.Entry{
		Name: l.Name(), Title: "from " + filepath.Base(file), Standing: dialect.Own, Format: frame.ISO87(),
		New: func() *iso8583.Layout { return l }, // immutable
		Spec: func() *moov.MessageSpec {
			spec, _ := Spec(l.Name(), file, data) // it loaded before
			return spec
		},
		Marks: func() iso8583.Marks {
			marks := iso8583.Marks{}
			for n := 2; n <= iso8583.MaxField; n++ {
				if m := l.Mark(n); m != iso8583.MarkNone {
					marks[n] = m
				}
			}
			return marks
		},
	}
}
