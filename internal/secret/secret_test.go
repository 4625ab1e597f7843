// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const testPAN = "6224242300000069"

// holder has secrets in every position that reflection can reach.
type holder struct {
	Out   PAN
	in    PAN
	ptr   *PAN
	list  []PAN
	table map[string]PAN
	pin   PINBlock
	track Track2
	icc   ICC
	key   Key
	cvv   CVV
}

func newHolder(t *testing.T) holder {
	t.Helper()
	pan, err := NewPAN([]byte(testPAN))
	if err != nil {
		t.Fatal(err)
	}
	pin, _ := NewPINBlock([]byte("8PINBYTE"))
	track, _ := NewTrack2([]byte(testPAN + "D2512"))
	icc, _ := NewICC([]byte("ICCDATA" + testPAN))
	key, _ := NewKey([]byte("KEYKEYKEYKEYKEY!"))
	cvv, err := NewCVV([]byte("90817"))
	if err != nil {
		t.Fatal(err)
	}
	return holder{pan, pan, &pan, []PAN{pan}, map[string]PAN{"a": pan}, pin, track, icc, key, cvv}
}

func TestNothingPrints(t *testing.T) {
	h := newHolder(t)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
		fmt.Fprintf(&out, verb+"\n", []any{h.in, h.ptr, h.list, h.table, h.pin, h.track, h.icc, h.key, h.cvv})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "h", h, "pan", h.in, "pin", h.pin)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "h", h, "pan", h.in, "pin", h.pin)
	j, err := json.Marshal([]any{h, h.in, h.pin, h.track, h.icc, h.key, h.cvv})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	text := out.String()
	for _, clear := range []string{testPAN, "8PINBYTE", "ICCDATA", "KEYKEY", "90817"} {
		for _, form := range []string{clear, hex.EncodeToString([]byte(clear)), strings.Trim(fmt.Sprint([]byte(clear)), "[]")} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("printed in clear as %q", form)
			}
		}
	}
	if !strings.Contains(text, "622424******0069") {
		t.Error("the masked form is nowhere")
	}
}

func TestPAN(t *testing.T) {
	pan, _ := NewPAN([]byte(testPAN))
	if got := pan.Account12(); string(got[:]) != "424230000006" {
		t.Errorf("account12 %s", got[:])
	}
	short, _ := NewPAN([]byte("12345678"))
	if got := short.Account12(); string(got[:]) != "000001234567" {
		t.Errorf("short account12 %s", got[:])
	}
	if short.String() != "****5678" {
		t.Errorf("short mask %s", short)
	}
	for pan, ok := range map[string]bool{"4761739001010119": true, "4761739001010118": false, "5413330089020011": true} {
		p, _ := NewPAN([]byte(pan))
		if p.LuhnOK() != ok {
			t.Errorf("luhn of %s is %v", p, !ok)
		}
	}
	for _, bad := range []string{"1234567", "12345678901234567890", "12345678a"} {
		if _, err := NewPAN([]byte(bad)); err == nil {
			t.Errorf("accepted a PAN of %d characters", len(bad))
		}
	}
}

func TestCVV(t *testing.T) {
	for text, ok := range map[string]bool{"1": true, "123": true, "12345": true, "": false, "123456": false, "12a": false, " 12": false} {
		v, err := NewCVV([]byte(text))
		if ok != (err == nil) || ok && string(v.AppendTo(nil, ForTest)) != text {
			t.Errorf("a value of %d characters: %v", len(text), err)
		}
	}
}

func TestWipe(t *testing.T) {
	pan, _ := NewPAN([]byte(testPAN))
	copied, clear := pan, pan.Reveal(ForTest)
	pan.Wipe()
	if !copied.IsZero() || strings.Trim(string(clear), "\x00") != "" {
		t.Error("a copy survived the wipe")
	}
	PAN{}.Wipe() // a value never set has nothing to wipe
}
