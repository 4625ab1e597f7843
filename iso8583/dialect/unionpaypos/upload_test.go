// SPDX-License-Identifier: Apache-2.0

package unionpaypos_test

import (
	"errors"
	"strings"
	"testing"

	"tapswitch/iso8583/dialect/unionpaypos"
)

func TestUpload(t *testing.T) {
	text := "02" + "00" + "000007" + "0000" + "6224241357924684" + "000000001234" + "01" + "999999" + "04761739001010119000"[:20] + "999999999999"
	items, err := unionpaypos.ParseUpload([]byte(text))
	if err != nil || len(items) != 2 || items[0].Trace != 7 || string(items[0].PAN) != "6224241357924684" || items[0].Minor != 1234 ||
		string(items[1].Organization[:]) != "01" || items[1].Trace != 999999 || string(items[1].PAN) != "4761739001010119000" || items[1].Minor != unionpaypos.TotalsMaxMinor {
		t.Fatalf("%d items, %v", len(items), err)
	}
	if got, err := unionpaypos.AppendUpload([]byte("x"), items); err != nil || string(got) != "x"+text {
		t.Errorf("built %s, %v", got, err)
	}
	one := text[2:42]
	for name, bad := range map[string]string{
		"empty": "", "no item": "00", "an item too many": "01" + one + one, "one too few": "02" + one, "cut": "01" + one[:39],
		"nine items": "09" + strings.Repeat(one, 9), "a letter": "01" + strings.Replace(one, "6", "A", 1),
	} {
		if _, err := unionpaypos.ParseUpload([]byte(bad)); !errors.Is(err, unionpaypos.ErrUpload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := unionpaypos.UploadItem{Organization: [2]byte{'0', '0'}, PAN: []byte(strings.Repeat("1", 21))}
	for _, bad := range [][]unionpaypos.UploadItem{nil, make([]unionpaypos.UploadItem, 9), {long}, {{}}, {{Organization: [2]byte{'0', '0'}, Trace: 1_000_000}}} {
		if got, err := unionpaypos.AppendUpload([]byte("x"), bad); !errors.Is(err, unionpaypos.ErrUpload) || string(got) != "x" {
			t.Errorf("%d items: %s, %v", len(bad), got, err)
		}
	}
}

func TestUploadEnd(t *testing.T) {
	if n, err := unionpaypos.ParseUploadEnd([]byte("0012")); err != nil || n != 12 {
		t.Errorf("%d %v", n, err)
	}
	for _, bad := range []string{"", "012", "00012", "001x"} {
		if _, err := unionpaypos.ParseUploadEnd([]byte(bad)); !errors.Is(err, unionpaypos.ErrUploadEnd) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for n, want := range map[int]string{0: "0000", 9999: "9999", 10000: "9999", -1: "0000"} {
		if got := string(unionpaypos.AppendUploadEnd(nil, n)); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func FuzzUpload(f *testing.F) {
	f.Add([]byte("01" + "00" + "000007" + "00006224241357924684" + "000000001234"))
	f.Add([]byte("02" + strings.Repeat("0", 80)))
	f.Fuzz(func(t *testing.T, text []byte) {
		items, err := unionpaypos.ParseUpload(text)
		if err != nil {
			return
		}
		if again, err := unionpaypos.AppendUpload(nil, items); err != nil || string(again) != string(text) {
			t.Errorf("%d items do not come again: %v", len(items), err)
		}
	})
}
