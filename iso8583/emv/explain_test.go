// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"encoding/hex"
	"strings"
	"testing"

	"tapswitch/iso8583/bertlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func joined(lines []Line) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.String()
	}
	return strings.Join(out, " | ")
}

// TestObservedValues: values from public traces and the bits of section 2.2 of
// the reference, explained.
func TestObservedValues(t *testing.T) {
	for _, c := range []struct {
		tag    bertlv.Tag
		value  string
		kernel Kernel
		want   string
	}{
		{0x9F66, "36800000", UnionPay, "byte 1 b6: EMV mode supported | byte 1 b5: EMV contact chip supported | byte 1 b3: online PIN supported | byte 1 b2: signature supported | byte 2 b8: online cryptogram required"},
		{0x9F66, "26800001", UnionPay, "byte 1 b6: EMV mode supported | byte 1 b3: online PIN supported | byte 1 b2: signature supported | byte 2 b8: online cryptogram required | byte 4 b1: reserved for future use"},
		{0x9F66, "27C00000", Visa, "byte 1 b6: EMV mode supported | byte 1 b3: online PIN supported | byte 1 b2: signature supported | byte 1 b1: offline data authentication for online authorisations supported | byte 2 b8: online cryptogram required | byte 2 b7: CVM required"},
		{0x9F6C, "0200", UnionPay, "byte 1 b2: switch interface for cashback"},
		{0x9F6C, "8080", Visa, "byte 1 b8: online PIN required | byte 2 b8: consumer device CVM performed"},
		{0x9F6C, "0200", Mastercard, ""},
		{0x82, "7C00", UnionPay, "byte 1 b7: SDA supported | byte 1 b6: DDA supported | byte 1 b5: cardholder verification supported | byte 1 b4: terminal risk management to be performed | byte 1 b3: issuer authentication supported"},
		{0x82, "1980", Mastercard, "byte 1 b5: cardholder verification supported | byte 1 b4: terminal risk management to be performed | byte 1 b1: CDA supported | byte 2 b8: contactless EMV mode supported"},
		{0x95, "0000000000", Unknown, "no bit set"},
		{0x95, "0000008000", JCB, "byte 4 b8: floor limit exceeded"},
		{0x95, "0000000400", Unknown, "byte 4 b3: biometric try limit exceeded"},
		{0x95, "0000000002", Mastercard, "byte 5 b2-b1: relay resistance protocol performed (unconfirmed)"},
		{0x95, "0000000008", Unknown, "byte 5 b4: reserved for future use"},
		{0x95, "00000000", Unknown, "length 4, expected 5: not explained"},
		{0x9B, "E800", Unknown, "byte 1 b8: offline data authentication performed | byte 1 b7: cardholder verification performed | byte 1 b6: card risk management performed | byte 1 b4: terminal risk management performed"},
		{0x9F27, "80", Unknown, "byte 1 b8-b7: ARQC: online authorisation requested | byte 1 b6-b5: cryptogram of the payment system = 0 | byte 1 b3-b1: no reason given"},
		{0x9F33, "60E9C8", Unknown, "byte 1 b7: magnetic stripe | byte 1 b6: chip with contacts | byte 2 b8: plaintext PIN, checked by the card | byte 2 b7: enciphered PIN, checked online | byte 2 b6: signature | byte 2 b4: no CVM | byte 2 b1: enciphered PIN, checked by the card (ECC) | byte 3 b8: SDA | byte 3 b7: DDA | byte 3 b4: CDA"},
		{0x9F34, "1F0002", Unknown, "byte 1 b6-b1: no CVM required | byte 2: always | byte 3: successful"},
		{0x9F34, "420300", Unknown, "byte 1 b7: the next rule applies if this one fails | byte 1 b6-b1: enciphered PIN, checked online | byte 2: if the terminal supports the CVM | byte 3: result unknown (for example signature)"},
		{0x9F34, "3F0000", Unknown, "byte 1 b6-b1: no CVM performed | byte 2: always | byte 3: result unknown (for example signature)"},
		{0x9F35, "22", Unknown, "byte 1: attended, offline with online capability, operated by a merchant"},
		{0x9F35, "29", Unknown, "byte 1: unknown value = 29"},
		{0x9F07, "FF00", Unknown, "byte 1 b8: domestic cash | byte 1 b7: international cash | byte 1 b6: domestic goods | byte 1 b5: international goods | byte 1 b4: domestic services | byte 1 b3: international services | byte 1 b2: ATMs | byte 1 b1: terminals other than ATMs"},
		{0x9F40, "8000000001", Unknown, "byte 1 b8: cash | byte 5 b1: code table 1"},
		{0x9F6E, "20700000", Visa, "byte 1 b8-b6: version 1 | byte 1 b5-b1: card | byte 2 b7: signature panel | byte 2 b6: hologram | byte 2 b5: CVV2 printed | byte 4 b4-b1: proximity, ISO/IEC 14443"},
		{0x9F6E, "08400003303000", Mastercard, "bytes 1-2: country code = 0840 | bytes 3-4: unique identifier = 0003 | bytes 5-7: device type (when the identifier begins with a 0 bit) and proprietary data = 303000"},
		{0x9F6E, "20700000", Unknown, "the meaning depends on the kernel | kernel 2: third party data | kernel 3: form factor indicator | kernel 4: enhanced contactless reader capabilities"},
		{0x9F6E, "20700000", UnionPay, "not known for kernel 7 (UnionPay) | kernel 2: third party data | kernel 3: form factor indicator | kernel 4: enhanced contactless reader capabilities"},
		{0x8A, "3030", Unknown, "host's answer: approved = 00"},
		{0x8A, "5A33", Unknown, "terminal's decision: unable to go online, declined offline = Z3"},
		{0x8A, "5A5A", Unknown, `unknown response code "ZZ"`},
		{0x87, "01", Unknown, "byte 1 b4-b1: priority (1 highest, 0 none) = 1"},
		{0x9F2A, "03", Unknown, "byte 1 b8-b7: international kernel | byte 1 b6-b1: kernel number = 3"},
		{0x4F, "A000000333010101", Unknown, "UnionPay debit"},
		{0x84, "A0000000651010", Unknown, "JCB"},
		{0x84, "325041592E5359532E4444463031", Unknown, "proximity payment system environment"},
		{0x9F06, "A00000055501", Unknown, "unknown scheme"},
		{0x9A, "170601", Unknown, "2017-06-01"},
		{0x9A, "171301", Unknown, "not a date (YYMMDD)"},
		{0x9F21, "235959", Unknown, "23:59:59"},
		{0x9F02, "000000001111", Unknown, "1111 minor units"},
		{0x9F02, "00000000111A", Unknown, "not a number (n 12)"},
		{0x5F2A, "0156", Unknown, "ISO 4217 156, CNY"},
		{0x5F2A, "0208", Unknown, "ISO 4217 208"},
		{0x9F1A, "0156", Unknown, "ISO 3166 156"},
		{0x9F36, "0ADC", Unknown, "2780"},
		{0x9C, "01", Unknown, "byte 1: cash"},
		{0x50, "50424F43204445424954", Unknown, `"PBOC DEBIT"`},
		{0x94, "08010100 10010301", Unknown, "bytes 1-4: file 1, records 1 to 1, 0 of them signed | bytes 5-8: file 2, records 1 to 3, 1 of them signed"},
		{0x94, "08020100", Unknown, "bytes 1-4: not a valid entry"},
		{0x9F38, "9F66049F02069F03069F1A0295055F2A029A039C019F37045F2D02", UnionPay, "9F66 terminal transaction qualifiers = 4 bytes at 0 | 9F02 amount, authorised (numeric) = 6 bytes at 4 | 9F03 amount, other (numeric) = 6 bytes at 10 | 9F1A terminal country code = 2 bytes at 16 | 95 terminal verification results = 5 bytes at 18 | 5F2A transaction currency code = 2 bytes at 23 | 9A transaction date = 3 bytes at 25 | 9C transaction type = 1 bytes at 28 | 9F37 unpredictable number = 4 bytes at 29 | 5F2D language preference = 2 bytes at 33 | together = 35 bytes"},
		{0x9F38, "9F66", UnionPay, "the list is broken: bertlv: byte 0: tlv_length_truncated"},
		{0x9F4A, "82", Unknown, "82 application interchange profile"},
		{0x9F4A, "DF7F9F66", Unknown, "DF7F (unknown) | 9F66 (depends on the kernel)"},
		{0x8E, "000000640000000042031E031F00", Unknown, "bytes 1-4: amount X in minor units = 100 | bytes 5-8: amount Y in minor units = 0 | byte 9 b7: the next rule applies if this one fails | byte 9 b6-b1: enciphered PIN, checked online | byte 10: if the terminal supports the CVM | byte 11 b6-b1: signature | byte 12: if the terminal supports the CVM | byte 13 b6-b1: no CVM required | byte 14: always"},
		{0x86, "8424000210AABBCCDD", Unknown, "bytes 1-4: PIN CHANGE/UNBLOCK = 84240002 | byte 1: with secure messaging | data not shown = 4 bytes"},
		{0x9F4D, "0B0A", Unknown, "byte 1: file of the log = 11 | byte 2: records in it = 10"},
		{0xDF31, "2000000000", UnionPay, "byte 1 b8-b5: script successful | byte 1 b4-b1: command that failed (0 none or not said, 15 the fifteenth or later) = 0 | bytes 2-5: script identifier = 00000000"},
		{0xDF8118, "60", Mastercard, "byte 1 b7: enciphered PIN, checked online (unconfirmed) | byte 1 b6: signature (unconfirmed)"},
		{0xDF8129, "30F0F020A8F0FF00", Mastercard, "byte 1 b8-b5: online request (unconfirmed) | byte 2 b8-b5: start not applicable (unconfirmed) | byte 3 b8-b5: online response data not applicable (unconfirmed) | byte 4 b8-b5: online PIN (unconfirmed) | byte 5 b8: user interface request on outcome (unconfirmed) | byte 5 b6: data record present (unconfirmed) | byte 5 b4: ?"},
		{0xDF7F, "00", Unknown, "unknown tag"},
		{0x57, "6299999999999999D20112010123456789", Unknown, ""},
	} {
		got := joined(Explain(c.tag, unhex(t, c.value), c.kernel))
		if want, prefix := strings.CutSuffix(c.want, " | byte 5 b4: ?"); prefix {
			if !strings.HasPrefix(got, want) {
				t.Errorf("%v %s, %v:\n got %s\nwant %s …", c.tag, c.value, c.kernel, got, want)
			}
		} else if got != c.want {
			t.Errorf("%v %s, %v:\n got %s\nwant %s", c.tag, c.value, c.kernel, got, c.want)
		}
	}
}

