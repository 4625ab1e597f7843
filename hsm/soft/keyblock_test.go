// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"errors"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// TestTerminalTakesItsHalf goes the whole way of a terminal that speaks key blocks: the
// switch makes its set under a KBPK, the terminal takes it in, enciphers a PIN that the
// switch then translates, and makes a MAC that the switch verifies.
func TestTerminalTakesItsHalf(t *testing.T) {
	ctx, sides := t.Context(), [2]*Module{open(t), open(t)}
	part, err := secret.NewKey([]byte("0123456789abcdef0123456789ABCDEF"))
	if err != nil {
		t.Fatal(err)
	}
	var kbpk [2]hsm.Key
	for i, m := range sides {
		if kbpk[i], err = m.LoadClear(ctx, hsm.Spec{Name: "kbpk", Owner: "o", Usage: hsm.KBPK, Algorithm: hsm.AES256, Version: 1}, part); err != nil {
			t.Fatal(err)
		}
	}
	var set []hsm.WorkingKey
	for _, u := range []hsm.Usage{hsm.TPK, hsm.TAK, hsm.TDK} {
		set = append(set, hsm.WorkingKey{Spec: hsm.Spec{Name: u.String(), Owner: "o", Usage: u, Algorithm: hsm.TDES2, Version: 1}})
	}
	ours, out, err := sides[0].GenerateSet(ctx, &kbpk[0], set...)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := sides[1].LoadSet(ctx, &kbpk[1], set, out)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := secret.NewKey([]byte("1234"))
	if err != nil {
		t.Fatal(err)
	}
	card := pan(t, "6224242300000069")
	block, err := sides[1].EncipherPIN(ctx, pin, hsm.PINTarget{Format: hsm.ISO0, Key: &theirs[0], PAN: card})
	if err != nil {
		t.Fatal(err)
	}
	zpk, err := sides[0].Generate(ctx, hsm.Spec{Name: "zpk", Owner: "o", Usage: hsm.ZPK, Algorithm: hsm.TDES2, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	in := hsm.EncipheredPIN{Block: block, Format: hsm.ISO0, Key: &ours[0], PAN: card}
	if _, err := sides[0].TranslatePIN(ctx, in, hsm.PINTarget{Format: hsm.ISO0, Key: &zpk, PAN: card}); err != nil {
		t.Error(err)
	}
	mac, err := sides[1].MAC(ctx, &theirs[1], hsm.MACRetail, []byte("a message"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sides[0].VerifyMAC(ctx, &ours[1], hsm.MACRetail, []byte("a message"), mac); err != nil {
		t.Error(err)
	}
}

// TestBrokenRandomness: a source that gives weak keys for ever is said to be broken.
func TestBrokenRandomness(t *testing.T) {
	m, err := New(zeros{}, wall{})
	if err != nil {
		t.Fatal(err)
	}
	spec := hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2}
	if _, err := m.Generate(t.Context(), spec); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("keys out of zeros: %v, want ErrUnavailable", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
