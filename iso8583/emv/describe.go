// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"strconv"
	"strings"

	"tapswitch/iso8583/bertlv"
)

// MaxItems bounds what Describe shows of one input.
const MaxItems = 512

// maxLines bounds the explanations of one input: a real field 55 has about 200.
const maxLines = 4096

// longestShown bounds the bytes shown of one value.
const longestShown = 256

// Item is one object of chip data, masked, ready for encoding/json.
type Item struct {
	Path        string `json:"path"` // "77/9F10"; a template that comes again counts: "72[2]/86"
	Tag         string `json:"tag"`
	Name        string `json:"name,omitempty"`
	Offset      int    `json:"offset"` // of the tag, in the data handed in
	Depth       int    `json:"depth"`  // 0 at the top
	Length      int    `json:"length"` // of the value
	Value       string `json:"value,omitempty"`
	Mark        string `json:"mark,omitempty"`   // why the value is masked or hidden
	Hidden      bool   `json:"hidden,omitempty"` // only the length is shown
	Template    bool   `json:"template,omitempty"`
	Duplicate   bool   `json:"duplicate,omitempty"` // the tag came before in this level
	Unknown     bool   `json:"unknown,omitempty"`   // the dictionary does not hold the tag for this kernel
	Unconfirmed bool   `json:"unconfirmed,omitempty"`
	Meaning     []Line `json:"meaning,omitempty"`
	Fault       string `json:"fault,omitempty"` // why reading stopped here; the item holds nothing else
}

// Describe shows every object of data with its meaning, templates first and
// what they hold after them. It never fails: where the data cannot be read, an
// item with a Fault says so, and the level is left. With kernel Unknown the
// kernel is taken from the data when KernelOf finds it.
func Describe(data []byte, kernel Kernel) []Item {
	if kernel == Unknown {
		kernel, _ = KernelOf(data)
	}
	d := describer{kernel: kernel}
	d.level(data, 0, 0, "")
	return d.items
}

type describer struct {
	kernel Kernel
	items  []Item
	lines  int
}

// room says whether one more item may be shown; the last one says that there is
// more.
func (d *describer) room(at, depth int, path string) bool {
	if len(d.items) < MaxItems {
		return true
	}
	if len(d.items) == MaxItems {
		d.items = append(d.items, Item{Path: path, Offset: at, Depth: depth, Fault: "more than " + strconv.Itoa(MaxItems) + " objects: the rest is not shown"})
	}
	return false
}

// level describes one level. base is where its data stands in the whole.
func (d *describer) level(data []byte, base, depth int, path string) {
	var seen map[bertlv.Tag]int
	w := bertlv.NewWalker(data)
	for w.Next() {
		if !d.room(base+w.Offset, depth, path) {
			return
		}
		if seen == nil {
			seen = make(map[bertlv.Tag]int)
		}
		seen[w.Tag]++
		it := d.item(w.Tag, w.Value, seen[w.Tag] > 1)
		it.Offset, it.Depth, it.Path = base+w.Offset, depth, path+it.Tag
		if it.Template && seen[w.Tag] > 1 {
			it.Path += "[" + strconv.Itoa(seen[w.Tag]) + "]"
		}
		d.items = append(d.items, it)
		if !it.Template {
			continue
		}
		inside := base + w.Offset + w.HeaderLen()
		if depth+1 == bertlv.MaxDepth {
			if d.room(inside, depth+1, it.Path) {
				d.items = append(d.items, Item{Path: it.Path, Offset: inside, Depth: depth + 1, Fault: "nested deeper than " + strconv.Itoa(bertlv.MaxDepth) + " levels: not shown"})
			}
			continue
		}
		d.level(w.Value, inside, depth+1, it.Path+"/")
	}
	if fault := w.Fault(); fault != nil && d.room(base+fault.Offset, depth, path) {
		d.items = append(d.items, Item{Path: strings.TrimSuffix(path, "/"), Offset: base + fault.Offset, Depth: depth, Fault: string(fault.Reason)})
	}
}

