// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"time"

	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// Fields is a set of field numbers.
type Fields [3]uint64

// Has says whether field n is in the set.
func (f Fields) Has(n int) bool {
	return n > 0 && n <= iso8583.MaxField && f[(n-1)>>6]>>((n-1)&63)&1 != 0
}

// Empty says whether no field is in the set.
func (f Fields) Empty() bool { return f == Fields{} }

func (f *Fields) add(n int) { f[(n-1)>>6] |= 1 << ((n - 1) & 63) }

// write sets one field of the message being built from the items; false when an
// item is there that the field cannot hold.
func (w *Work) write(t *table, r row, mti iso8583.MTI, now time.Time) bool {
	switch r.form {
	case formLocal93, formLocal2003:
		return w.writeLocal(r, now)
	case formMoney2003:
		return w.writeMoney(r)
	case formFunction:
		return w.writeFunction(r, mti)
	case formOriginal87, formOriginal93, formOriginal2003, formOriginalPOS:
		return w.writeOriginal(t, r)
	}
	value := w.get(r.item)
	if value == nil {
		return true
	}
	from := w.mark()
	switch r.form {
	case formPlain, formPrivate:
		return w.fit(t, r, value)
	case formProcedure:
		two, ok := swap(t.procs, string(value[:2]), true)
		if !ok {
			return false
		}
		w.arena = append(append(w.arena, two...), value[2:]...)
	case formSigned:
		return w.writeSigned(t, r, value)
	case formCode:
		if t.codes == nil {
			return w.fit(t, r, value)
		}
		code, known := t.codeHere(value, mti)
		w.arena = append(w.arena, code...)
		w.field(r.field, w.arena[from:])
		return known
	case formLaterCode:
		w.arena = append(w.arena, value[0])
		if t.layout.Max(r.field) == 4 {
			w.arena = append(w.arena, '0')
		}
		w.arena = append(w.arena, value[1:]...)
	case formEntry93, formEntry2003:
		return w.writeEntry(r, value)
	case formSettle93, formSettle2003:
		w.arena = append(w.year(w.arena, r.form == formSettle2003, value, now), value...)
	}
	return w.fit(t, r, w.arena[from:])
}

// fit sets a field to text when its dialect can write it there. A fixed number
// may get or lose zeros in front; names may get or lose spaces at the end.
func (w *Work) fit(t *table, r row, text []byte) bool {
	n := r.field
	e, most, fixed := t.layout.Encoding(n), t.layout.Max(n), t.layout.Fixed(n)
	if !writable(e, text) {
		return false
	}
	if named(r.item) {
		for len(text) > 0 && text[len(text)-1] == ' ' {
			text = text[:len(text)-1]
		}
	}
	zeros := fixed && decimal(e)
	for zeros && len(text) > most && text[0] == '0' {
		text = text[1:]
	}
	short := most - len(text)
	switch {
	case short < 0:
		return false
	case fixed && short > 0 && zeros:
		from := w.mark()
		w.arena = append(appendZeros(w.arena, short), text...)
		text = w.arena[from:]
	case fixed && short > 0 && named(r.item):
		from := w.mark()
		w.arena = append(w.arena, text...)
		for range short {
			w.arena = append(w.arena, ' ')
		}
		text = w.arena[from:]
	case fixed && short > 0:
		return false
	}
	w.field(n, text)
	return true
}

// named says whether an item is a name, whose spaces at the end are no content.
func named(i item) bool { return i == itemTerminal || i == itemMerchant || i == 43 }

// decimal says whether an encoding is of decimal digits.
func decimal(e iso8583.Encoding) bool {
	return e == iso8583.EncodingDigits || e == iso8583.EncodingBCD || e == iso8583.EncodingLeftBCD
}