// TestIssuerApplicationData: the layouts by scheme, and that no scheme's layout
// is tried on another's card.
func TestIssuerApplicationData(t *testing.T) {
	const unionPay = "07010103A00000010A010000038787868FD1FC"
	for _, c := range []struct {
		value  string
		kernel Kernel
		want   []string
	}{
		{unionPay, UnionPay, []string{"issuer application data, UnionPay", "byte 2: derivation key index = 01", "byte 3: cryptogram version = 01",
			"byte 5 b6-b5: first cryptogram: ARQC", "byte 8: algorithm: triple DES", "= 0A010000038787868FD1FC"}},
		{"07011703A00000010A0100000500001EF41C46", UnionPay, []string{"byte 3: cryptogram version = 17", "first cryptogram: ARQC"}},
		{"07010103900000040A010000038787868FD1FC", UnionPay, []string{"first cryptogram: TC", "algorithm: SM4"}},
		{unionPay, Unknown, []string{"neither kernel nor AID is known"}},
		{unionPay, Visa, []string{"a format that is not known for kernel 3 (Visa)"}},
		{"06010A03A0B800", Visa, []string{"Visa format 0, 1 or 3", "byte 2: derivation key index = 01", "byte 3: format 0, cryptogram version 10",
			"byte 5 b6-b5: first cryptogram: ARQC", "byte 6 b8: last online transaction not completed", "byte 6 b6: velocity counters exceeded"}},
		{"06011203A00000", Visa, []string{"byte 3: format 1, cryptogram version 18"}},
		{"1F2201A0000000000000000000000000000000000000000000000000000000 00", Visa, []string{"Visa format 2 or 4", "byte 2: format 2, cryptogram version 22", "byte 3: derivation key index = 01"}},
		{"0110A00003220000000000000000000000FF", Mastercard, []string{"M/Chip 4 and Advance", "byte 1: derivation key index = 01", "session key by Mastercard's own derivation", "byte 3 b6-b5: first cryptogram: ARQC", "bytes 9-10", "bytes 11-18"}},
		{"0114A00003220000000000000000000000FF", Mastercard, []string{"session key by EMV common derivation"}},
		{"0FA501A00000000000000000000000000F000000000000000000000000000000", Unknown, []string{"common core definitions", "cryptogram by triple DES", "byte 4 b6-b5: first cryptogram: ARQC"}},
		{"0FA601A00000000000000000000000000F000000000000000000000000000000", Common, []string{"cryptogram by AES"}},
		{"07290104A0000000", JCB, []string{"issuer application data, JCB", "bits are not explained here", "(unconfirmed)"}},
		{"0601020364000000", Amex, []string{"American Express"}},
		{"01020304", Discover, []string{"a format that is not known for kernel 6 (Discover)"}},
		{"", UnionPay, []string{"not known for kernel 7"}},
	} {
		got := joined(Explain(0x9F10, unhex(t, c.value), c.kernel))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s, %v: no %q in\n%s", c.value, c.kernel, want, got)
			}
		}
	}
}