// item is one object without its place.
func (d *describer) item(tag bertlv.Tag, value []byte, again bool) Item {
	meanings := Meanings(tag)
	e, known := choose(meanings, d.kernel)
	it := Item{Tag: tag.String(), Length: len(value), Template: tag.Constructed(), Unknown: !known}
	it.Duplicate = again && !it.Template
	if known {
		it.Name, it.Unconfirmed = e.Name, e.Unconfirmed
	}
	if it.Template {
		return it
	}
	mark := strictest(meanings)
	if mark != Plain {
		it.Mark = mark.String()
	}
	if len(meanings) == 0 {
		it.Mark, it.Hidden = "unknown tag", true
		return it
	}
	if d.lines < maxLines {
		it.Meaning = explain(meanings, value, d.kernel, false)
		d.lines += len(it.Meaning)
	} else {
		it.Meaning = note("not explained: too many explanations before it")
	}
	switch {
	case !known:
		it.Hidden = true
	case mark == PAN && e.fits(len(value)):
		it.Value = maskPAN(value)
	case mark != Plain, !e.fits(len(value)), len(value) > longestShown:
		it.Hidden = true
	default:
		it.Value = hexUpper(value)
	}
	return it
}

// Of a card number so many digits are shown when it has at least the shortest.
const (
	leading  = 6
	trailing = 4
	shortest = 13
)

// maskPAN masks a packed card number, filled with F.
func maskPAN(p []byte) string {
	d := strings.TrimRight(hexUpper(p), "F")
	if len(d) < shortest || strings.Trim(d, "0123456789") != "" {
		return strings.Repeat("*", len(d))
	}
	return d[:leading] + strings.Repeat("*", len(d)-leading-trailing) + d[len(d)-trailing:]
}

// KernelOf takes the kernel from the data itself: the kernel identifier of the
// card's directory, or the scheme of an application identifier. The second
// result says where it was found, "" when it was not.
func KernelOf(data []byte) (Kernel, string) {
	k, from, _ := kernelIn(data, 0, MaxItems)
	return k, from
}

// kernelIn looks through at most so many objects and returns how many are left.
func kernelIn(data []byte, depth, left int) (Kernel, string, int) {
	found, where := Unknown, ""
	w := bertlv.NewWalker(data)
	for left > 0 && w.Next() {
		left--
		switch w.Tag {
		case bertlv.KernelIdentifier:
			// An international identifier is one byte's low six bits.
			if v := w.Value; len(v) > 0 && v[0] >= byte(Mastercard) && v[0] <= byte(Common) {
				return Kernel(v[0]), "9F2A", left
			}
		case bertlv.DFName, bertlv.ADFName, terminalAID:
			if s, ok := SchemeOf(w.Value); ok && s.Kernel != Unknown && found == Unknown {
				found, where = s.Kernel, w.Tag.String()
			}
		}
		if w.Tag.Constructed() && depth+1 < bertlv.MaxDepth {
			var k Kernel
			var from string
			if k, from, left = kernelIn(w.Value, depth+1, left); k != Unknown && (found == Unknown || from == "9F2A") {
				found, where = k, from
			}
		}
	}
	return found, where, left
}

const terminalAID bertlv.Tag = 0x9F06

// DescribeDOL shows the values that a command carries for a data object list:
// the value of tag 83 for a PDOL, the data of GENERATE AC for a CDOL. Values
// have no tags there, only the order of the list.
func DescribeDOL(list, data []byte, kernel Kernel) []Item {
	d := describer{kernel: kernel}
	at := 0
	err := bertlv.WalkDOL(list, func(tag bertlv.Tag, n int) error {
		if !d.room(at, 0, "") {
			return nil
		}
		if n > len(data)-at {
			d.items = append(d.items, Item{Path: tag.String(), Offset: at, Fault: "the data ends before the value of " + tag.String()})
			return errEnd
		}
		it := d.item(tag, data[at:at+n], false)
		it.Offset, it.Path, it.Template = at, it.Tag, false
		d.items = append(d.items, it)
		at += n
		return nil
	})
	switch {
	case err == errEnd:
	case err != nil:
		d.items = append(d.items, Item{Fault: "the list is broken: " + err.Error()})
	case at < len(data):
		d.items = append(d.items, Item{Offset: at, Length: len(data) - at, Fault: "bytes beyond the list"})
	}
	return d.items
}
