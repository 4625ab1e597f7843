// SPDX-License-Identifier: Apache-2.0

package card

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// A card that takes scripts says so to a reader that brings them, checks the issuer's
// word about its last cryptogram, once, and only then does what the script says.
func TestScriptAtASecondTap(t *testing.T) {
	c, _ := drawn(t, "unionpay-scripts")
	ask := func(apdu string) string {
		t.Helper()
		answer, present := c.Transceive(unhex(t, apdu))
		if !present || len(answer) < 2 {
			t.Fatalf("%s: %X", apdu, answer)
		}
		return strings.ToUpper(hex.EncodeToString(answer[len(answer)-2:]))
	}
	expect := func(what, apdu, want string) {
		t.Helper()
		if got := ask(apdu); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	if got := tap(t, c)[2]; !bytes.Contains(got, unhex(t, "9F6C020000")) {
		t.Errorf("to a reader that brings no scripts: %X", got)
	}
	pay := func(code string) string { t.Helper(); return payAndAsk(t, c, code) }
	again := func() { c.PowerOn(); expect("select", selectUnionPay, "9000") }
	const put = "04DA9F580301AABB"
	word := pay("00")
	expect("in the payment itself", word, "6985")
	again()
	expect("a script without the issuer's word", put, "6982")
	expect("the word", word, "9000")
	expect("a script", put, "9000")
	expect("of another object", "04DA9F130101", "6A88")
	expect("of nothing", "04DA9F58", "6700")
	if got := c.Value(0x9F58); !bytes.Equal(got, unhex(t, "01AABB")) || c.Value(0x9F59) != nil {
		t.Errorf("9F58 is %X", got)
	}
	expect("the word twice", word, "6985")
	again()
	expect("a third tap", put, "6982")

	word = pay("00")
	again()
	expect("a word of another length", "0082000009"+word[10:28], "6700")
	expect("a word about another code", word[:26]+hex.EncodeToString([]byte("05")), "6300")
	expect("which was the only try", word, "6985")
	expect("and no script", put, "6982")

	c, _ = drawn(t, "unionpay")
	tap(t, c)
	again()
	expect("a card that takes none", word, "6D00")
	expect("a card that takes none", put, "6E00")
}

// payAndAsk is a first tap, and what its issuer answers: EXTERNAL AUTHENTICATE with the
// ARPC and a code.
func payAndAsk(t *testing.T, c *Card, code string) string {
	t.Helper()
	c.PowerOn()
	c.Transceive(unhex(t, selectUnionPay))
	answer, _ := c.Transceive(unhex(t, strings.Replace(gpoUnionPay, "36800000", "36808000", 1)))
	at := bytes.Index(answer, unhex(t, "9F2608"))
	if at < 0 || !bytes.Contains(answer, unhex(t, "9F6C020040")) {
		t.Fatalf("GPO: %X", answer)
	}
	block := append([]byte(nil), answer[at+3:at+11]...)
	block[0] ^= code[0]
	block[1] ^= code[1]
	at = bytes.Index(answer, unhex(t, "9F3602"))
	sessionKey(c.mk, uint16(answer[at+3])<<8|uint16(answer[at+4])).tdes().Encrypt(block, block)
	return "008200000A" + hex.EncodeToString(block) + hex.EncodeToString([]byte(code))
}
