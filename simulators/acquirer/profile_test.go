// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"strings"
	"testing"
)

// tagsOf reads hex by tag.
func tagsOf(pairs ...string) map[string][]byte {
	out := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		out[strings.ToLower(pairs[i])] = unhex(pairs[i+1])
	}
	return out
}

// TestPublishedCryptograms runs whole profiles over published cryptograms and
// answers (a public test set that was checked against a hardware module).
func TestPublishedCryptograms(t *testing.T) {
	base := func(ac, amount, tvr, date, kind, un, iad string) map[string][]byte {
		return tagsOf("9F26", ac, "9F02", amount, "9F03", "000000000000", "9F1A", "0124", "95", tvr, "5F2A", "0124", "9A", date, "9C", kind, "9F37", un, "82", "1800", "9F36", "001C", "9F10", iad)
	}
	visa := func(ac, iad string) map[string][]byte {
		return base(ac, "000000004000", "8000048000", "191105", "01", "52BF4585", iad)
	}
	mchip := func(ac, iad string) map[string][]byte {
		return base(ac, "000000009999", "8000000000", "209906", "00", "ABCDEF12", iad)
	}
	for _, x := range []struct {
		profile Profile
		tags    map[string][]byte
		answer  string // to response 00, where it is printed
	}{
		{VisaCVN10, visa("29CCA15AE665FA2E", "06010A03A06010"), "910A28993816AFAE4AEB3030"},
		{VisaCVN18, visa("7A788EA6B8A3E733", "06011203A0B800"), ""},
		{MChipCVN16, mchip("24CCF3DEE3158C70", "0110A0000322000000000000000000000000"), "910A73F6BBF389A6586C0010"},
		{MChipCVN20, mchip("CD29615D6452E70E", "0114A0000322000000000000000000000000"), "910ADFD0956606B68D640010"},
	} {
		r, ok := x.profile.rules()
		if !ok {
			t.Fatalf("%s is not known", x.profile)
		}
		c := chip{r, cardKey(unhex("0123456789ABCDEFFEDCBA9876543210"), []byte("1234567890123456"), "00", true), x.tags}
		if err := c.check(); err != nil {
			t.Errorf("%s: %v", x.profile, err)
		}
		if got := hexUpper([]byte(c.answer(codeApproved))); x.answer != "" && got != x.answer {
			t.Errorf("%s: answer %s, want %s", x.profile, got, x.answer)
		}
		x.tags["9f02"][5] ^= 1
		if err := c.check(); err == nil || err.Error() != "arqc_wrong" {
			t.Errorf("%s, amount changed: %v", x.profile, err)
		}
		x.tags["9f10"][r.cvnAt]++
		if err := c.check(); err == nil || err.Error() != "arqc_cvn_of_another_profile" {
			t.Errorf("%s, another CVN: %v", x.profile, err)
		}
	}
}

// TestAnswerByStatusUpdate is method 2 over the published cryptogram, with the
// printed answer to a status update of zeros: a refusal.
func TestAnswerByStatusUpdate(t *testing.T) {
	r, _ := VisaCVN18.rules()
	c := chip{r, cardKey(unhex("0123456789ABCDEFFEDCBA9876543210"), []byte("1234567890123456"), "00", false), tagsOf("9F26", "7A788EA6B8A3E733", "9F36", "001C")}
	if got := hexUpper([]byte(c.answer("05"))); got != "91089AF514C100000000" {
		t.Errorf("refusal %s", got)
	}
	if got := hexUpper([]byte(c.answer(codeApproved))); len(got) != 20 || !strings.HasSuffix(got, "00820000") {
		t.Errorf("approval %s", got)
	}
}

// TestCVN17 covers three tags and one byte; no published value exists, so the
// data is compared, and what is not covered is changed.
func TestCVN17(t *testing.T) {
	r, _ := VisaCVN17.rules()
	tags := tagsOf("9F26", "0000000000000000", "9F02", "000000004000", "9F37", "52BF4585", "9F36", "001C", "9F10", "06011103A0B0C0")
	c := chip{r, cardKey(unhex("0123456789ABCDEFFEDCBA9876543210"), []byte("1234567890123456"), "00", false), tags}
	data, err := c.data()
	if err != nil || hexUpper(data) != "00000000400052BF4585001CA0" {
		t.Fatalf("%X, %v", data, err)
	}
	ac := retailMAC(c.mk, padZero(data))
	tags["9f26"] = ac[:]
	tags["9f10"][5] ^= 0xFF
	if err := c.check(); err != nil {
		t.Errorf("a byte that is not covered: %v", err)
	}
	tags["9f10"][4] ^= 0x10
	if err := c.check(); err == nil {
		t.Error("the byte that is covered does not matter")
	}
}
