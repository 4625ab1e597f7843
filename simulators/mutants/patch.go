// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mutant is one way to break the switch: a text that says how, and a unified
// diff that does it.
type mutant struct {
	name   string // of its file, without the ending
	what   string // the first paragraph before the diff
	finder finder
	files  []filePatch
}

// filePatch is what a mutant does to one file.
type filePatch struct {
	path  string // slash separated, from the root of the tree
	hunks []hunk
}

// hunk replaces lines. Where they are is found by their text: code above them
// may grow, but they must be there, and only once.
type hunk struct {
	line     int // where they were when the patch was written
	old, new []string
}

// finderLine in the text before the diff names another finder than the world:
// "Finder: crashtest, kills 5".
const finderLine = "Finder: "

// parseMutant reads a patch file.
func parseMutant(name, text string) (mutant, error) {
	m := mutant{name: name, finder: world()}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	at := 0
	var what []string
	for ; at < len(lines) && !strings.HasPrefix(lines[at], "--- "); at++ {
		if words, ok := strings.CutPrefix(lines[at], finderLine); ok {
			f, err := parseFinder(words)
			if err != nil {
				return m, fmt.Errorf("%s: line %d: %w", name, at+1, err)
			}
			m.finder = f
			continue
		}
		if !strings.HasPrefix(lines[at], "diff ") && !strings.HasPrefix(lines[at], "index ") {
			what = append(what, lines[at])
		}
	}
	m.what, _, _ = strings.Cut(strings.Join(what, " "), "  ")
	m.what = strings.TrimSpace(m.what)
	if m.what == "" {
		return m, fmt.Errorf("%s: no text before the diff says what it breaks", name)
	}
	for at < len(lines) {
		if strings.HasPrefix(lines[at], "diff ") || strings.HasPrefix(lines[at], "index ") {
			at++
			continue
		}
		f, next, err := parseFile(lines, at)
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		m.files = append(m.files, f)
		at = next
	}
	if len(m.files) == 0 {
		return m, fmt.Errorf("%s: no diff", name)
	}
	return m, nil
}

// parseFile reads the part of a diff that is about one file.
func parseFile(lines []string, at int) (f filePatch, next int, err error) {
	from, okFrom := strings.CutPrefix(lines[at], "--- a/")
	if !okFrom || at+1 >= len(lines) || lines[at+1] != "+++ b/"+from {
		return f, 0, fmt.Errorf("line %d: want --- a/FILE and +++ b/FILE of the same file: mutants change files and make none", at+1)
	}
	f.path = from
	for at += 2; at < len(lines) && strings.HasPrefix(lines[at], "@@"); {
		var h hunk
		if h, at, err = parseHunk(lines, at); err != nil {
			return f, 0, err
		}
		f.hunks = append(f.hunks, h)
	}
	if len(f.hunks) == 0 {
		return f, 0, fmt.Errorf("line %d: %s has no hunk", at+1, f.path)
	}
	return f, at, nil
}

// hunkHead is "@@ -12,7 +12,6 @@ func …".
func hunkHead() *regexp.Regexp {
	return regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@`)
}

func parseHunk(lines []string, at int) (h hunk, next int, err error) {
	head := hunkHead().FindStringSubmatch(lines[at])
	if head == nil {
		return h, 0, fmt.Errorf("line %d: %q is no head of a hunk", at+1, lines[at])
	}
	count := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil { // left out: one line
			return 1
		}
		return n
	}
	h.line = count(head[1])
	olds, news := count(head[2]), count(head[3])
	for at++; len(h.old) < olds || len(h.new) < news; at++ {
		if at == len(lines) {
			return h, 0, fmt.Errorf("line %d: the hunk ends too early", at)
		}
		mark, text := " ", "" // editors take the blank of an empty line away
		if lines[at] != "" {
			mark, text = lines[at][:1], lines[at][1:]
		}
		switch mark {
		case " ":
			h.old, h.new = append(h.old, text), append(h.new, text)
		case "-":
			h.old = append(h.old, text)
		case "+":
			h.new = append(h.new, text)
		default:
			return h, 0, fmt.Errorf("line %d: %q is no line of a hunk", at+1, lines[at])
		}
	}
	if len(h.old) != olds || len(h.new) != news {
		return h, 0, fmt.Errorf("line %d: the hunk has other counts of lines than its head says", at)
	}
	return h, at, nil
}

// apply gives the file with all hunks done.
func (f filePatch) apply(text string) (string, error) {
	lines := strings.Split(text, "\n")
	for i, h := range f.hunks {
		at, err := h.find(lines)
		if err != nil {
			return "", fmt.Errorf("hunk %d of %s: %w", i+1, f.path, err)
		}
		changed := append([]string{}, lines[:at]...)
		changed = append(changed, h.new...)
		lines = append(changed, lines[at+len(h.old):]...)
	}
	return strings.Join(lines, "\n"), nil
}

// find tells the one place where a hunk's lines stand.
func (h hunk) find(lines []string) (int, error) {
	var places []int
	for at := 0; at+len(h.old) <= len(lines); at++ {
		if equal(lines[at:at+len(h.old)], h.old) {
			places = append(places, at)
		}
	}
	switch len(places) {
	case 1:
		return places[0], nil
	case 0:
		return 0, fmt.Errorf("the lines that it changes, once at line %d, are not in the file any more: write the patch anew", h.line)
	}
	return 0, fmt.Errorf("the lines that it changes are in the file %d times: give the patch more lines around them", len(places))
}

func equal(a, b []string) bool {
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