// writable says whether an encoding has all characters of text.
func writable(e iso8583.Encoding, text []byte) bool {
	switch e {
	case iso8583.EncodingDigits, iso8583.EncodingBCD, iso8583.EncodingLeftBCD:
		return allDigits(text)
	case iso8583.EncodingTrack:
		for _, c := range text {
			if (c < '0' || c > '9') && c != '=' && (c < 'A' || c > 'F') {
				return false
			}
		}
	case iso8583.EncodingBytes:
	default:
		for _, c := range text {
			if c >= 0x80 {
				return false
			}
		}
	}
	return true
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

func (w *Work) writeSigned(t *table, r row, value []byte) bool {
	if t.layout.Encoding(r.field) != iso8583.EncodingBytes {
		return w.fit(t, r, value)
	}
	if len(value) != 2*t.layout.Max(r.field)-1 || !allDigits(value[1:]) {
		return false
	}
	from := w.mark()
	w.arena = append(w.arena, value[0])
	for digits := value[1:]; len(digits) >= 2; digits = digits[2:] {
		w.arena = append(w.arena, digits[0]<<4|digits[1]&0x0F)
	}
	w.field(r.field, w.arena[from:])
	return true
}

func (w *Work) writeEntry(r row, value []byte) bool {
	how, able := -1, -1
	for i, m := range modes {
		if m.iso == string(value[:2]) {
			how = i
		}
	}
	for i, p := range pinAbles {
		if p.iso == value[2] {
			able = i
		}
	}
	known := how >= 0 && able >= 0
	m, p := modes[max(how, 0)], pinAbles[max(able, 0)]
	from := w.mark()
	if r.form == formEntry93 {
		w.arena = append(w.arena, m.able, '1', '0', '1', '0', '1', m.how, '0', '0', '1', '4', p.able)
	} else {
		w.arena = append(w.arena, m.bits[0], m.bits[1], 0, 0, p.bit, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	w.field(r.field, w.arena[from:])
	return known
}

func (w *Work) writeLocal(r row, now time.Time) bool {
	date, clock := w.get(itemLocalDate), w.get(itemLocalTime)
	if date == nil || clock == nil {
		return date == nil && clock == nil // half of it has no place here
	}
	from := w.mark()
	w.arena = w.year(w.arena, r.form == formLocal2003, date, now)
	w.arena = append(append(w.arena, date...), clock...)
	w.field(r.field, w.arena[from:])
	return true
}

// year appends the year in which MMDD lies nearest to now, of two or four digits.
// What is no date gets now's: its own bytes tell that it is none.
func (w *Work) year(dst []byte, whole bool, date []byte, now time.Time) []byte {
	y := now.UTC().Year()
	if len(date) == 4 {
		if d, ok := txn.NearestDate(now, [4]byte(date)); ok {
			y = d.Year()
		}
	}
	if whole {
		return append(dst, byte('0'+y/1000%10), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10))
	}
	return append(dst, byte('0'+y/10%10), byte('0'+y%10))
}

func (w *Work) writeMoney(r row) bool {
	amount, currency := w.get(itemAmount), w.get(itemCurrency)
	if amount == nil || currency == nil {
		return amount == nil && currency == nil
	}
	decimals := exponent(currency)
	if decimals < 0 || len(amount) != 12 {
		return false
	}
	from := w.mark()
	w.arena = append(w.arena, currency...)
	w.arena = append(w.arena, byte('0'+decimals))
	w.arena = append(w.arena, amount...)
	w.field(r.field, w.arena[from:])
	return true
}

// writeFunction writes the function code: of a network message it is the network
// code, of any other request what its type says.
func (w *Work) writeFunction(r row, mti iso8583.MTI) bool {
	asked, code := w.get(itemNetwork), function(mti)
	told := asked == nil
	if network := mti>>8&0x0F == 8; network {
		for _, p := range networkCodes {
			if p.iso == string(asked) {
				code, told = p.here, true
			}
		}
	} else if mti&0x0010 != 0 { // answers repeat nothing that they need not
		code = ""
	}
	if code != "" {
		from := w.mark()
		w.arena = append(w.arena, code...)
		w.field(r.field, w.arena[from:])
	}
	return told
}

// writeOriginal puts together what names an earlier message; parts that the
// other dialect has no word for are zeros.
func (w *Work) writeOriginal(t *table, r row) bool {
	if !w.any(originalParts(r.form)) {
		return true
	}
	trace := w.get(itemOriginalTrace)
	from := w.mark()
	switch r.form {
	case formOriginal87:
		w.arena = w.orZeros(w.arena, w.get(itemOriginalMTI), 4)
		w.arena = w.orZeros(w.arena, trace, 6)
		w.arena = w.orZeros(w.arena, w.get(itemOriginalSent), 10)
		w.arena = w.orZeros(w.arena, w.get(itemOriginalAcquirer), 11)
		w.arena = w.orZeros(w.arena, w.get(itemOriginalForwarder), 11)
	case formOriginalPOS:
		w.arena = w.orZeros(w.arena, w.get(itemOriginalBatch), 6)
		w.arena = w.orZeros(w.arena, trace, 6)
		w.arena = append(w.arena, w.get(itemOriginalDate)...)
	case formOriginal93, formOriginal2003:
		w.writeLaterOriginal(t, r.form == formOriginal2003)
	}
	w.field(r.field, w.arena[from:])
	return true
}

// writeLaterOriginal is field 56 of the later editions. In 1993 the institution
// has a length of its own, in 2003 it is what is left of the field.
func (w *Work) writeLaterOriginal(t *table, in2003 bool) {
	from := len(w.arena)
	w.arena = w.orZeros(w.arena, w.get(itemOriginalMTI), 4)
	w.arena[from] = byte('0' + t.edition>>12)
	trace, local, acquirer := w.get(itemOriginalTrace), w.get(itemOriginalLocal), w.get(itemOriginalAcquirer)
	if in2003 {
		w.arena = w.orZeros(w.arena, trace, 12)
		w.arena = append(w.arena, century(local)...)
		w.arena = w.orZeros(w.arena, local, 12)
	} else {
		w.arena = w.orZeros(w.arena, trace, 6)
		w.arena = w.orZeros(w.arena, local, 12)
		w.arena = append(w.arena, byte('0'+len(acquirer)/10), byte('0'+len(acquirer)%10))
	}
	w.arena = append(w.arena, acquirer...)
}

// originalParts are the items of an earlier message that a form has a place for.
func originalParts(f form) []item {
	switch f {
	case formOriginal87:
		return parts87[:]
	case formOriginalPOS:
		return partsPOS[:]
	}
	return partsLater[:]
}

var (
	parts87    = [...]item{itemOriginalMTI, itemOriginalTrace, itemOriginalSent, itemOriginalAcquirer, itemOriginalForwarder}
	partsPOS   = [...]item{itemOriginalBatch, itemOriginalTrace, itemOriginalDate}
	partsLater = [...]item{itemOriginalMTI, itemOriginalTrace, itemOriginalLocal, itemOriginalAcquirer}
)

// any says whether one of the items is there.
func (w *Work) any(items []item) bool {
	for _, i := range items {
		if w.get(i) != nil {
			return true
		}
	}
	return false
}

// century is in front of a year of two digits; nothing is known of none.
func century(local []byte) string {
	if local == nil {
		return "00"
	}
	return "20"
}

// orZeros appends text filled up with zeros in front to width.
func (w *Work) orZeros(dst, text []byte, width int) []byte {
	return append(appendZeros(dst, width-len(text)), text...)
}
