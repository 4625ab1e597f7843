// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/txn"
)

// The tags of fields. Numbers are stored: append only, never reused.
const (
	tagFingerprint byte = iota + 1
	tagMasked
	tagToken
	tagSealedPAN
	tagAmount
	tagExpiry
	tagPSN
	tagEntry
	tagCond
	tagFlags
	tagLink
	tagNumbers
	tagUndo
	tagReason
	tagCode
	tagAuth
	tagRRN
	tagAt
	tagSettle
	tagICC
	tagEvent
	tagCount
	tagKey
	tagFunds // from here on version 2
	tagOriginal
	tagBatch
	tagNow
	tagTold
	tagTheirs
	tagOfRRN
	tagDeed
	tagBy
	tagWhy
	tagItem
	tagSealedBy
	tagPart
	tagCash
	tagOf
	tagWas
	tagScript
	tagOffline
)

// A body is of the lowest version that has all its fields.
const (
	lastOfVersion1 = tagKey
	lastTag        = tagOffline
)

const (
	flagPIN    = 1
	flagChip   = 2
	flagUndoes = 4
	flagPart   = 8
)

type encoder struct{ buf []byte }

func newEncoder(dst []byte) *encoder { return &encoder{append(dst, version)} }

func (e *encoder) bytes(tag byte, v []byte) {
	if len(v) == 0 {
		return
	}
	if tag > lastOfVersion1 {
		e.buf[0] = version2
	}
	e.buf = append(e.buf, tag)
	e.buf = binary.AppendUvarint(e.buf, uint64(len(v)))
	e.buf = append(e.buf, v...)
}

func (e *encoder) byte(tag, v byte) { e.bytes(tag, []byte{v}) }

// fixed writes v unless it is all zero: an absent field reads as zero.
func (e *encoder) fixed(tag byte, v []byte) {
	for _, b := range v {
		if b != 0 {
			e.bytes(tag, v)
			return
		}
	}
}

func (e *encoder) time(tag byte, t time.Time) {
	if !t.IsZero() {
		e.bytes(tag, binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano())))
	}
}

// numbers: STAN 4, time 8, RRN 12.
func (e *encoder) numbers(tag byte, n txn.Numbers) {
	if n.STAN == 0 {
		return
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(n.STAN))
	b = binary.BigEndian.AppendUint64(b, uint64(n.At.UnixNano()))
	e.bytes(tag, append(b, n.RRN[:]...))
}

// funds: amount 8, currency 2, 1 for a debit.
func (e *encoder) funds(f txn.Funds) {
	if f.Available.Currency == 0 {
		return
	}
	b := appendAmount(nil, f.Available)
	if f.Debit {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	e.bytes(tagFunds, b)
}

func appendAmount(dst []byte, a money.Amount) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.Minor))
	return binary.BigEndian.AppendUint16(dst, uint16(a.Currency))
}

func setAmount(a *money.Amount, v []byte) bool {
	if len(v) != 10 {
		return false
	}
	*a = money.Amount{Minor: money.MinorUnits(binary.BigEndian.Uint64(v)), Currency: money.Currency(binary.BigEndian.Uint16(v[8:]))}
	return true
}

func appendPayment(dst []byte, p *txn.Payment) []byte {
	e := newEncoder(dst)
	e.bytes(tagFingerprint, p.Fingerprint[:])
	e.bytes(tagMasked, []byte(p.Masked))
	e.bytes(tagToken, p.Token[:])
	e.bytes(tagSealedPAN, p.SealedPAN)
	e.bytes(tagAmount, appendAmount(nil, p.Amount))
	e.minor(tagCash, p.Cash)
	e.fixed(tagExpiry, p.Expiry[:])
	e.fixed(tagPSN, p.PSN[:])
	e.fixed(tagEntry, p.Entry[:])
	e.fixed(tagCond, p.Cond[:])
	flags := byte(0)
	if p.PINGiven {
		flags |= flagPIN
	}
	if p.ChipRead {
		flags |= flagChip
	}
	if p.Undoes {
		flags |= flagUndoes
	}
	if p.TakesPart {
		flags |= flagPart
	}
	e.byte(tagFlags, flags)
	e.bytes(tagLink, []byte(p.Link))
	e.numbers(tagNumbers, p.Numbers)
	if p.Original != (txn.Key{}) {
		e.bytes(tagOriginal, AppendKey(nil, p.Original))
	}
	e.fixed(tagOfRRN, p.OfRRN[:])
	e.sealedBy(p.SealedBy)
	e.numbers(tagOf, p.Of)
	e.minor(tagWas, p.Was)
	e.bytes(tagScript, p.Script)
	return e.buf
}

