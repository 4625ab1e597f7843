// SPDX-License-Identifier: Apache-2.0

package part_test

import (
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/part"
)

func TestDigits(t *testing.T) {
	var enc part.Digits
	if _, err := enc.Encode([]byte("12a")); err == nil {
		t.Error("wrote a letter")
	}
	if text, read, err := enc.Decode([]byte("0123"), 3); err != nil || string(text) != "012" || read != 3 {
		t.Errorf("%q %d %v", text, read, err)
	}
	for _, length := range []int{-1, 5} {
		if _, _, err := enc.Decode([]byte("0123"), length); err == nil {
			t.Errorf("read %d digits of four", length)
		}
	}
}

// A mark for a field that a table lacks would stop it from compiling.
func TestOnly(t *testing.T) {
	fields := part.ISO87(part.Characters())
	delete(fields, 34)
	m := part.Only(part.Marks87(), fields)
	if _, there := m[34]; there || m[2] != iso8583.MarkPAN {
		t.Errorf("%v", m)
	}
}

// Every field of a table is made for itself: changing one leaves others alone.
func TestVar(t *testing.T) {
	s := part.Packed()
	for digits, want := range []string{"BCD.Fixed", "BCD.L", "BCD.LL", "BCD.LLL", "BCD.LLLL"} {
		if got := part.Var(s.Length, digits).Inspect(); got != want {
			t.Errorf("%d: %s", digits, got)
		}
	}
}