func TestIssuerAuthenticationData(t *testing.T) {
	for _, c := range []struct {
		value  string
		kernel Kernel
		want   string
	}{
		{"0CF41B31653661173030", JCB, "issuer authentication data, method 1 | bytes 1-8: ARPC = 0CF41B3165366117 | bytes 9-10: authorisation response code (ASCII) = 3030"},
		{"0CF41B31653661170012", Mastercard, "issuer authentication data, Mastercard | bytes 1-8: ARPC = 0CF41B3165366117 | bytes 9-10: ARPC response code = 0012"},
		// No scheme: as method 2 byte 7 would have reserved bits set.
		{"0CF41B31653661173030", Unknown, "issuer authentication data, method 1: the card status update of method 2 would have reserved bits set | " +
			"bytes 1-8: ARPC = 0CF41B3165366117 | bytes 9-10: authorisation response code (ASCII) = 3030"},
		// Eight bytes, of Visa and of no known scheme: an ARPC alone, or four bytes of it and a card status update.
		{"0CF41B3165366117", Visa, "issuer authentication data, method 1: the card status update of method 2 would have reserved bits set | bytes 1-8: ARPC = 0CF41B3165366117"},
		{"90EF477F00820000", Visa, "issuer authentication data, method 2, or method 1 | bytes 1-4: method 2: ARPC = 90EF477F (unconfirmed) | " +
			"byte 5 b4-b1: method 2: PIN try counter = 0 (unconfirmed) | byte 6 b8: method 2: issuer approves the online transaction (unconfirmed) | " +
			"byte 6 b2-b1: method 2: reset the offline counters (unconfirmed) | byte 8: method 2: issuer's bits = 0 (unconfirmed) | " +
			"bytes 1-8: method 1: ARPC = 90EF477F00820000 (unconfirmed)"},
		{"90EF477F0F820003112233", Unknown, "issuer authentication data, method 2, or method 1 | bytes 1-4: method 2: ARPC = 90EF477F (unconfirmed) | " +
			"byte 5 b4-b1: method 2: PIN try counter = 15 (unconfirmed) | byte 6 b8: method 2: issuer approves the online transaction (unconfirmed) | " +
			"byte 6 b2-b1: method 2: reset the offline counters (unconfirmed) | byte 8: method 2: issuer's bits = 3 (unconfirmed) | " +
			"bytes 9-11: method 2: proprietary authentication data = 112233 (unconfirmed) | " +
			"bytes 1-8: method 1: ARPC = 90EF477F0F820003 (unconfirmed) | bytes 9-11: method 1: issuer's data = 112233 (unconfirmed)"},
	} {
		if got := joined(Explain(0x91, unhex(t, c.value), c.kernel)); got != c.want {
			t.Errorf("%s, %v: got %s", c.value, c.kernel, got)
		}
	}
}