// appendAnswer continues a body that has its version byte already.
func appendAnswer(dst []byte, a txn.Answer) []byte {
	e := &encoder{dst}
	e.fixed(tagCode, a.Code[:])
	e.bytes(tagReason, []byte(a.Reason))
	e.fixed(tagAuth, a.Auth[:])
	e.fixed(tagRRN, a.RRN[:])
	e.time(tagAt, a.At)
	e.fixed(tagSettle, a.SettleMD[:])
	e.bytes(tagICC, a.ICC)
	e.funds(a.Funds)
	e.minor(tagPart, a.Part)
	return e.buf
}

// fields walks a body and hands every field to set, which returns false for a
// tag or length it does not know.
func fields(body []byte, set func(tag byte, v []byte) bool) error {
	if len(body) == 0 || body[0] != version && body[0] != version2 {
		return ErrVersion
	}
	last := lastOfVersion1
	if body[0] == version2 {
		last = lastTag
	}
	for b := body[1:]; len(b) > 0; {
		tag := b[0]
		n, w := binary.Uvarint(b[1:])
		if w <= 0 || n > uint64(len(b)-1-w) {
			return ErrForm
		}
		if tag > last || !set(tag, b[1+w:1+w+int(n)]) {
			return ErrForm
		}
		b = b[1+w+int(n):]
	}
	return nil
}

func fill(dst, v []byte) bool { return copy(dst, v) == len(dst) && len(v) == len(dst) }

func parseTime(v []byte) (time.Time, bool) {
	if len(v) != 8 {
		return time.Time{}, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(v))).UTC(), true
}

func setNumbers(n *txn.Numbers, v []byte) bool {
	if len(v) != 24 {
		return false
	}
	n.STAN = txn.STAN(binary.BigEndian.Uint32(v))
	n.At, _ = parseTime(v[4:12])
	return fill(n.RRN[:], v[12:])
}

func setPayment(p *txn.Payment, tag byte, v []byte) bool {
	switch tag {
	case tagFingerprint:
		return fill(p.Fingerprint[:], v)
	case tagMasked:
		p.Masked = string(v)
	case tagToken:
		return fill(p.Token[:], v)
	case tagSealedPAN:
		p.SealedPAN = append([]byte(nil), v...)
	case tagAmount:
		return setAmount(&p.Amount, v)
	case tagOf:
		return setNumbers(&p.Of, v)
	case tagWas:
		return setMinor(&p.Was, v)
	case tagCash:
		return setMinor(&p.Cash, v)
	case tagScript:
		p.Script = append([]byte(nil), v...)
	case tagExpiry:
		return fill(p.Expiry[:], v)
	case tagPSN:
		return fill(p.PSN[:], v)
	case tagEntry:
		return fill(p.Entry[:], v)
	case tagCond:
		return fill(p.Cond[:], v)
	case tagFlags:
		if len(v) != 1 {
			return false
		}
		p.PINGiven, p.ChipRead, p.Undoes, p.TakesPart = v[0]&flagPIN != 0, v[0]&flagChip != 0, v[0]&flagUndoes != 0, v[0]&flagPart != 0
	case tagLink:
		p.Link = string(v)
	case tagNumbers:
		return setNumbers(&p.Numbers, v)
	case tagOriginal:
		k, err := ParseKey(v)
		p.Original = k
		return err == nil
	case tagOfRRN:
		return fill(p.OfRRN[:], v)
	case tagSealedBy:
		return setSealedBy(&p.SealedBy, v)
	default:
		return setAnswer(&p.Answer, tag, v)
	}
	return true
}

func setAnswer(a *txn.Answer, tag byte, v []byte) bool {
	ok := true
	switch tag {
	case tagCode:
		ok = fill(a.Code[:], v)
	case tagReason:
		a.Reason = txn.Reason(v)
	case tagAuth:
		ok = fill(a.Auth[:], v)
	case tagRRN:
		ok = fill(a.RRN[:], v)
	case tagAt:
		a.At, ok = parseTime(v)
	case tagSettle:
		ok = fill(a.SettleMD[:], v)
	case tagICC:
		a.ICC = append([]byte(nil), v...)
	case tagFunds:
		if ok = len(v) == 11 && v[10] <= 1; ok {
			setAmount(&a.Funds.Available, v[:10])
			a.Funds.Debit = v[10] == 1
		}
	case tagPart:
		ok = setMinor(&a.Part, v)
	default:
		ok = false
	}
	return ok
}

