// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
)

// span is where an item's text lies in the work's arena; to 0 is none.
type span struct{ from, to uint16 }

// Work is the room in which one message at a time is translated. Its zero value
// is ready; it is reused, and wiped by the next use or by Wipe.
type Work struct {
	b     iso8583.Builder
	arena []byte
	items [numItems]span
	lost  Fields
	top   int  // highest field of the message being built
	part  Part // to be told in the message being built
}

// Wipe overwrites what the last message left.
func (w *Work) Wipe() {
	clear(w.arena[:cap(w.arena)])
	w.b.Reset(nil, 0)
	w.reset()
}

func (w *Work) reset() {
	w.arena, w.items, w.lost, w.top, w.part = w.arena[:0], [numItems]span{}, Fields{}, 0, Part{}
}

// field sets a field of the message being built.
func (w *Work) field(n int, text []byte) {
	w.b.SetText(n, text)
	w.top = max(w.top, n)
}

// get is the text of an item, nil when the message does not say it.
func (w *Work) get(i item) []byte {
	s := w.items[i]
	if s.to == 0 {
		return nil
	}
	return w.arena[s.from:s.to]
}

// put keeps what was appended to the arena since from as an item.
func (w *Work) put(i item, from int) { w.items[i] = span{uint16(from), uint16(len(w.arena))} }

// set keeps text as an item.
func (w *Work) set(i item, text string) {
	from := w.mark()
	w.arena = append(w.arena, text...)
	w.put(i, from)
}

// mark is where the next text begins; never 0, which stands for none.
func (w *Work) mark() int {
	if len(w.arena) == 0 {
		w.arena = append(w.arena, 0)
	}
	return len(w.arena)
}

// read takes the items of one field out of the message; false when the field's
// content is not as its form wants.
func (w *Work) read(t *table, r row, v *iso8583.View) bool {
	from := w.mark()
	w.arena = v.AppendText(w.arena, r.field)
	text := w.arena[from:]
	switch r.form {
	case formPlain, formPrivate:
		w.put(r.item, from)
		return true
	case formProcedure:
		two, ok := swap(t.procs, string(text[:min(2, len(text))]), false)
		if !ok || len(text) != 6 {
			return false
		}
		copy(text, two)
		w.put(r.item, from)
		return true
	case formSigned:
		return w.readSigned(r, t.layout.Encoding(r.field), from)
	case formCode:
		return w.readCode(t, r, from)
	case formLaterCode:
		return w.readLaterCode(r, text, from)
	case formEntry93, formEntry2003:
		return w.readEntry(r, text)
	case formLocal93, formLocal2003:
		return w.readLocal(text)
	case formSettle93, formSettle2003:
		if len(text) < 6 {
			return false
		}
		w.put(r.item, len(w.arena)-4)
		return true
	case formMoney2003:
		return w.readMoney(text, from)
	case formFunction:
		return w.readFunction(v.MTI(), text)
	}
	return w.readOriginal(r.form, text, from)
}

// readSigned keeps a letter C or D and digits; anything else is no such amount.
// Zeros alone, as a host writes them that knows no sign, are an amount of nothing.
func (w *Work) readSigned(r row, e iso8583.Encoding, from int) bool {
	at := from
	if e == iso8583.EncodingBytes {
		packed := w.arena[from:]
		at = len(w.arena)
		w.arena = append(w.arena, packed[0])
		for _, c := range packed[1:] {
			w.arena = append(w.arena, '0'+c>>4, '0'+c&0x0F)
		}
	}
	if amount := w.arena[at:]; amount[0] == '0' && allZeros(amount) {
		amount[0] = 'C'
	}
	if sign := w.arena[at]; sign != 'C' && sign != 'D' || !allDigits(w.arena[at+1:]) {
		return false
	}
	w.put(r.item, at)
	return true
}

func (w *Work) readCode(t *table, r row, from int) bool {
	if t.codes == nil {
		w.put(r.item, from)
		return true
	}
	iso, known := t.code87(w.arena[from:])
	w.set(r.item, iso)
	return known
}

// readLaterCode keeps an action code as 1993 writes it. One of 2003 that has no
// zero behind its first digit is none there, and stays a no.
func (w *Work) readLaterCode(r row, text []byte, from int) bool {
	if len(text) == 3 {
		w.put(r.item, from)
		return true
	}
	if text[1] != '0' {
		w.set(r.item, laterDecline)
		return false
	}
	w.arena = append(w.arena, text[0], text[2], text[3])
	w.put(r.item, from+len(text))
	return true
}

// laterDecline is unknownDecline as 1993 writes it.
const laterDecline = "100"

