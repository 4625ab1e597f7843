// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"strconv"

	"tapswitch/iso8583/bertlv"
)

// Kernel is the number of an EMV contactless kernel, which stands for the
// scheme's own tags and formats in contact transactions too. Unknown means that
// nobody said: only what all kernels agree on is explained.
type Kernel uint8

// The kernels by their EMV number.
const (
	Unknown    Kernel = 0
	Mastercard Kernel = 2
	Visa       Kernel = 3
	Amex       Kernel = 4
	JCB        Kernel = 5
	Discover   Kernel = 6
	UnionPay   Kernel = 7
	Common     Kernel = 8 // kernel 8, for any scheme
)

// String names the kernel: "kernel 7 (UnionPay)".
func (k Kernel) String() string {
	name := ""
	switch k {
	case Unknown:
		return "kernel unknown"
	case Mastercard:
		name = " (Mastercard)"
	case Visa:
		name = " (Visa)"
	case Amex:
		name = " (American Express)"
	case JCB:
		name = " (JCB)"
	case Discover:
		name = " (Discover)"
	case UnionPay:
		name = " (UnionPay)"
	case Common:
		name = " (common)"
	}
	return "kernel " + strconv.Itoa(int(k)) + name
}

// Kernels is a set of kernels, bit n for kernel n; the empty set stands for all.
type Kernels uint16

const (
	all Kernels = 0
	k2  Kernels = 1 << Mastercard
	k3  Kernels = 1 << Visa
	k4  Kernels = 1 << Amex
	k5  Kernels = 1 << JCB
	k6  Kernels = 1 << Discover
	k7  Kernels = 1 << UnionPay
	k8  Kernels = 1 << Common
)

// Holds tells whether the set names the kernel.
func (s Kernels) Holds(k Kernel) bool { return k < 16 && s>>k&1 == 1 }

// String lists the kernels: "2 3 7", or "all".
func (s Kernels) String() string {
	if s == all {
		return "all"
	}
	out := ""
	for k := range 16 {
		if s.Holds(Kernel(k)) {
			out += " " + strconv.Itoa(k)
		}
	}
	return out[1:]
}

// Mark says how a value is shown and stored.
type Mark uint8

// The marks, from harmless to never.
const (
	Plain     Mark = iota // shown
	PAN                   // first six and last four digits
	Hidden                // personal data, expiry, certificates the card number can be recovered from
	Sensitive             // track data, and codes that equal a card: hidden, and kept nowhere after authorization
	PINOrKey              // PIN blocks and keys, even enciphered
	markCount = PINOrKey + 1
)

// String names the mark.
func (m Mark) String() string {
	return [markCount + 1]string{"plain", "card number", "hidden", "sensitive", "PIN or key", "?"}[min(m, markCount)]
}

// Origin says who makes a value.
type Origin uint8

// The origins.
const (
	Card Origin = iota
	Terminal
	Issuer
	originCount = Issuer + 1
)

// String names the origin.
func (o Origin) String() string {
	return [originCount + 1]string{"card", "terminal", "issuer", "?"}[min(o, originCount)]
}

// Entry is one meaning of a tag.
type Entry struct {
	Tag         bertlv.Tag
	Kernels     Kernels // for which this meaning holds
	Name        string
	Format      string // as EMV writes it: b, n 12, an, ans, cn, var
	Min, Max    int    // bytes
	From        Origin
	Source      string // the book or kernel that defines it
	Inside      string // templates it comes in
	Mark        Mark
	Table       *Table // what the value means; nil when it is just a number or bytes
	Unconfirmed bool   // general knowledge without a public trace behind it
}

const (
	sure   = false
	unsure = true
)

// Dictionary returns every meaning of every tag, sorted by tag.
func Dictionary() []Entry {
	all := make([]Entry, 0, len(bookTags)+len(schemeTags)+len(kernelTags))
	a, b, c := bookTags[:], schemeTags[:], kernelTags[:]
	for len(a)+len(b)+len(c) > 0 { // three sorted tables into one
		least := &a
		if len(*least) == 0 || len(b) > 0 && b[0].Tag < (*least)[0].Tag {
			least = &b
		}
		if len(*least) == 0 || len(c) > 0 && c[0].Tag < (*least)[0].Tag {
			least = &c
		}
		all = append(all, (*least)[0])
		*least = (*least)[1:]
	}
	return all
}

// rows are the entries of one table with that tag.
func rows(table []Entry, tag bertlv.Tag) []Entry {
	low, high := 0, len(table)
	for low < high {
		if mid := (low + high) / 2; table[mid].Tag < tag {
			low = mid + 1
		} else {
			high = mid
		}
	}
	end := low
	for end < len(table) && table[end].Tag == tag {
		end++
	}
	return table[low:end]
}

// Meanings returns every meaning of a tag, none when the dictionary lacks it.
func Meanings(tag bertlv.Tag) []Entry {
	book, scheme, kernel := rows(bookTags[:], tag), rows(schemeTags[:], tag), rows(kernelTags[:], tag)
	switch { // most tags are in one table: no copy
	case len(scheme)+len(kernel) == 0:
		return book
	case len(book)+len(kernel) == 0:
		return scheme
	case len(book)+len(scheme) == 0:
		return kernel
	}
	return append(append(append([]Entry(nil), book...), scheme...), kernel...)
}

// Lookup gives the meaning of a tag for a kernel. The kernel's own meaning comes
// first, then the one all share. Without a kernel a tag that means different
// things has no meaning (Meanings lists them), a tag of one kernel only has that.
func Lookup(tag bertlv.Tag, kernel Kernel) (Entry, bool) {
	return choose(Meanings(tag), kernel)
}

func choose(meanings []Entry, kernel Kernel) (Entry, bool) {
	common := -1
	for i := range meanings {
		if meanings[i].Kernels.Holds(kernel) {
			return meanings[i], true
		}
		if meanings[i].Kernels == all {
			common = i
		}
	}
	switch {
	case common >= 0:
		return meanings[common], true
	case kernel == Unknown && len(meanings) == 1:
		return meanings[0], true
	}
	return Entry{}, false
}

// MarkOf is the strictest mark among the meanings of a tag, whatever the kernel:
// a wrong kernel must not show a track. A tag nobody knows is Hidden.
func MarkOf(tag bertlv.Tag) Mark { return strictest(Meanings(tag)) }

func strictest(meanings []Entry) Mark {
	if len(meanings) == 0 {
		return Hidden
	}
	mark := Plain
	for i := range meanings {
		mark = max(mark, meanings[i].Mark)
	}
	return mark
}
