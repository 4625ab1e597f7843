// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"bytes"
	"crypto/des"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tapswitch/hsm"
)

var rewrite = flag.Bool("rewrite", false, "write the table of docs/reference/key-blocks.md anew")

// TestPage: the page for people shows the table of the program.
func TestPage(t *testing.T) {
	const file, begin, end = "../../docs/reference/key-blocks.md", "<!-- table: go test ./hsm/keyblock -rewrite -->\n", "<!-- end of table -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(page, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatal("the page has no place for the table")
	}
	var b strings.Builder
	b.WriteString("| usage here | key usage | algorithm | modes of use | of the terminal's half | a new block says |\n|---|---|---|---|---|---|\n")
	for _, row := range agreements {
		var usages, under []string
		for i := 0; i < len(row.blocks); i += 2 {
			usages = append(usages, row.blocks[i:i+2])
		}
		for _, a := range []byte(row.under) {
			under = append(under, fmt.Sprintf("%c: %s", a, lengths(row.usage, a)))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s %c |\n", row.usage, strings.Join(usages, ", "), strings.Join(under, "; "),
			strings.Join(strings.Split(row.modes, ""), ", "), row.pinPad, row.blocks[:2], (row.pinPad + row.modes)[0])
	}
	want := fmt.Appendf(nil, "%s%s%s%s%s", head, begin, b.String(), end, tail)
	if *rewrite {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(page, want) {
		t.Error("docs/reference/key-blocks.md is out of date: go test ./hsm/keyblock -rewrite, and read the diff")
	}
}

// lengths are the algorithms of a letter that a usage may have.
func lengths(u hsm.Usage, a byte) string {
	if a == 'D' {
		return "single length"
	}
	var out []string
	for _, algorithm := range []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256, hsm.HMAC128, hsm.HMAC192, hsm.HMAC256} {
		if letter(algorithm) == a && slices.Contains(u.Algorithms(), algorithm) {
			out = append(out, algorithm.String())
		}
	}
	return strings.Join(out, ", ")
}

// TestTableIsSound: each usage that may travel in a key block has a row, no other has
// one, every value is one of the standard's, and what we make we also take, both ways.
func TestTableIsSound(t *testing.T) {
	has := make(map[hsm.Usage]bool)
	for _, row := range agreements {
		has[row.usage] = true
		for i := 0; i < len(row.blocks); i += 2 {
			for _, a := range []byte(row.under) {
				for _, m := range []byte(row.modes + row.pinPad) {
					h := Header{Version: 'E', Usage: row.blocks[i : i+2], Algorithm: a, Mode: m, KeyVersion: "00", Exportability: 'E', Context: '0'}
					if err := h.checkFields(); err != nil {
						t.Errorf("%s: %v", row.usage, err)
					}
				}
			}
		}
	}
	for u := hsm.TMK; u <= hsm.HMACKey; u++ {
		if has[u] != hsm.OpTravelsInKeyBlock.Allows(u) {
			t.Errorf("%s: a row %v, may travel %v", u, has[u], !has[u])
		}
		for a := hsm.TDES2; a <= hsm.SM4; a++ {
			spec := hsm.Spec{Name: "n", Owner: "o", Usage: u, Algorithm: a}
			if spec.Check() != nil || !has[u] {
				continue
			}
			w := hsm.WorkingKey{Spec: spec}
			h, err := HeaderFor(&w, &hsm.Key{Algorithm: hsm.AES256})
			if a == hsm.SM4 { // has no letter
				if !errors.Is(err, hsm.ErrUsage) {
					t.Errorf("%s of %s: %v, want ErrUsage", u, a, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s of %s has no header: %v", u, a, err)
				continue
			}
			if err := Agree(&h, &w, true); err != nil {
				t.Errorf("%s of %s: what is made is not taken: %v", u, a, err)
			}
		}
	}
}

// TestAgreeAllHeaders: over all usages, algorithms and modes of the standard, a header
// agrees with a wish exactly where the table says so.
func TestAgreeAllHeaders(t *testing.T) {
	n := 0
	for u := hsm.TMK; u <= hsm.HMACKey; u++ {
		for _, usage := range strings.Fields(usages) {
			for _, a := range []byte(algorithms) {
				for _, m := range []byte(modes) {
					h := Header{Version: 'E', Usage: usage, Algorithm: a, Mode: m, KeyVersion: "00", Exportability: 'E', Context: '0'}
					for _, pinPad := range []bool{false, true} {
						want := false
						for _, row := range agreements {
							ok := row.usage == u && strings.Contains(" "+strings.Join(pairs(row.blocks), " "), " "+usage) && strings.Contains(row.under, string(rune(a)))
							want = want || ok && (strings.Contains(row.modes, string(rune(m))) || pinPad && strings.Contains(row.pinPad, string(rune(m))))
						}
						w := hsm.WorkingKey{Spec: hsm.Spec{Usage: u, Algorithm: map[byte]hsm.Algorithm{'A': hsm.AES128, 'H': hsm.HMAC128}[a]}, Single: a == 'D'}
						if w.Algorithm == 0 {
							w.Algorithm = hsm.TDES2
						}
						err := Agree(&h, &w, pinPad)
						if want != (err == nil) || err != nil && (!errors.Is(err, hsm.ErrUsage) || !errors.Is(err, ErrAgree)) {
							t.Fatalf("%s and %s %c %c, terminal %v: %v", u, usage, a, m, pinPad, err)
						}
						if want {
							n++
						}
					}
				}
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d headers agree with anything", n)
	}
}

func pairs(s string) (out []string) {
	for ; len(s) >= 2; s = s[2:] {
		out = append(out, s[:2])
	}
	return out
}

// TestWeakKeys: each of the list undoes itself or exactly one other of the list, which
// is what makes it weak; each is of odd parity and found with any parity.
func TestWeakKeys(t *testing.T) {
	values := make([][]byte, len(weak))
	for i, w := range weak {
		values[i] = binary.BigEndian.AppendUint64(nil, w)
	}
	for i, value := range values {
		partners := 0
		for _, other := range values {
			block := []byte("a block.")
			for _, k := range [][]byte{value, other} {
				c, err := des.NewCipher(k)
				if err != nil {
					t.Fatal(err)
				}
				c.Encrypt(block, block)
			}
			if string(block) == "a block." {
				partners++
			}
		}
		if partners != 1 || !OddParity(value) || !WeakPart(append([]byte("harmless"), value...)) {
			t.Errorf("%016X undoes %d keys", weak[i], partners)
		}
		value[3] ^= 1
		if !WeakPart(value) || OddParity(value) {
			t.Errorf("%016X with another parity is taken", weak[i])
		}
	}
	if WeakPart([]byte("harmless")) || WeakPart(nil) || EqualParts([]byte("harmless")) {
		t.Error("an ordinary key is refused")
	}
}