func (w *Work) readEntry(r row, text []byte) bool {
	iso := [3]byte{'0', '0', '0'}
	known, able := false, false
	if r.form == formEntry93 {
		for _, m := range modes {
			if m.how == text[6] && (!known || m.able == text[0]) {
				copy(iso[:], m.iso)
				known = true
			}
		}
		for _, p := range pinAbles {
			if p.able == text[11] {
				iso[2], able = p.iso, true
			}
		}
	} else {
		for _, m := range modes {
			if m.bits[0] == text[0] && m.bits[1] == text[1] {
				copy(iso[:], m.iso)
				known = true
			}
		}
		for _, p := range pinAbles {
			if p.bit == text[4] {
				iso[2], able = p.iso, true
			}
		}
	}
	w.set(r.item, string(iso[:]))
	return known && able
}

// readLocal takes date and time, whose year has two digits or four.
func (w *Work) readLocal(text []byte) bool {
	n := len(w.arena)
	if len(text) < 12 {
		return false
	}
	w.items[itemLocalTime] = span{uint16(n - 6), uint16(n)}
	w.items[itemLocalDate] = span{uint16(n - 10), uint16(n - 6)}
	return true
}

func (w *Work) readMoney(text []byte, from int) bool {
	if len(text) != 16 {
		return false
	}
	w.items[itemCurrency] = span{uint16(from), uint16(from + 3)}
	w.items[itemAmount] = span{uint16(from + 4), uint16(from + 16)}
	return int(text[3]-'0') == exponent(text[:3])
}

// exponent is the count of decimals of a currency's three digits.
func exponent(currency []byte) int {
	if len(currency) != 3 || !allDigits(currency) { // letters, or a sign, which Atoi would take
		return -1
	}
	n, _ := strconv.Atoi(string(currency))
	return money.Currency(n).Exponent()
}

func (w *Work) readFunction(mti iso8583.MTI, text []byte) bool {
	if mti>>8&0x0F != 8 {
		return true // the message type says it
	}
	for _, p := range networkCodes {
		if p.here == string(text) {
			w.set(itemNetwork, p.iso)
			return true
		}
	}
	return false
}

// readOriginal takes apart what names an earlier message.
func (w *Work) readOriginal(f form, text []byte, from int) bool {
	part := func(i item, at, n int) {
		w.items[i] = span{uint16(from + at), uint16(from + at + n)}
	}
	switch f {
	case formOriginal87:
		if len(text) != 42 {
			return false
		}
		part(itemOriginalMTI, 0, 4)
		part(itemOriginalTrace, 4, 6)
		part(itemOriginalSent, 10, 10)
		w.institution(itemOriginalAcquirer, from+20, from+31)
		w.institution(itemOriginalForwarder, from+31, from+42)
	case formOriginalPOS:
		if len(text) != 12 && len(text) != 16 {
			return false
		}
		part(itemOriginalBatch, 0, 6)
		part(itemOriginalTrace, 6, 6)
		if len(text) == 16 {
			part(itemOriginalDate, 12, 4)
		}
	case formOriginal93:
		if len(text) < 24 || int(text[22]-'0')*10+int(text[23]-'0') != len(text)-24 {
			return false
		}
		part(itemOriginalMTI, 0, 4)
		part(itemOriginalTrace, 4, 6)
		part(itemOriginalLocal, 10, 12)
		w.institution(itemOriginalAcquirer, from+24, from+len(text))
	case formOriginal2003:
		if len(text) < 30 || string(text[4:10]) != "000000" {
			return false
		}
		part(itemOriginalMTI, 0, 4)
		part(itemOriginalTrace, 10, 6)
		part(itemOriginalLocal, 18, 12) // without the century
		w.institution(itemOriginalAcquirer, from+30, from+len(text))
	}
	if f != formOriginalPOS {
		text[0] = '0' // the edition is each dialect's own
	}
	w.present(itemOriginalSent, itemOriginalLocal, itemOriginalTrace, itemOriginalMTI, itemOriginalBatch, itemOriginalDate)
	return true
}

// institution keeps digits without the zeros in front; only zeros say nothing.
func (w *Work) institution(i item, from, to int) {
	for from < to && w.arena[from] == '0' {
		from++
	}
	if from < to {
		w.items[i] = span{uint16(from), uint16(to)}
	}
}

// present takes items of zeros only out again: they stood for nothing.
func (w *Work) present(items ...item) {
	for _, i := range items {
		if allZeros(w.get(i)) {
			w.items[i] = span{}
		}
	}
}

func allZeros(p []byte) bool {
	for _, c := range p {
		if c != '0' {
			return false
		}
	}
	return true
}

func allDigits(p []byte) bool {
	for _, c := range p {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
