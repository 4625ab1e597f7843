// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/secret"
)

// TestTranslationAllPairs writes the table of PCI PIN 3-3 a second time, by its
// sentences.
func TestTranslationAllPairs(t *testing.T) {
	for from := PINFormat(0); from <= ISO4+1; from++ {
		for to := PINFormat(0); to <= ISO4+1; to++ {
			want := NeverTranslated
			known := from.BlockLen() != 0 && to.BlockLen() != 0
			switch {
			case !known:
			case to == ISO2: // any standard format, for submission to an IC card
				want = ToCardOnly
			case from == ISO2: // never back from the card's side
			case from.HasPAN() && to.HasPAN():
				want = WithSamePAN
			case from == ISO1: // a PIN without a card may get one
				want = WithAnyPAN
			}
			if got := Translation(from, to); got != want {
				t.Errorf("%s to %s: %s, want %s", from, to, got, want)
			}
		}
	}
}

// TestPermitTranslation: the table comes before keys and blocks, and a KSN is
// refused by name.
func TestPermitTranslation(t *testing.T) {
	pan, err := secret.NewPAN([]byte("6224242300000069"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := secret.NewPINBlock(make([]byte, 8))
	if err != nil {
		t.Fatal(err)
	}
	key := &Key{Name: "zpk", Usage: ZPK, Algorithm: TDES2}
	in, to := EncipheredPIN{Block: block, Format: ISO0, Key: key, PAN: pan}, PINTarget{Format: ISO3, Key: key, PAN: pan}
	if err := PermitTranslation(in, to, time.Time{}); err != nil {
		t.Error(err)
	}
	if err := PermitTranslation(EncipheredPIN{Format: ISO0}, PINTarget{Format: ISO1}, time.Time{}); !errors.Is(err, ErrPINFormat) {
		t.Errorf("ISO-0 to ISO-1 without keys: %v, want ErrPINFormat", err)
	}
	if in.KSN, err = ParseKSN([]byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	if err := PermitTranslation(in, to, time.Time{}); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "transaction key") {
		t.Errorf("a zone key with a KSN: %v, want ErrUsage that names transaction keys", err)
	}
	in.Key, in.Type = &Key{Name: "bdk", Usage: BDK, Algorithm: TDES2}, TDES2
	if err := PermitTranslation(in, to, time.Time{}); err != nil {
		t.Errorf("from a DUKPT transaction: %v", err)
	}
	to.KSN, to.Type = in.KSN, TDES2
	if err := PermitTranslation(in, to, time.Time{}); !errors.Is(err, ErrUsage) {
		t.Errorf("to a DUKPT transaction: %v, want ErrUsage", err)
	}
	to.KSN = KSN{}
	if s := fmt.Sprintf("%+v %#v", in, to); strings.Contains(s, "62242423000000") {
		t.Error("a PIN input prints its card number")
	}
}

// TestTranslationPage: the page for people shows the table of the program.
func TestTranslationPage(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/hsm-functions.md")
	if err != nil {
		t.Fatal(err)
	}
	for from := ISO0; from <= ISO4; from++ {
		row := "| " + from.String()
		for to := ISO0; to <= ISO4; to++ {
			row += " | " + Translation(from, to).String()
		}
		if strings.Count(string(page), row+" |\n") != 1 {
			t.Errorf("the page has not this row once: %s |", row)
		}
	}
}
