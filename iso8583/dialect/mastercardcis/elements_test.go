// SPDX-License-Identifier: Apache-2.0

package mastercardcis_test

import (
	"bytes"
	"testing"

	"tapswitch/iso8583/dialect/mastercardcis"
)

func TestElements(t *testing.T) {
	text := []byte("R4203" + "212" + "9203" + "123" + "7700")
	category, next, err := mastercardcis.Elements(text)
	if err != nil || category != 'R' {
		t.Fatal(category, err)
	}
	built := []byte{category}
	for e, ok := next(); ok; e, ok = next() {
		if built, err = mastercardcis.AppendElement(built, e); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(built, text) {
		t.Errorf("%s, want %s", built, text)
	}
	for _, bad := range []string{"", "R4", "R42x1a", "R4203ab"} {
		if _, _, err := mastercardcis.Elements([]byte(bad)); err != mastercardcis.ErrElements {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := mastercardcis.AppendElement(nil, mastercardcis.Element{Data: make([]byte, 100)}); err == nil {
		t.Error("wrote 100 characters")
	}
}

func FuzzElements(f *testing.F) {
	f.Add([]byte("R4203212"))
	f.Fuzz(func(t *testing.T, text []byte) {
		category, next, err := mastercardcis.Elements(text)
		if err != nil {
			return
		}
		built := []byte{category}
		for e, ok := next(); ok; e, ok = next() {
			built, _ = mastercardcis.AppendElement(built, e)
		}
		if !bytes.Equal(built, text) {
			t.Errorf("%q came back as %q", text, built)
		}
	})
}
