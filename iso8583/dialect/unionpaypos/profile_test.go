// SPDX-License-Identifier: Apache-2.0

package unionpaypos_test

import (
	"bytes"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/frame"
)

// The published answers to a sign-on come apart in their form, and in no other,
// and go together again.
func TestPublishedWorkingKeys(t *testing.T) {
	forms := map[string]unionpaypos.KeyForm{"unionpay-pos-bcd-04": unionpaypos.Keys57, "unionpay-pos-bcd-10": unionpaypos.Keys40Single, "unionpay-pos-bcd-12": unionpaypos.Keys40}
	for _, s := range samples(t) {
		form, ok := forms[s.ID]
		if !ok {
			continue
		}
		raw := unhex(t, s.Fields["62"])
		keys, err := form.ParseKeys(raw)
		if err != nil {
			t.Fatalf("%s: %v", s.ID, err)
		}
		again, err := form.AppendKeys(nil, keys)
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%s: %X %v", s.ID, again, err)
		}
		if _, err := unionpaypos.Keys24.ParseKeys(raw); err != unionpaypos.ErrKeys {
			t.Errorf("%s: read in another form", s.ID)
		}
		delete(forms, s.ID)
	}
	if len(forms) != 0 {
		t.Errorf("not among the published messages: %v", forms)
	}
}

// Every form has its size; keys that do not fit are refused.
func TestKeyForms(t *testing.T) {
	for form, want := range map[unionpaypos.KeyForm]int{unionpaypos.Keys40: 40, unionpaypos.Keys40Single: 40, unionpaypos.Keys24: 24,
		unionpaypos.Keys60: 60, unionpaypos.Keys60Single: 60, unionpaypos.Keys57: 57} {
		keys, err := form.ParseKeys(make([]byte, want))
		if err != nil {
			t.Fatalf("%d bytes: %v", want, err)
		}
		out, err := form.AppendKeys([]byte("x"), keys)
		if err != nil || len(out) != want+1 {
			t.Errorf("form %d: %d bytes, %v", form, len(out), err)
		}
		for _, size := range []int{0, want - 1, want + 1} {
			if _, err := form.ParseKeys(make([]byte, size)); err == nil {
				t.Errorf("form %d: read %d bytes", form, size)
			}
		}
		keys[0].Cryptogram = keys[0].Cryptogram[:4]
		if out, err := form.AppendKeys([]byte("x"), keys); err == nil || string(out) != "x" {
			t.Errorf("form %d: wrote a key of four bytes", form)
		}
		if _, err := form.AppendKeys(nil, keys[:1]); err == nil {
			t.Errorf("form %d: wrote one key", form)
		}
	}
}

// What a profile changes on the wire, and that it changes nothing else.
func TestProfiles(t *testing.T) {
	for _, c := range []struct {
		p     unionpaypos.Profile
		field int
		value string
		wire  string
	}{
		{unionpaypos.Profile{}, 22, "071", "\x07\x10"},
		{unionpaypos.Profile{EntryModeOnRight: true}, 22, "071", "\x00\x71"},
		{unionpaypos.Profile{}, 48, "123", "\x00\x03\x12\x30"},
		{unionpaypos.Profile{Field48Bytes: true}, 48, "123", "\x00\x03123"},
		{unionpaypos.Profile{Balances: 2}, 54, "0123456789012345678901234567890123456789", "\x00\x400123456789012345678901234567890123456789"},
	} {
		l := c.p.New()
		var b iso8583.Builder
		b.Reset(l, 0x0200)
		b.SetString(c.field, c.value)
		raw, err := b.Append(nil)
		if err != nil || string(raw[10:]) != c.wire {
			t.Errorf("%+v: %q %v", c.p, raw, err)
		}
		var v iso8583.View
		if err := l.Parse(raw, &v); err != nil || string(v.AppendText(nil, c.field)) != c.value {
			t.Errorf("%+v: %q %v", c.p, v.AppendText(nil, c.field), err)
		}
		standard := unionpaypos.New()
		for n := 2; n <= iso8583.MaxField; n++ {
			if n != c.field && (l.Encoding(n) != standard.Encoding(n) || l.Max(n) != standard.Max(n)) {
				t.Errorf("%+v changes field %d", c.p, n)
			}
		}
	}
}

func TestProfileFrames(t *testing.T) {
	for want, p := range map[frame.Format]unionpaypos.Profile{
		frame.UnionPayPOS(): {},
		{Length: frame.Binary2, TPDU: true, Max: frame.DefaultMax}: {NoHeader: true},
		{Length: frame.Binary2, Max: frame.DefaultMax}:             {NoTPDU: true},
	} {
		if got := p.Format(); got != want {
			t.Errorf("%+v: %+v, want %+v", p, got, want)
		}
	}
}

func TestProfileMAC(t *testing.T) {
	mac := [8]byte{0xB7, 0x13, 0x3B, 0x57, 1, 2, 3, 4}
	if got := string(unionpaypos.Profile{}.AppendMAC(nil, mac)); got != "B7133B57" {
		t.Errorf("characters %q", got)
	}
	if got := (unionpaypos.Profile{BinaryMAC: true}).AppendMAC(nil, mac); !bytes.Equal(got, mac[:]) {
		t.Errorf("bytes %X", got)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add(byte(0), make([]byte, 40))
	f.Add(byte(5), make([]byte, 57))
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		form := unionpaypos.KeyForm(which % 6)
		keys, err := form.ParseKeys(raw)
		if err != nil {
			return
		}
		if again, err := form.AppendKeys(nil, keys); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%X came back as %X %v", raw, again, err)
		}
	})
}
