// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"strconv"
	"strings"
)

// maxLine bounds the bytes of one line of a dump; 16 and 32 are usual.
const maxLine = 64

// maxRepeated bounds what a "*" may stand for: the longest message there is.
const maxRepeated = 1 << 16

// dumpLine is one line of a hex dump.
type dumpLine struct {
	offset string // as written; its base is found from the whole dump
	rest   string
}

// splitLine takes the offset off a line: digits, perhaps after 0x, perhaps
// before a colon, and then white space.
func splitLine(line string) (dumpLine, bool) {
	line = strings.TrimLeft(line, " \t")
	line = strings.TrimPrefix(strings.TrimPrefix(line, "0x"), "0X")
	end := 0
	for end < len(line) {
		if _, ok := nibble(line[end]); !ok {
			break
		}
		end++
	}
	if end < 3 || end > 8 {
		return dumpLine{}, false
	}
	rest := strings.TrimPrefix(line[end:], ":")
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return dumpLine{}, false
	}
	return dumpLine{line[:end], rest}, true
}

// dumps finds blocks of dump lines, also between other lines.
func dumps(text string, first int) (all []Reading) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines) && len(all) < MaxReadings; {
		b, used := dumpAt(lines[i:])
		if used == 0 {
			i++
			continue
		}
		all = append(all, Reading{Form: Dump, Bytes: b, Line: first + i, Part: used < len(lines)})
		i += used
	}
	return all
}

// dumpAt reads the dump that begins at the first line; used is 0 when there is
// none. A dump starts at offset zero, or its offsets would have to be believed.
func dumpAt(lines []string) (best []byte, used int) {
	head, ok := splitLine(lines[0])
	if !ok || strings.Trim(head.offset, "0") != "" {
		return nil, 0
	}
	for _, base := range []int{16, 10, 8} {
		b, n := dumpIn(lines, base)
		if n > used {
			best, used = b, n
		}
	}
	return best, used
}

// dumpIn reads lines while their offsets, in that base, count the bytes so far.
func dumpIn(lines []string, base int) (out []byte, used int) {
	width := 0
	for used < len(lines) {
		l, ok := splitLine(strings.TrimRight(lines[used], " \t\r"))
		if !ok {
			if strings.TrimSpace(lines[used]) == "*" && width > 0 {
				n := repeated(&out, lines, used, width, base)
				if n == 0 {
					break
				}
				used++
				continue
			}
			break
		}
		at, err := strconv.ParseUint(l.offset, base, 32)
		if err != nil || int(at) != len(out) {
			break
		}
		want := 0
		if used+1 < len(lines) {
			if next, ok := splitLine(lines[used+1]); ok {
				if n, err := strconv.ParseUint(next.offset, base, 32); err == nil && int(n) > len(out) && int(n)-len(out) <= maxLine {
					want = int(n) - len(out)
				}
			}
		}
		b := lineBytes(l.rest, want, width)
		if len(b) == 0 {
			if strings.TrimSpace(l.rest) == "" && used > 0 {
				used++ // the last line of hexdump -C is an offset alone
			}
			break
		}
		out, width = append(out, b...), max(width, len(b))
		used++
	}
	return out, used
}

// repeated stands for the lines that "*" leaves out: copies of the one before.
func repeated(out *[]byte, lines []string, at, width, base int) (added int) {
	if at+1 >= len(lines) {
		return 0
	}
	next, ok := splitLine(lines[at+1])
	if !ok {
		return 0
	}
	end, err := strconv.ParseUint(next.offset, base, 32)
	if err != nil || end > maxRepeated || len(*out) < width {
		return 0
	}
	last := (*out)[len(*out)-width:]
	for len(*out)+width <= int(end) {
		*out = append(*out, last...)
		added++
	}
	return added
}

// lineBytes reads the bytes of a line and leaves its column of characters out.
// want is how many there must be, from the next line's offset, 0 when unknown;
// width is the most a line before had.
func lineBytes(rest string, want, width int) []byte {
	var ends []int // where the rest of the line begins after so many bytes
	var out []byte
	at := 0
	for at < len(rest) && len(out) <= maxLine {
		for at < len(rest) && (rest[at] == ' ' || rest[at] == '\t' || rest[at] == '-') {
			at++
		}
		group := 0
		for at+1 < len(rest) && len(out) <= maxLine {
			high, ok := nibble(rest[at])
			low, okLow := nibble(rest[at+1])
			if !ok || !okLow {
				break
			}
			out, at, group = append(out, high<<4|low), at+2, group+1
			ends = append(ends, at)
		}
		if group == 0 || at < len(rest) && rest[at] != ' ' && rest[at] != '\t' && rest[at] != '-' {
			break
		}
	}
	for n := len(out); n > 0; n-- {
		if want != 0 && n != want || want == 0 && width != 0 && n > width {
			continue
		}
		if tail := rest[ends[n-1]:]; isColumn(tail, out[:n]) {
			return out[:n]
		}
	}
	if want != 0 && len(out) >= want {
		return out[:want] // the characters were changed on the way, the count is right
	}
	return nil
}

// isColumn says whether tail is nothing, or the characters of b as dumps show
// them.
func isColumn(tail string, b []byte) bool {
	trimmed := strings.TrimSpace(tail)
	if trimmed == "" {
		return true
	}
	if strings.HasPrefix(trimmed, "|") && strings.HasSuffix(trimmed, "|") && len(trimmed) == len(b)+2 {
		return true
	}
	// Spaces at either end of the column may be gone with the margin.
	shown := make([]byte, len(b))
	for i, c := range b {
		shown[i] = '.'
		if c >= ' ' && c <= '~' {
			shown[i] = c
		}
	}
	compact := strings.ReplaceAll(trimmed, " ", "")
	return tail[0] == ' ' && (compact == strings.ReplaceAll(string(shown), " ", "") || sameButDots(compact, strings.ReplaceAll(string(shown), " ", "")))
}

// sameButDots: some dumps write a dot for characters others show.
func sameButDots(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && a[i] != '.' {
			return false
		}
	}
	return true
}
