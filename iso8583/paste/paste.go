// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// MaxInput bounds a paste: four of the longest messages as a spaced dump.
const MaxInput = 1 << 20

// MaxReadings bounds how many ways are offered.
const MaxReadings = 12

// minBytes is the least a message has: an MTI of two bytes and a bitmap of
// eight. Shorter runs in a log are times and numbers.
const minBytes = 10

// maxRuns bounds what is looked at in a large log: nobody wants the thousandth
// message of it guessed.
const maxRuns = 20 * MaxReadings

// Form is a way of writing bytes.
type Form string

// The forms.
const (
	Binary Form = "bytes"
	Dump   Form = "hex dump"
	Hex    Form = "hex"
	Base64 Form = "base64"
	Text   Form = "text"
)

// Reading is one way to read the paste.
type Reading struct {
	Form  Form
	Bytes []byte
	Line  int  // the line it begins on, from 1; 0 for Binary
	Part  bool // the rest of the paste is something else, as in a log
}

// Error says why nothing could be read, where, and what to do.
type Error struct {
	Line int // from 1; 0 when it is about the whole paste
	What string
	Fix  string
}

// Error gives it in one line.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("paste: line %d: %s: %s", e.Line, e.What, e.Fix)
	}
	return "paste: " + e.What + ": " + e.Fix
}

// Readings gives the ways to read p, the likeliest first.
func Readings(p []byte) ([]Reading, error) {
	if len(p) > MaxInput {
		return nil, &Error{What: fmt.Sprintf("%d bytes are more than the bound of %d", len(p), MaxInput), Fix: "give one message; for a capture use: tapswitch iso pcap"}
	}
	if !printable(p) {
		return []Reading{{Form: Binary, Bytes: p}}, nil
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(p), "\uFEFF"))
	if text == "" {
		return nil, &Error{What: "nothing in it", Fix: "paste hex, a hex dump, base64 or a log line, or name a file"}
	}
	firstLine := 1 + strings.Count(string(p[:bytes.Index(p, []byte(text[:1]))]), "\n")
	all := readText(text, firstLine)
	if len(all) == 0 {
		return nil, &Error{Line: firstLine, What: "no message in this text", Fix: fmt.Sprintf("at least %d bytes are needed, as hex, a hex dump, base64 or text", minBytes)}
	}
	return all, nil
}

// readText collects the readings of a text, dropping equal ones.
func readText(text string, line int) (all []Reading) {
	add := func(r Reading) {
		same := func(o Reading) bool { return bytes.Equal(o.Bytes, r.Bytes) }
		if len(all) < MaxReadings && len(r.Bytes) >= minBytes && !slices.ContainsFunc(all, same) {
			all = append(all, r)
		}
	}
	for _, r := range dumps(text, line) {
		add(r)
	}
	if b, ok := wholeHex(text); ok {
		add(Reading{Form: Hex, Bytes: b, Line: line})
	}
	if b, ok := wholeBase64(text); ok {
		add(Reading{Form: Base64, Bytes: b, Line: line})
	}
	for _, r := range runs(text, line) {
		add(r)
	}
	if looksLikeMessage(text) {
		add(Reading{Form: Text, Bytes: []byte(text), Line: line})
	}
	return all
}

// printable says whether p is text: no control character but white space, and
// UTF-8 throughout.
func printable(p []byte) bool {
	if !utf8.Valid(p) {
		return false
	}
	for _, c := range p {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7F {
			return false
		}
	}
	return true
}

// between are the things people put between the bytes of a hex text.
func between() *strings.Replacer {
	return strings.NewReplacer("0x", "", "0X", "", `\x`, "", " ", "", "\t", "", "\r", "", "\n", "", ",", "", ":", "", "-", "",
		";", "", "{", "", "}", "", "[", "", "]", "", "(", "", ")", "", `"`, "", "'", "", "_", "", "|", "", "\\", "")
}

func wholeHex(text string) ([]byte, bool) {
	b, err := hex.DecodeString(between().Replace(text))
	return b, err == nil
}

func wholeBase64(text string) ([]byte, bool) {
	text = strings.NewReplacer("\n", "", "\r", "", " ", "", "\t", "", "-", "+", "_", "/").Replace(strings.Trim(text, `"'`))
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return b, err == nil
}

// looksLikeMessage: characters that are themselves a message begin with a
// message type.
func looksLikeMessage(text string) bool {
	digits := 0
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	return digits >= 4 && !strings.ContainsAny(text, "\n\r\t")
}

// OddDigits says whether the paste would be hex but for one digit that is
// missing or too many, and how many digits it has.
func OddDigits(p []byte) (count int, odd bool) {
	if len(p) > MaxInput || !printable(p) {
		return 0, false
	}
	text := between().Replace(strings.TrimSpace(string(p)))
	for _, c := range []byte(text) {
		if _, ok := nibble(c); !ok {
			return 0, false
		}
	}
	return len(text), len(text)%2 != 0
}

func nibble(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// runs finds hex and base64 in the middle of other text, the longest first.
func runs(text string, line int) (all []Reading) {
	for i, l := range strings.Split(text, "\n") {
		for _, r := range hexRuns(l) {
			all = append(all, Reading{Form: Hex, Bytes: r, Line: line + i, Part: true})
		}
		for _, word := range strings.FieldsFunc(l, notBase64) {
			if len(all) > maxRuns {
				break
			}
			if len(word) < minBytes*4/3 {
				continue
			}
			if b, ok := wholeBase64(word); ok {
				all = append(all, Reading{Form: Base64, Bytes: b, Line: line + i, Part: true})
			}
		}
		if len(all) > maxRuns {
			break
		}
	}
	sort.SliceStable(all, func(i, k int) bool {
		if (all[i].Form == Hex) != (all[k].Form == Hex) {
			return all[i].Form == Hex
		}
		return len(all[i].Bytes) > len(all[k].Bytes)
	})
	return all
}

func notBase64(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=' || r == '-' || r == '_')
}

// hexRuns finds runs of hex in a line: one long word, or words of equal width
// side by side.
func hexRuns(line string) (all [][]byte) {
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\"'[](){}<>=,;|:", r) })
	for i := 0; i < len(words) && len(all) < maxRuns; {
		width := len(hexWord(words[i]))
		var joined strings.Builder
		from := i
		for ; i < len(words) && width > 0; i++ {
			w := hexWord(words[i])
			if w == "" || len(w) > width || len(w)%2 != 0 {
				break
			}
			joined.WriteString(w)
			if len(w) < width || width > 8 {
				i++
				break // a shorter last word, or one long word alone
			}
		}
		if b, err := hex.DecodeString(joined.String()); err == nil && len(b) >= minBytes {
			all = append(all, b)
		}
		if i == from {
			i++
		}
	}
	return all
}

// hexWord gives the hex digits of a word, "" when it is anything else.
func hexWord(w string) string {
	w = strings.TrimPrefix(strings.TrimPrefix(w, "0x"), "0X")
	for _, c := range []byte(w) {
		if _, ok := nibble(c); !ok {
			return ""
		}
	}
	return w
}
