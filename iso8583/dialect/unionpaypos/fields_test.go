// SPDX-License-Identifier: Apache-2.0

package unionpaypos_test

import (
	"testing"

	"tapswitch/iso8583/dialect/part"
	"tapswitch/iso8583/dialect/unionpaypos"
)

// Field 60 of every published message, and its shortest and longest forms.
func TestField60(t *testing.T) {
	for _, s := range samples(t) {
		text := s.Fields["60"]
		f, err := unionpaypos.ParseField60([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", s.ID, err)
		}
		want := text
		if len(text) == 8 {
			want += "000"
		}
		if got := string(f.AppendText(nil)); got != want {
			t.Errorf("%s: %q, want %q", s.ID, got, want)
		}
	}
	f, err := unionpaypos.ParseField60([]byte("22000727000600"))
	if err != nil || string(f.Type[:]) != "22" || string(f.Batch[:]) != "000727" || string(f.Network[:]) != "000" || string(f.Rest) != "600" {
		t.Errorf("%q %v", f, err)
	}
	for _, bad := range []string{"", "2200072", "220007270", "2200072700", "22000727000600070x", "2200x72700060", "220007270006000701"} {
		if _, err := unionpaypos.ParseField60([]byte(bad)); err != unionpaypos.ErrField60 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestField53(t *testing.T) {
	f, err := unionpaypos.ParseField53([]byte("2610000000000000"))
	if err != nil || f.PINFormat != '2' || f.Algorithm != '6' || f.TrackEncryption != '1' {
		t.Errorf("%+v %v", f, err)
	}
	if got := string(f.AppendText(nil)); got != "2610000000000000" {
		t.Errorf("built %q", got)
	}
	for _, bad := range []string{"", "260000000000000", "26000000000000000", "26000000000000x0"} {
		if _, err := unionpaypos.ParseField53([]byte(bad)); err != unionpaypos.ErrField53 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The moov encoder refuses what it cannot write or read.
func TestTrackNibblesRefuses(t *testing.T) {
	var enc part.TrackNibbles
	for _, bad := range []string{"12 34", "12d", "^"} {
		if _, err := enc.Encode([]byte(bad)); err == nil {
			t.Errorf("wrote %q", bad)
		}
	}
	for _, length := range []int{-1, 3, 5} {
		if _, _, err := enc.Decode([]byte{0x12, 0x3E}, length); err == nil {
			t.Errorf("read %d characters of two bytes", length)
		}
	}
}
