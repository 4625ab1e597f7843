// SPDX-License-Identifier: Apache-2.0

package describe_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/lint"
)

// FuzzOf: whatever a dialect reads, whole or in part, is shown in lines of
// characters, without the values that a mark hides, compared with itself without a
// difference, and held against the rules.
func FuzzOf(f *testing.F) {
	var layouts []*iso8583.Layout
	for i, e := range dialect.All() {
		l := e.New()
		layouts = append(layouts, l)
		var b iso8583.Builder
		b.Reset(l, 0x0200)
		for n, s := range map[int]string{2: pan, 3: "000000", 35: track, 52: "\x11\x22\x33\x44\x55\x66\x77\x88", 55: "\x5A\x08\x62\x24\x24\x23\x00\x00\x00\x69\x91\x08ABCDEFGH"} {
			if l.Defines(n) {
				b.SetString(n, s)
			}
		}
		if raw, err := b.Append(nil); err == nil {
			f.Add(byte(i), raw)
		}
	}
	var v iso8583.View
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		l := layouts[int(which)%len(layouts)]
		m := describe.Of(&v, l.Parse(raw, &v))
		shown := m.AppendText(nil)
		if !utf8.Valid(shown) || bytes.ContainsFunc(shown, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7F }) {
			t.Fatalf("shown with control characters: %q", shown)
		}
		asJSON, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all := string(shown) + string(asJSON) + m.Summary()
		for n := v.Next(0); n != 0; n = v.Next(n) {
			mark, value := describe.MarkOf(l, n), string(v.AppendText(nil, n))
			if mark == iso8583.MarkPAN && alone(v, n) && len(value) >= 17 && strings.Contains(all, value) {
				t.Fatalf("field %d is shown", n)
			}
		}
		if changes := describe.Diff(&v, &v, nil); len(changes) > 0 {
			t.Fatalf("differs from itself: %+v", changes)
		}
		lint.Check(&v)
	})
}

// alone says whether no other field holds the same characters.
func alone(v iso8583.View, n int) bool {
	value := v.AppendText(nil, n)
	for o := v.Next(0); o != 0; o = v.Next(o) {
		if o != n && bytes.Contains(v.AppendText(nil, o), value) {
			return false
		}
	}
	return true
}
