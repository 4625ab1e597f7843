// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"strings"
	"testing"

	"tapswitch/iso8583/bertlv"
)

func TestDictionaryIsSound(t *testing.T) {
	for name, table := range map[string][]Entry{"book": bookTags[:], "scheme": schemeTags[:], "kernel": kernelTags[:]} {
		for i := 1; i < len(table); i++ {
			if table[i-1].Tag > table[i].Tag {
				t.Errorf("%s: %v is out of order", name, table[i].Tag)
			}
		}
	}
	all := Dictionary()
	if len(all) != len(bookTags)+len(schemeTags)+len(kernelTags) {
		t.Fatalf("%d entries of %d", len(all), len(bookTags)+len(schemeTags)+len(kernelTags))
	}
	tags := map[bertlv.Tag]bool{}
	for i, e := range all {
		tags[e.Tag] = true
		if i > 0 && all[i-1].Tag > e.Tag {
			t.Errorf("%v is out of order", e.Tag)
		}
		if e.Name == "" || e.Format == "" || e.Source == "" || strings.HasPrefix(e.Name, unsurePrefix) {
			t.Errorf("%v: incomplete: %+v", e.Tag, e)
		}
		if e.Min > e.Max || e.Max > bertlv.MaxLength || e.Min < 0 {
			t.Errorf("%v: lengths %d to %d", e.Tag, e.Min, e.Max)
		}
		if e.Tag.Constructed() && (e.Table != nil || e.Mark != Plain) {
			t.Errorf("%v: a template has no value of its own to explain or mask", e.Tag)
		}
		if e.Mark != Plain && e.Table != nil && e.Table != &scriptForm {
			t.Errorf("%v: explained although it must not be shown", e.Tag)
		}
		if e.Table != nil && e.Table.form == 0 && e.Table.Len > e.Max {
			t.Errorf("%v: the table covers %d bytes of %d", e.Tag, e.Table.Len, e.Max)
		}
		if e.Table != nil && e.Table.form == 0 && e.Table.end() != 0 && e.Table.end() < e.Max {
			t.Errorf("%v: the table knows %d bytes of %d", e.Tag, e.Table.end(), e.Max)
		}
		if data := bertlv.Append(nil, e.Tag, nil); len(data) == 0 {
			t.Errorf("%v cannot be written", e.Tag)
		} else if tag, n, ok := bertlv.ReadTag(data); !ok || tag != e.Tag || n != len(data)-1 {
			t.Errorf("%v is no BER tag: read back as %v", e.Tag, tag)
		}
	}
	if len(tags) < 200 {
		t.Errorf("%d tags, expected 200 and more", len(tags))
	}
}

func TestMeaningsDoNotOverlap(t *testing.T) {
	for _, e := range Dictionary() {
		common, taken := 0, Kernels(0)
		for _, m := range Meanings(e.Tag) {
			if m.Kernels == all {
				common++
			}
			if taken&m.Kernels != 0 {
				t.Errorf("%v: two meanings for kernel %v", e.Tag, taken&m.Kernels)
			}
			taken |= m.Kernels
		}
		if common > 1 {
			t.Errorf("%v: %d common meanings", e.Tag, common)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		tag    bertlv.Tag
		kernel Kernel
		want   string
	}{
		{0x9F02, Unknown, "amount, authorised (numeric)"},
		{0x9F02, UnionPay, "amount, authorised (numeric)"},
		{0x9F6E, Visa, "form factor indicator"},
		{0x9F6E, Mastercard, "third party data"},
		{0x9F6E, Amex, "enhanced contactless reader capabilities"},
		{0x9F6E, UnionPay, ""},
		{0x9F6E, Unknown, ""},
		{0x9F7C, Visa, "customer exclusive data"},
		{0x9F7C, Mastercard, "merchant custom data"},
		{0x9F71, Discover, "card processing requirements"},
		{0x9F71, Amex, "mobile CVM results"},
		{0x9F6C, UnionPay, "card transaction qualifiers"},
		{0x9F6C, Visa, "card transaction qualifiers"},
		{0x9F6C, Mastercard, "mag-stripe application version number (card)"},
		{0x9F66, Mastercard, "PUNATC (track 2): where number and counter go"},
		{0x9F66, UnionPay, "terminal transaction qualifiers"},
		{0x9F6B, UnionPay, "card CVM limit"},
		{0xDF8129, Mastercard, "outcome parameter set"},
		{0xDF8129, Unknown, "outcome parameter set"}, // one meaning only
		{0xDF8129, Common, ""},
		{0x9F8210, Common, "outcome parameter set"},
		{0x95, Mastercard, "terminal verification results"},
		{0xDF7F, Unknown, ""},
		{0xDF31, UnionPay, "issuer script results"},
	} {
		e, ok := Lookup(c.tag, c.kernel)
		if e.Name != c.want || ok != (c.want != "") {
			t.Errorf("%v, %v: got %q, want %q", c.tag, c.kernel, e.Name, c.want)
		}
	}
}

func TestMarksAreTheStrictestOfAllKernels(t *testing.T) {
	for tag, want := range map[bertlv.Tag]Mark{
		0x57: Sensitive, 0x56: Sensitive, 0x5A: PAN, 0x5F20: Hidden, 0x9F0B: Hidden, 0x9F1F: Sensitive, 0x9F20: Sensitive,
		0x9F6B: Sensitive, 0x9F60: Sensitive, 0x9F61: Sensitive, 0xDF812A: Sensitive, 0xDF812B: Sensitive, 0x99: PINOrKey, 0x86: PINOrKey,
		0x5F24: Hidden, 0x9F46: Hidden, 0x90: Hidden, 0x9F02: Plain, 0x9F26: Plain, 0x9F10: Plain, 0x9F6E: Plain, 0xDF7F: Hidden,
	} {
		if got := MarkOf(tag); got != want {
			t.Errorf("%v: %v, want %v", tag, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for want, got := range map[string]string{
		"kernel 7 (UnionPay)": UnionPay.String(), "kernel unknown": Unknown.String(), "kernel 9": Kernel(9).String(),
		"2 3 7": (k2 | k3 | k7).String(), "all": all.String(), "PIN or key": PINOrKey.String(), "?": Mark(99).String(),
		"issuer": Issuer.String(), "? ": Origin(99).String() + " ",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSchemeOf(t *testing.T) {
	for aid, want := range map[string]string{
		"A0000000031010": "Visa credit or debit", "A00000000310": "Visa", "A0000000043060": "Mastercard Maestro",
		"A000000333010101": "UnionPay debit", "A00000033301010100": "UnionPay debit", "A000000333": "UnionPay", "A0000003241010": "Discover Zip",
		"A0000000651010": "JCB", "A0000000421010": "Cartes Bancaires", "A000000555": "", "": "",
	} {
		s, ok := SchemeOf(unhex(t, aid))
		if s.String() != want || ok != (want != "") {
			t.Errorf("%s: got %q", aid, s)
		}
	}
}
