// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
)

// Change is a difference between two messages, masked.
type Change struct {
	Path string `json:"path"` // "mti", "39", "55.9F26", "55.71.86"; "#2" for the second of equal tags
	Name string `json:"name,omitempty"`
	A    string `json:"a"` // "" when absent
	B    string `json:"b"`
	Note string `json:"note,omitempty"`
}

// leaf is a value at a path: how it may be shown, and what it is compared by.
type leaf struct {
	path, name, shown string
	clear             []byte
}

// Diff compares two messages by the paths of their values, of any dialects. What
// ignore names, or lies below what it names, is left out.
func Diff(a, b *iso8583.View, ignore []string) []Change {
	left, right := leaves(a), leaves(b)
	all := []Change{}
	add := func(c Change) {
		ignored := slices.ContainsFunc(ignore, func(i string) bool {
			return c.Path == i || strings.HasPrefix(c.Path, i+".") || strings.HasPrefix(c.Path, i+"#")
		})
		if !ignored {
			all = append(all, c)
		}
	}
	find := func(in []leaf, path string) *leaf {
		i := slices.IndexFunc(in, func(l leaf) bool { return l.path == path })
		if i < 0 {
			return nil
		}
		return &in[i]
	}
	for _, l := range left {
		switch r := find(right, l.path); {
		case r == nil:
			add(Change{Path: l.path, Name: l.name, A: l.shown, Note: "only in the first"})
		case !bytes.Equal(l.clear, r.clear):
			c := Change{Path: l.path, Name: l.name, A: l.shown, B: r.shown}
			if c.A == c.B {
				c.Note = "differ in what is not shown"
			}
			add(c)
		}
	}
	for _, r := range right {
		if find(left, r.path) == nil {
			add(Change{Path: r.path, Name: r.name, B: r.shown, Note: "only in the second"})
		}
	}
	slices.SortStableFunc(all, func(x, y Change) int { return number(x.Path) - number(y.Path) })
	return all
}

func number(path string) int {
	head, _, _ := strings.Cut(path, ".")
	n, _ := strconv.Atoi(head) // the message type has none and comes first
	return n
}

// leaves are the values of a message, down to the objects of its chip data.
func leaves(v *iso8583.View) []leaf {
	if v.Layout() == nil {
		return nil
	}
	mti := v.MTI().String()
	all := []leaf{{"mti", "message type", mti, []byte(mti)}}
	for n := v.Next(0); n != 0; n = v.Next(n) {
		f := one(v.Layout(), v, n)
		l := leaf{path: strconv.Itoa(n), name: f.Name, shown: f.Value, clear: v.AppendText(nil, n)}
		if f.Hidden {
			l.shown = "(" + f.Mark + ", length " + strconv.Itoa(f.Length) + ")"
		}
		if MarkOf(v.Layout(), n) == iso8583.MarkICC && bertlv.Check(v.Raw(n)) == nil {
			shown := map[int]Tag{}
			for _, t := range f.Tags {
				shown[t.Offset] = t
			}
			all = append(all, objects(v.Raw(n), l.path, shown, place{depth: 1})...)
			continue
		}
		if below := subs(v.Subs(n), l.path); len(below) > 0 && !f.Hidden {
			for _, s := range below {
				all = append(all, leaf{s.Path, s.Name, s.Value, []byte(s.Value)})
			}
			continue
		}
		all = append(all, l)
	}
	return all
}

// place is where a level of TLV lies in the field.
type place struct{ base, depth int }

// objects are the values of one level of TLV that Check has passed; shown has
// what may be seen of each, by its offset.
func objects(data []byte, path string, shown map[int]Tag, p place) (all []leaf) {
	seen := map[string]int{}
	for w := bertlv.NewWalker(data); w.Next(); {
		at := path + "." + w.Tag.String()
		if seen[at]++; seen[at] > 1 {
			at += "#" + strconv.Itoa(seen[at])
		}
		if w.Tag.Constructed() && p.depth < bertlv.MaxDepth {
			all = append(all, objects(w.Value, at, shown, place{p.base + w.Offset + w.HeaderLen(), p.depth + 1})...)
			continue
		}
		t := shown[p.base+w.Offset]
		value := t.Value
		if value == "" {
			value = "(length " + strconv.Itoa(len(w.Value)) + ")"
		}
		all = append(all, leaf{at, t.Name, value, w.Value})
	}
	return all
}
