// SPDX-License-Identifier: Apache-2.0

package recognise_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/frame"
	"tapswitch/iso8583/messagetest"
	"tapswitch/iso8583/recognise"
)

func candidates() (all []recognise.Dialect) {
	for _, e := range dialect.All() {
		all = append(all, recognise.Candidates(e)...)
	}
	return all
}

// messagesPerDialect is how many random messages each dialect has to be told by.
const messagesPerDialect = 500

// TestRandomMessages: messages of random fields with random values, bare or as
// they travel, name their dialect first, or tied with one that reads them as well.
func TestRandomMessages(t *testing.T) {
	all := candidates()
	for i, e := range dialect.All() {
		own := recognise.Candidates(e)[0]
		t.Run(e.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			first, tied := 0, 0
			for k := range messagesPerDialect {
				p, fields := message(t, rng, e, own)
				guesses := recognise.Rank(all, p)
				switch at := place(guesses, e.Name); {
				case at == 0:
					first++
				case at > 0 && guesses[at].Equal == 0:
					tied++
				default:
					lost := "not at all"
					if at > 0 {
						lost = fmt.Sprintf("place %d, %.0f bits against %.0f of %s (%s)", at, guesses[at].Bits, guesses[0].Bits, guesses[0].Dialect.Name, guesses[0].Head)
					}
					t.Errorf("message %d with fields %v: %s", k, fields, lost)
				}
			}
			t.Logf("%d named first, %d tied with the first", first, tied)
		})
	}
}

// place finds the whole reading by that dialect; -1 when there is none.
func place(guesses []recognise.Guess, name string) int {
	for i, g := range guesses {
		if g.Dialect.Name == name && g.Failure == nil && g.Known() {
			return i
		}
	}
	return -1
}

// message makes one of random fields, framed or not.
func message(t testing.TB, rng *rand.Rand, e dialect.Entry, d recognise.Dialect) (wire []byte, fields []int) {
	t.Helper()
	var usable []int
	for n := 2; n <= iso8583.MaxField; n++ {
		if d.Layout.Defines(n) {
			usable = append(usable, n)
		}
	}
	class := []int{1, 2, 3, 4, 5, 6, 8}[rng.IntN(7)]
	mti := iso8583.MTI(int(d.Digit-'0')<<12 | class<<8 | rng.IntN(4)<<4 | rng.IntN(2))
	var b iso8583.Builder
	b.Reset(d.Layout, mti)
	for _, at := range rng.Perm(len(usable))[:3+rng.IntN(min(20, len(usable)-3))] {
		n := usable[at]
		fields = append(fields, n)
		if p := sensible(rng, n, d.Layout.Max(n)); p != nil && rng.IntN(2) == 0 {
			b.SetText(n, p) // as real messages have it
		} else {
			messagetest.Set(&b, rng, d.Layout, n)
		}
	}
	body, err := b.Append(nil)
	if err != nil {
		t.Fatalf("%s %v: %v", e.Name, fields, err)
	}
	return framed(t, rng, e, body), fields
}

func framed(t testing.TB, rng *rand.Rand, e dialect.Entry, body []byte) []byte {
	format := e.Format
	switch rng.IntN(3) {
	case 0:
		return body
	case 1:
		format = frame.Format{Length: frame.Length(rng.IntN(int(frame.Body)))}
	}
	out, err := messagetest.Frame(format, body)
	if e, ok := errors.AsType[*frame.Error](err); ok && (e.Reason == frame.ReasonTooLong || e.Reason == frame.ReasonETXInside) {
		return body // the format cannot carry it
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sensible is a value as real messages have it, nil where there is no custom.
func sensible(rng *rand.Rand, n, size int) []byte {
	stamp := fmt.Sprintf("2026%02d%02d%02d%02d%02d", 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60))
	text := ""
	switch n {
	case 7:
		text = stamp[4:]
	case 12:
		text = map[int]string{6: stamp[8:], 12: stamp[2:], 14: stamp}[size]
	case 13, 15, 16, 17:
		text = map[int]string{4: stamp[4:8], 6: stamp[2:8], 8: stamp[:8]}[size]
	case 14:
		text = map[int]string{4: stamp[2:6]}[size]
	case 49, 50, 51:
		text = map[int]string{3: "156"}[size]
	case 2:
		text = "6224242300000069"
	}
	if text == "" {
		return nil
	}
	return []byte(text)
}
