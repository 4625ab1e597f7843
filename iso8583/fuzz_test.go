// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"errors"
	"testing"

	"tapswitch/iso8583"
)

// FuzzView reads any bytes with our codec alone: what is read accounts for every
// byte and is written again as it was, what is not has a name and a place.
func FuzzView(f *testing.F) {
	layouts := []*iso8583.Layout{compiled(f, compositeSpec())}
	var b iso8583.Builder
	setParts(&b, layouts[0])
	f.Add(byte(0), mustAppend(f, &b))
	for i, d := range dialects() {
		layouts = append(layouts, d.layout)
		f.Add(byte(i+1), d.build(f))
	}
	var v iso8583.View
	var text []byte
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		l := layouts[int(which)%len(layouts)]
		if err := l.Parse(raw, &v); err != nil {
			var e *iso8583.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(raw) {
				t.Fatalf("%v: %X", err, raw)
			}
			return
		}
		b.Reset(l, v.MTI())
		at, _ := v.Span(v.Next(0))
		for n := v.Next(0); n != 0; n = v.Next(n) {
			from, to := v.Span(n)
			if from != at || to < from {
				t.Fatalf("field %d lies at %d to %d, %d was due: %X", n, from, to, at, raw)
			}
			at = to
			text = v.AppendText(text[:0], n)
			for it := v.Subs(n); it.Next(); {
				s := it.Sub()
				if from, to := s.Span(); from > to || to > at {
					t.Fatalf("subfield %d.%s lies at %d to %d: %X", n, s.Tag(), from, to, raw)
				}
				text = s.AppendText(text)
			}
			b.Copy(n, &v)
		}
		if v.Next(0) != 0 && at != len(raw) {
			t.Fatalf("%d of %d bytes accounted for: %X", at, len(raw), raw)
		}
		if again, err := b.Append(nil); err != nil || len(again) > len(raw) || !sameFields(l, raw, again) {
			t.Fatalf("built %X (%v), was %X", again, err, raw)
		}
	})
}

// sameFields compares two messages. The same value may be written shorter: a
// bitmap without bits is left out, and its letters may be of either case.
func sameFields(l *iso8583.Layout, raw, again []byte) bool {
	if bytes.Equal(raw, again) {
		return true
	}
	var v, w iso8583.View
	if l.Parse(raw, &v) != nil || l.Parse(again, &w) != nil || v.MTI() != w.MTI() {
		return false
	}
	for n := 2; n <= iso8583.MaxField; n++ {
		if v.Has(n) != w.Has(n) || !bytes.Equal(v.Raw(n), w.Raw(n)) {
			return false
		}
	}
	return true
}
