// SPDX-License-Identifier: Apache-2.0

package kernel_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/secret"
	"tapswitch/terminal/kernel"
	"tapswitch/terminal/reader"
)

// obeys answers commands by their beginning; what it does not know gets 9000, "gone"
// is a card that left, "broken" a reader that failed.
type obeys struct {
	words map[string]string
	sent  []string
}

func (c *obeys) Transceive(_ context.Context, apdu []byte) ([]byte, error) {
	text := strings.ToUpper(hex.EncodeToString(apdu))
	c.sent = append(c.sent, text)
	for begin, word := range c.words {
		if strings.HasPrefix(text, begin) {
			switch word {
			case "gone":
				return nil, fmt.Errorf("card: %w", reader.ErrCardGone)
			case "broken":
				return nil, reader.ErrChip
			}
			return hex.DecodeString(word)
		}
	}
	return []byte{0x90, 0}, nil
}

// At the second tap the application is selected, the issuer's word is told, and each
// script runs up to its first command that fails; what came of each is told in any case.
func TestScriptsOfAnIssuer(t *testing.T) {
	const (
		auth   = "910A11223344556677883030"
		one    = "7215" + "9F18040000002A" + "860604DA9F580101" + "860404DA9F59" // two commands
		two    = "710D" + "9F18040000002B" + "8604841E0000"
		broken = "7205" + "8604841E00"
		selAPP = "00A4040008A00000033301010100"
		extern = "008200000A11223344556677883030"
	)
	aid, _ := hex.DecodeString("A000000333010101")
	for name, c := range map[string]struct {
		answer string
		words  map[string]string
		sent   string
		want   string
	}{
		"none":               {auth, nil, "", "[]"},
		"all":                {auth + one + two, nil, selAPP + " " + extern + " 04DA9F580101 04DA9F59 841E0000", "[{[0 0 0 42] true 0} {[0 0 0 43] true 0}]"},
		"a warning":          {one, map[string]string{"04DA9F58": "6310"}, selAPP + " 04DA9F580101 04DA9F59", "[{[0 0 0 42] true 0}]"},
		"the second refused": {one + two, map[string]string{"04DA9F59": "6A88"}, selAPP + " 04DA9F580101 04DA9F59 841E0000", "[{[0 0 0 42] true 2} {[0 0 0 43] true 0}]"},
		"the first refused":  {one + two, map[string]string{"04DA9F58": "6982"}, selAPP + " 04DA9F580101 841E0000", "[{[0 0 0 42] true 1} {[0 0 0 43] true 0}]"},
		"not selected":       {one, map[string]string{"00A4": "6A82"}, selAPP, "[{[0 0 0 42] false 0}]"},
		"not believed":       {auth + two, map[string]string{"0082": "6300"}, selAPP + " " + extern + " 841E0000", "[{[0 0 0 43] true 0}]"},
		"gone at once":       {one, map[string]string{"00A4": "gone"}, selAPP, "[{[0 0 0 42] false 0}]"},
		"gone in between":    {one + two, map[string]string{"04DA9F59": "gone"}, selAPP + " 04DA9F580101 04DA9F59", "[{[0 0 0 42] true 2} {[0 0 0 43] false 0}]"},
		"malformed":          {broken, nil, selAPP, "[{[0 0 0 0] false 0}]"},
	} {
		raw, err := hex.DecodeString(c.answer)
		icc, err2 := secret.NewICC(raw)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		card := &obeys{words: c.words}
		got, err := kernel.RunScripts(context.Background(), card, aid, icc)
		if sent := strings.Join(card.sent, " "); err != nil || fmt.Sprint(got) != c.want || sent != c.sent {
			t.Errorf("%s: %v %v, sent %s\nwant %s, sent %s", name, got, err, sent, c.want, c.sent)
		}
	}
	raw, _ := hex.DecodeString(one)
	icc, _ := secret.NewICC(raw)
	got, err := kernel.RunScripts(context.Background(), &obeys{words: map[string]string{"04DA9F58": "broken"}}, aid, icc)
	if !errors.Is(err, reader.ErrChip) || fmt.Sprint(got) != "[{[0 0 0 42] true 1}]" {
		t.Errorf("a reader that fails: %v %v", got, err)
	}
}