// Without a scheme, issuer application data is not explained, but what it has the
// form of is named.
func TestIssuerApplicationDataOfNoScheme(t *testing.T) {
	for value, want := range map[string]string{
		"07010103A0B000010A0100000000A9AB9C5E": "it has the form of issuer application data, UnionPay (unconfirmed)",
		"06010A03A00000":                       "it has the form of issuer application data, Visa format 0, 1 or 3 (unconfirmed) | it has the form of issuer application data, American Express (unconfirmed)",
		"0110A00003220000000000000000000000FF": "it has the form of issuer application data, M/Chip 4 and Advance (unconfirmed)",
		"0102030405060708":                     "",
	} {
		got := joined(Explain(0x9F10, unhex(t, value), Unknown))
		all := "the format depends on the scheme, and neither kernel nor AID is known"
		if want != "" {
			all += " | " + want
		}
		if got != all {
			t.Errorf("%s: %s", value, got)
		}
	}
}

func TestExplainAllShowsWhatIsNotSet(t *testing.T) {
	got := ExplainAll(0x95, unhex(t, "8000000000"), Unknown)
	if len(got) != 40 || got[0].Off || !got[1].Off || got[1].String() != "byte 1 b7: not SDA failed" {
		t.Errorf("%d lines: %s", len(got), joined(got))
	}
}

func TestKernelOfPAN(t *testing.T) {
	for pan, want := range map[string]Kernel{
		"4761739001010119": Visa, "5413330089020011": Mastercard, "2223000048400011": Mastercard, "2220990000000000": Unknown, "2721000000000000": Unknown,
		"374245001751006": Amex, "3528000700000000": JCB, "3530000000000000": Unknown, "6224242300000069": UnionPay, "6011000990139424": Discover,
		"6521000000000000": Unknown, "8171999900000018": Unknown, "5018000000000009": Unknown, "476173900101": Unknown, "47617D9001010119": Unknown, "": Unknown,
	} {
		if got := KernelOfPAN([]byte(pan)); got != want {
			t.Errorf("%s: %v, want %v", pan, got, want)
		}
	}
}
