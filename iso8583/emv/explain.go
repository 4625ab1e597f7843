// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"strconv"

	"tapswitch/iso8583/bertlv"
)

// Explain says what a value means: the flags that are set, the values of fields,
// reserved bits that are set all the same. What the dictionary does not hold is
// said to be unknown; a value that must not be shown is not.
func Explain(tag bertlv.Tag, value []byte, kernel Kernel) []Line {
	return explain(Meanings(tag), value, kernel, false)
}

// ExplainAll is Explain with the flags that are not set.
func ExplainAll(tag bertlv.Tag, value []byte, kernel Kernel) []Line {
	return explain(Meanings(tag), value, kernel, true)
}

func explain(meanings []Entry, value []byte, kernel Kernel, everything bool) []Line {
	e, ok := choose(meanings, kernel)
	if !ok {
		return unresolved(meanings, kernel)
	}
	if !e.fits(len(value)) {
		return unknown("length " + strconv.Itoa(len(value)) + ", expected " + e.lengths() + ": not explained")
	}
	mark := strictest(meanings)
	if e.Table == &scriptForm {
		return script(value)
	}
	if mark != Plain {
		return nil
	}
	var out []Line
	switch {
	case e.Table == nil:
		return nil
	case e.Table.form != 0:
		out = e.Table.form.explain(value, kernel, everything)
	default:
		out = e.Table.lines(value, everything)
		if len(out) == 0 {
			out = note("no bit set")
		}
	}
	if e.Unconfirmed {
		for i := range out {
			out[i].Unconfirmed = true
		}
	}
	return out
}

// unresolved says why a tag has no meaning, and which it could have.
func unresolved(meanings []Entry, kernel Kernel) []Line {
	if len(meanings) == 0 {
		return unknown("unknown tag")
	}
	out := unknown("not known for " + kernel.String())
	if kernel == Unknown {
		out = unknown("the meaning depends on the kernel")
	}
	for i := range meanings {
		e := &meanings[i]
		out = append(out, Line{Text: "kernel " + e.Kernels.String() + ": " + e.Name, Unconfirmed: e.Unconfirmed})
	}
	return out
}

func (e *Entry) fits(n int) bool { return n >= e.Min && n <= e.Max }

// lengths says which lengths the dictionary allows: "5", "0 to 32".
func (e *Entry) lengths() string {
	if e.Min == e.Max {
		return strconv.Itoa(e.Min)
	}
	return strconv.Itoa(e.Min) + " to " + strconv.Itoa(e.Max)
}
