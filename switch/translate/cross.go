// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strings"
	"time"

	"tapswitch/iso8583"
)

// Crossing turns messages of one dialect into messages of another. It is
// immutable and safe for concurrent use; each user brings a Work.
type Crossing struct {
	from, to *table
	copies   []int // fields that cross by Builder.Copy alone
	reads    []row
	writes   []row
}

// NewCrossing prepares the way from one dialect to another.
func NewCrossing(from, to string) (*Crossing, error) {
	c := &Crossing{from: tableOf(from), to: tableOf(to)}
	for name, t := range map[string]*table{from: c.from, to: c.to} {
		if t == nil {
			return nil, fmt.Errorf("translate: no table for dialect %q; there are %s", name, strings.Join(Dialects(), ", "))
		}
	}
	direct := map[item]bool{}
	for _, r := range c.from.rows {
		if c.direct(r) {
			direct[r.item] = true
			c.copies = append(c.copies, r.field)
		} else if c.crosses(r) {
			if c.shareCodes() && r.form == formCode {
				r.form = formLaterCode
			}
			c.reads = append(c.reads, r)
		}
	}
	for _, r := range c.to.rows {
		if c.shareCodes() && r.form == formCode {
			r.form = formLaterCode
		}
		if !direct[r.item] && (r.form != formPrivate || c.from.family == c.to.family) {
			c.writes = append(c.writes, r)
		}
	}
	return c, nil
}

// shareCodes says whether both sides write the later editions' action codes,
// which need no way through those of 1987, where they are fewer.
func (c *Crossing) shareCodes() bool {
	return c.from.codes != nil && c.to.codes != nil && c.from.family != c.to.family
}

// crosses says whether a row's item may have a place on the other side. Private
// content stays within a family; forms that hold several items are always read.
func (c *Crossing) crosses(r row) bool {
	if r.form == formPrivate {
		return c.from.family == c.to.family
	}
	for _, o := range c.to.rows {
		if o.item == r.item && o.form != formPrivate {
			return true
		}
	}
	switch r.form {
	case formOriginal87, formOriginal93, formOriginal2003, formOriginalPOS, formMoney2003, formLocal93, formLocal2003:
		return true
	}
	return r.item == itemLocalDate || r.item == itemCurrency // part of another's field
}

// direct says whether a row's field crosses as it is: same number, same form,
// and whatever the one can hold the other can.
func (c *Crossing) direct(r row) bool {
	for _, o := range c.to.rows {
		if o.field != r.field || o.item != r.item || o.form != r.form {
			continue
		}
		switch r.form {
		case formPrivate:
			if c.from.family != c.to.family {
				return false
			}
		case formProcedure:
			if c.from.procs != nil || c.to.procs != nil {
				return false
			}
		case formCode:
			if c.from.codes != nil || c.to.codes != nil {
				return false
			}
		case formSigned:
			if c.from.layout.Encoding(r.field) != c.to.layout.Encoding(r.field) {
				return false
			}
		}
		return holds(c.from.layout, c.to.layout, r.field)
	}
	return false
}

// holds says whether field n of one layout can hold whatever another's can.
func holds(from, to *iso8583.Layout, n int) bool {
	if to.Max(n) < from.Max(n) || to.Fixed(n) && (!from.Fixed(n) || to.Max(n) != from.Max(n)) {
		return false
	}
	a, b := from.Encoding(n), to.Encoding(n)
	if a == b || b == iso8583.EncodingBytes && from.Fixed(n) == to.Fixed(n) {
		return true
	}
	return decimal(a) && (decimal(b) || b == iso8583.EncodingASCII) || a == iso8583.EncodingTrack && b == iso8583.EncodingASCII
}

// Append appends to dst the message of v in the other dialect; now settles
// years that only one side writes. What the other dialect has a field for and
// cannot hold there is told in lost, by the field's number in v: the caller
// decides whether the message may go without it. A MAC never crosses; mac adds
// the place for one, as the last bytes.
func (c *Crossing) Append(dst []byte, v *iso8583.View, w *Work, now time.Time, mac bool) (out []byte, lost Fields, err error) {
	mti := c.mti(v.MTI())
	w.reset()
	w.b.Reset(c.to.layout, mti)
	for _, n := range c.copies {
		if v.Has(n) {
			w.b.Copy(n, v)
			w.top = max(w.top, n)
		}
	}
	for _, r := range c.reads {
		if v.Has(r.field) && !w.read(c.from, r, v) {
			w.lost.add(r.field)
		}
	}
	for _, r := range c.writes {
		if !w.write(c.to, r, mti, now) {
			c.missed(w, r)
		}
	}
	if mac {
		w.b.SetBytes(c.to.macField(w.top), noMAC)
	}
	out, err = w.b.Append(dst)
	return out, w.lost, err
}

// missed notes the field that the item of a row came from.
func (c *Crossing) missed(w *Work, r row) {
	for _, o := range c.reads {
		if o.item == r.item || partOf(r, o) && w.get(o.item) != nil {
			w.lost.add(o.field)
		}
	}
}

// partOf says whether a row of several items takes the item of another row.
func partOf(r, o row) bool {
	switch r.form {
	case formLocal93, formLocal2003:
		return o.item == itemLocalDate || o.item == itemLocalTime
	case formMoney2003:
		return o.item == itemAmount || o.item == itemCurrency
	}
	return false
}

// mti is the message type in the other dialect. The editions differ in the
// first digit; reversals are requests in some dialects and advices in others, and
// the later editions write network messages as notifications.
func (c *Crossing) mti(m iso8583.MTI) iso8583.MTI {
	m = m&0x0FFF | c.to.edition
	class, answer := m>>8&0x0F, m&0x0010
	if c.from.family == c.to.family {
		return m
	}
	switch {
	case class == 4:
		return c.to.reversal | answer | m&0x0001
	case class == 8 && (c.from.edition == 0) != (c.to.edition == 0):
		return c.to.network | answer
	}
	return m
}

// macField is where the MAC of a message goes whose highest field is top.
func (t *table) macField(top int) int {
	if t.macs[0] == 64 && top <= 64 {
		return 64
	}
	return t.macs[len(t.macs)-1]
}
