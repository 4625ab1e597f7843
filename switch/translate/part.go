// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strings"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// Part is how an acquirer is told that the terminal takes an approval of a part
// of the amount. ISO 8583:1987 has no field for it: each host names one of the
// private or reserved ones, and what stands there. The zero Part says that this
// acquirer approves the whole or nothing.
type Part struct {
	Field   int
	Content string
}

// ParsePart reads FIELD=CONTENT, such as 60=1; the empty text is the zero Part.
func ParsePart(text string) (p Part, err error) {
	if text == "" {
		return p, nil
	}
	field, content, ok := strings.Cut(text, "=")
	if n := digits([]byte(field)); ok && content != "" && n >= 2 && n <= iso8583.MaxField {
		return Part{int(n), content}, nil
	}
	return p, fmt.Errorf("translate: partial approval: want FIELD=CONTENT, such as 60=1")
}

// checkPart refuses a field that the dialect does not have, or gives a meaning of
// its own, and content that it cannot hold.
func (a *Acquirer) checkPart() error {
	part := a.profile.Part
	if part.Field == 0 {
		return nil
	}
	for _, r := range a.t.rows {
		if r.field != part.Field || r.form != formPrivate {
			continue
		}
		var w Work
		w.b.Reset(a.t.layout, 0x0200|a.t.edition)
		w.field(part.Field, []byte(part.Content))
		if _, err := w.b.Append(nil); err != nil {
			return fmt.Errorf("translate: partial approval: field %d of dialect %s cannot hold its content", part.Field, a.t.name)
		}
		return nil
	}
	return fmt.Errorf("translate: partial approval: field %d of dialect %s is not left to the host's own use", part.Field, a.t.name)
}

// takesPart says whether an approval of a part may answer p: the terminal and
// the acquirer both know it, and no other class is built.
func (a *Acquirer) takesPart(p *txn.Payment) bool {
	return p.TakesPart && p.Key.Class == txn.Purchase && a.profile.Part.Field != 0
}

// part is what an answer with code approves of p's amount; 0 when it is no partial
// approval, or none that was asked for. One that is asked for and names no smaller
// amount is an error: it is not known what was taken.
func (a *Acquirer) part(v *iso8583.View, p *txn.Payment, code txn.Code) (money.MinorUnits, error) {
	if code != txn.CodePartial || !a.takesPart(p) {
		return 0, nil
	}
	for _, r := range a.t.rows {
		if r.item != itemAmount {
			continue
		}
		var w Work
		if v.Has(r.field) && w.read(a.t, r, v) {
			if n := money.MinorUnits(digits(w.get(itemAmount))); n > 0 && n < p.Amount.Minor {
				return n, nil
			}
		}
	}
	return 0, fmt.Errorf("a partial approval of no smaller amount")
}