func setEvent(e *txn.Event, v []byte) bool {
	if len(v) != 1 {
		return false
	}
	*e = txn.Event(v[0])
	return true
}

// ParsePayment reads the body of KindIntent, KindRefused or KindAdvice.
func ParsePayment(k txn.Key, body []byte) (*txn.Payment, error) {
	p := &txn.Payment{Key: k}
	return p, fields(body, func(tag byte, v []byte) bool { return setPayment(p, tag, v) })
}

// ParseOutcome reads the body of KindOutcome.
func ParseOutcome(body []byte) (o Outcome, err error) {
	err = fields(body, func(tag byte, v []byte) bool {
		if tag == tagEvent {
			return setEvent(&o.Event, v)
		}
		return setAnswer(&o.Answer, tag, v)
	})
	return o, err
}

// ParseUndo reads the body of KindUndo.
func ParseUndo(body []byte) (u Undo, err error) {
	err = fields(body, func(tag byte, v []byte) bool {
		switch tag {
		case tagEvent:
			return setEvent(&u.Event, v)
		case tagReason:
			u.Reason = txn.Reason(v)
			return true
		case tagUndo:
			return setNumbers(&u.Numbers, v)
		}
		return false
	})
	return u, err
}

// ParseUndone reads the body of KindUndone.
func ParseUndone(body []byte) (u Undone, err error) {
	err = fields(body, func(tag byte, v []byte) bool {
		switch tag {
		case tagEvent:
			return setEvent(&u.Event, v)
		case tagCode:
			return fill(u.Code[:], v)
		}
		return false
	})
	return u, err
}

// ParseCase reads the body of KindCase.
func ParseCase(body []byte) (c txn.Case, err error) {
	opened := false
	err = fields(body, func(tag byte, v []byte) (ok bool) {
		switch tag {
		case tagEvent:
			opened = isEvent(v, txn.CaseOpened)
			return opened
		case tagReason:
			c.Why = txn.Reason(v)
			return true
		case tagCode:
			return fill(c.Code[:], v)
		case tagAt:
			c.At, ok = parseTime(v)
			return ok
		}
		return false
	})
	if err == nil && (!opened || c.Why == "") {
		err = ErrForm
	}
	return c, err
}

// ParseAdvised reads the body of KindAdvised.
func ParseAdvised(body []byte) (a Advised, err error) {
	acked := false
	err = fields(body, func(tag byte, v []byte) (ok bool) {
		switch tag {
		case tagEvent:
			acked = isEvent(v, txn.AdviceAcked)
			return acked
		case tagCode:
			return fill(a.Code[:], v)
		case tagAt:
			a.At, ok = parseTime(v)
			return ok
		}
		return false
	})
	if err == nil && !acked {
		err = ErrForm
	}
	return a, err
}

// ParseAct reads the body of KindAct.
func ParseAct(body []byte) (a txn.Act, err error) {
	err = fields(body, func(tag byte, v []byte) (ok bool) {
		switch tag {
		case tagDeed:
			if len(v) != 1 {
				return false
			}
			a.What = txn.Deed(v[0])
			return true
		case tagBy:
			a.By = string(v)
			return len(v) <= txn.ByMax
		case tagWhy:
			a.Why = string(v)
			return len(v) <= txn.WhyMax
		case tagCode:
			return fill(a.Code[:], v)
		case tagAt:
			a.At, ok = parseTime(v)
			return ok
		}
		return false
	})
	if err == nil && (!a.What.Known() || a.By == "" || a.Why == "" || a.At.IsZero()) {
		err = ErrForm
	}
	return a, err
}

// ParseTries reads key and body of KindTries.
func ParseTries(key, body []byte) (token [16]byte, t Tries, err error) {
	if !fill(token[:], key) {
		return token, t, ErrForm
	}
	err = fields(body, func(tag byte, v []byte) bool {
		switch tag {
		case tagCount:
			if len(v) != 1 {
				return false
			}
			t.Count = v[0]
			return true
		case tagKey:
			k, err := ParseKey(v)
			t.Payment = k
			return err == nil
		}
		return false
	})
	return token, t, err
}
