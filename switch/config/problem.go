// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"sort"
	"strings"
)

// Code names a kind of mistake; it never changes its meaning.
type Code string

// The mistakes a configuration can have.
const (
	Unreadable   Code = "CFG-0001" // the file cannot be read
	Syntax       Code = "CFG-0002" // not YAML, or a form of YAML we refuse
	UnknownKey   Code = "CFG-0003" // a key nobody reads
	DuplicateKey Code = "CFG-0004" // the same key twice in one section
	MissingKey   Code = "CFG-0005" // a value without default is not given
	WrongType    Code = "CFG-0006" // a number where a text belongs, and the like
	OutOfRange   Code = "CFG-0007" // beyond the bounds of the value
	NotOneOf     Code = "CFG-0008" // not one of the words allowed
	Malformed    Code = "CFG-0009" // an address, name or number of the wrong form
	LiteralPIN   Code = "CFG-0010" // a secret written into the file
	NoSecret     Code = "CFG-0011" // a secret's source has nothing
	NotUnique    Code = "CFG-0012" // two entries with the same name or address
	NoSuchName   Code = "CFG-0013" // a reference to an entry that is not there
	Contradicts  Code = "CFG-0014" // two values that cannot both be meant
	Unsafe       Code = "CFG-0015" // refused in this environment
)

// Problem is one mistake: what, where, why and what to do.
type Problem struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"col"`
	Why     string `json:"why"`
	Fix     string `json:"fix"`
}

// String is the mistake as an operator reads it.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	return fmt.Sprintf("error[%s]: %s\n  at:  %s\n  why: %s\n  fix: %s", p.Code, p.Message, at, p.Why, p.Fix)
}

// Problems are all mistakes of a file, in the order of the file.
type Problems []Problem

// Error renders all of them and ends with their number.
func (ps Problems) Error() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String())
		b.WriteString("\n\n")
	}
	if len(ps) == 1 {
		b.WriteString("1 mistake in the configuration; nothing was started")
	} else {
		fmt.Fprintf(&b, "%d mistakes in the configuration; nothing was started", len(ps))
	}
	return b.String()
}

func (ps Problems) sorted() Problems {
	sort.SliceStable(ps, func(i, j int) bool {
		if ps[i].Line != ps[j].Line {
			return ps[i].Line < ps[j].Line
		}
		return ps[i].Column < ps[j].Column
	})
	return ps
}

// nearest is the word that was probably meant, or "": one that begins alike, or
// one that is a few letters away.
func nearest(word string, words []string) string {
	for _, w := range words {
		if len(word) >= 3 && (strings.HasPrefix(w, word) || strings.HasPrefix(word, w)) {
			return w
		}
	}
	best, at := "", len(word)/3+2
	for _, w := range words {
		if n := editDistance(word, w); n < at {
			best, at = w, n
		}
	}
	return best
}

// editDistance counts the insertions, deletions, changes and swaps of
// neighbours that turn a into b.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			n := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				n = min(n, rows[i-2][j-2]+1)
			}
			rows[i][j] = n
		}
	}
	return rows[len(a)][len(b)]
}
