// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tapswitch/hsm"
)

func component(t testing.TB, value []byte) *Component {
	t.Helper()
	c, err := NewComponent()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	copy(c.Value(), value)
	return c
}

// shown is what a custodian writes down.
func shown(t testing.TB, c *Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Show(func(b []byte) error { _, err := out.Write(b); return err }); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// pieces gives Type text in pieces of at most n bytes.
func pieces(text string, n int) func([]byte) (int, error) {
	in := strings.NewReader(text)
	return func(b []byte) (int, error) { return in.Read(b[:min(n, len(b))]) }
}

// digitsOf takes a component off the paper: without the numbers of the groups.
func digitsOf(paper string) string {
	var b strings.Builder
	for line := range strings.Lines(paper) {
		b.WriteString(line[5:])
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(b.String())
}

func TestComponentIsShownAndTypedAgain(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.SliceOfN(rapid.Byte(), ComponentLen, ComponentLen).Draw(r, "value")
		c, again := component(t, value), component(t, nil)
		paper := shown(t, c)
		if err := again.Type(pieces(digitsOf(paper)+"\r\n", rapid.IntRange(1, 100).Draw(r, "piece"))); err != nil || !again.Equal(c) {
			r.Fatalf("typed with check digits: %v", err)
		}
		again.Wipe()
		if err := again.Type(pieces(hex.EncodeToString(value)+"\n", 100)); err != nil || !bytes.Equal(again.Value(), value) {
			r.Fatalf("typed without check digits: %v", err)
		}
		if !bytes.Equal(c.mem[ComponentLen:], make([]byte, len(c.mem)-ComponentLen)) || !bytes.Equal(again.mem[ComponentLen:], make([]byte, len(again.mem)-ComponentLen)) {
			r.Fatal("the page holds digits that were shown or typed")
		}
	})
}

// TestEveryWrongDigitIsFound: the check digit names the group, whichever digit
// is wrong, and swapped neighbours but 0 and F.
func TestEveryWrongDigitIsFound(t *testing.T) {
	const written = "0123 4567 4 89AB CDEF 0 0011 2233 E 4455 6677 E 8899 AABB A CCDD EEFF A 0F1E 2D3C A 4B5A 6978 A"
	c := component(t, nil)
	typed := []byte(strings.ReplaceAll(digitsOf(shown(t, component(t, unhexed(t, "0123456789ABCDEF00112233445566778899AABBCCDDEEFF0F1E2D3C4B5A6978")))), " ", ""))
	typed = bytes.ReplaceAll(typed, []byte("-"), nil)
	if got := string(typed); got != strings.ReplaceAll(written, " ", "") {
		t.Fatalf("check digits changed: %s", got)
	}
	var m *Mistyped
	for i := range typed {
		for _, other := range []byte("0123456789ABCDEF") {
			wrong := bytes.Clone(typed)
			if wrong[i] = other; other == typed[i] {
				continue
			}
			if err := c.Type(pieces(string(wrong)+"\n", 100)); !errors.As(err, &m) || m.Group != i/9+1 {
				t.Fatalf("digit %d wrong: %v", i+1, err)
			}
		}
		if i%9 == 8 || typed[i] == typed[i+1] || strings.Contains("0F0", string(typed[i:i+2])) {
			continue
		}
		wrong := bytes.Clone(typed)
		wrong[i], wrong[i+1] = wrong[i+1], wrong[i]
		if err := c.Type(pieces(string(wrong)+"\n", 100)); !errors.As(err, &m) || m.Group != i/9+1 {
			t.Errorf("digits %d and %d swapped: %v", i+1, i+2, err)
		}
	}
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsNoComponent(t *testing.T) {
	good := strings.Repeat("0123456789abcdef", 4)
	for text, want := range map[string]error{
		"\n": ErrTyped, good[1:] + "\n": ErrTyped, good + "0\n": ErrTyped, "x" + good + "\n": ErrTyped, good: io.EOF,
		strings.Repeat(" ", 600) + "\n": ErrTyped, "abort\n": ErrStopped, " ABORT \r\n": ErrStopped,
	} {
		c := component(t, nil)
		err := c.Type(pieces(text, 64))
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "0123") {
			t.Errorf("the error tells digits: %v", err)
		}
		if !bytes.Equal(c.mem, make([]byte, len(c.mem))) {
			t.Errorf("%q: something stays on the page", text)
		}
	}
}

// TestComponentsOfEverySize: a key's component is typed as it is shown, or as digits
// alone; digits of another size are refused, with how many it wants.
func TestComponentsOfEverySize(t *testing.T) {
	for _, size := range []int{8, 16, 24, 32} {
		c, err := NewKeyComponent(size)
		if err != nil {
			t.Fatal(err)
		}
		if !c.IsZero() {
			t.Error("a new component is not zero")
		}
		value := bytes.Repeat([]byte{0xA5, 0x17, 0x3C, 0xF0}, size/4)
		for _, text := range []string{hex.EncodeToString(value), ""} {
			if text == "" {
				text = digitsOf(shown(t, c))
			}
			if err := c.Type(pieces(text+"\n", 9)); err != nil || !bytes.Equal(c.Value(), value) || c.IsZero() {
				t.Errorf("%d bytes: %v, %X", size, err, c.Value())
			}
		}
		var m *Mistyped
		if err := c.Type(pieces(hex.EncodeToString(value[1:])+"\n", 100)); !errors.As(err, &m) || m.Digits != 2*size-2 || m.Want != 2*size {
			t.Errorf("%d bytes, one too few: %v", size, err)
		}
		if key, err := c.Key(); err != nil || key.Len() != size {
			t.Errorf("a key of %d bytes, %v", key.Len(), err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewKeyComponent(20); !errors.Is(err, hsm.ErrInput) {
		t.Errorf("20 bytes: %v, want ErrInput", err)
	}
}

func TestSumAndClose(t *testing.T) {
	a, b, sum := component(t, bytes.Repeat([]byte{0x0F}, 32)), component(t, bytes.Repeat([]byte{0xFF}, 32)), component(t, bytes.Repeat([]byte{9}, 32))
	sum.Sum([]*Component{a, b})
	if !bytes.Equal(sum.Value(), bytes.Repeat([]byte{0xF0}, 32)) || sum.Equal(a) {
		t.Errorf("sum %X", sum.Value())
	}
	copied := component(t, nil)
	copied.Copy(a)
	if !copied.Equal(a) {
		t.Error("the copy differs")
	}
	page := sum.mem
	sum.Wipe()
	if !bytes.Equal(page, make([]byte, len(page))) {
		t.Error("something stays after Wipe")
	}
	if err := sum.Close(); err != nil {
		t.Error(err)
	}
	if err := sum.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func FuzzComponent(f *testing.F) {
	f.Add([]byte(strings.Repeat("0123456789abcdef", 4) + "\n"))
	f.Add([]byte("0123 4567 - C\r\nabort\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := component(t, nil)
		err := c.Type(bytes.NewReader(text).Read)
		var m *Mistyped
		if err != nil && !errors.As(err, &m) && !errors.Is(err, ErrStopped) && !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	})
}
