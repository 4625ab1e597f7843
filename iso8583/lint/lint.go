// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"strings"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
)

// Severity says how sure a rule is.
type Severity string

// The severities: an error is refused by the hosts we know of, a warning by some.
const (
	Fault   Severity = "error"
	Warning Severity = "warning"
)

// Rule is one thing that is checked.
type Rule struct {
	Code     string
	Severity Severity
	Title    string
	Fix      string
	check    func(m *message, found func(field int, text string))
}

// Finding is a rule that a message breaks.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Field    int      `json:"field"`
	Offset   int      `json:"offset"` // of the field in the message; 0 when it is absent
	Text     string   `json:"message"`
	Fix      string   `json:"fix"`
}

// Check holds a message against all rules, in their order.
func Check(v *iso8583.View) []Finding {
	all := []Finding{}
	m := factsOf(v)
	for _, r := range Rules() {
		r.check(&m, func(field int, text string) {
			from, _ := v.Span(field)
			all = append(all, Finding{r.Code, r.Severity, field, from, text, r.Fix})
		})
	}
	return all
}

// message is a View with the facts that rules ask for.
type message struct {
	v        *iso8583.View
	class    int  // 1 authorization, 2 financial, 4 reversal, 8 network …
	response bool // request, advice and notification are not
	edition  int  // 0 1987, 1 1993, 2 2003
	pos      bool // UnionPay POS
	entry    entry
	what     string // first two digits of the processing code
}

// entry is how the card's data came to the terminal.
type entry uint8

const (
	entryUnknown entry = iota
	entryManual
	entryStripe
	entryChip
	entryOther
)

func factsOf(v *iso8583.View) message {
	t := v.MTI()
	m := message{v: v, class: int(t >> 8 & 0xF), response: t>>4&1 == 1, edition: int(t >> 12)}
	m.pos = strings.HasPrefix(v.Layout().Name(), "unionpaypos")
	if p := m.text(3); len(p) == 6 {
		m.what = p[:2]
	}
	m.entry = entryOf(m.text(22), m.edition)
	return m
}

// entryOf reads field 22: two digits in 1987 and its kin, the seventh character
// in 1993.
func entryOf(t string, edition int) entry {
	if edition == 1 && len(t) == 12 {
		return map[byte]entry{'1': entryManual, '6': entryManual, '2': entryStripe, '5': entryChip}[t[6]]
	}
	if edition != 0 || len(t) != 3 && len(t) != 4 {
		return entryUnknown
	}
	switch t[len(t)-3 : len(t)-1] {
	case "01", "79", "81":
		return entryManual
	case "02", "80", "90", "91":
		return entryStripe
	case "05", "07", "95", "98":
		return entryChip
	case "00":
		return entryUnknown
	}
	return entryOther
}

func (m *message) has(n int) bool { return m.v.Has(n) }

func (m *message) text(n int) string { return string(m.v.AppendText(nil, n)) }

// payment: a request or answer that moves or holds money, or a reversal of one.
func (m *message) payment() bool { return m.class == 1 || m.class == 2 || m.class == 4 }

// request: somebody asks for money to be moved or held.
func (m *message) request() bool { return (m.class == 1 || m.class == 2) && !m.response }

// money: the processing code is about an amount, not an inquiry.
func (m *message) money() bool { return m.what != "30" && m.what != "31" }

// approved: the answer says yes.
func (m *message) approved() bool {
	switch m.text(39) {
	case "00", "10", "11", "000", "0000":
		return true
	}
	return false
}

// amount is field 4 without what 2003 writes in front of it: currency and the
// count of decimals.
func (m *message) amount() string {
	t := m.text(4)
	if m.edition == 2 && len(t) == 16 {
		return t[4:]
	}
	return t
}

// currency is what the amount is in.
func (m *message) currency() string {
	if m.edition == 2 {
		return m.text(4)[:min(3, len(m.text(4)))]
	}
	return m.text(49)
}

// tag gives a value of field 55.
func (m *message) tag(t bertlv.Tag) ([]byte, bool) {
	return bertlv.Find(m.v.Raw(55), t)
}

// track gives card number and expiry of a track 2, empty when it is none.
func (m *message) track() (pan, expiry string) {
	t := strings.ReplaceAll(m.text(35), "D", "=")
	pan, rest, ok := strings.Cut(t, "=")
	if !ok || len(rest) < 4 || strings.Trim(pan+rest[:4], "0123456789") != "" {
		return "", ""
	}
	return pan, rest[:4]
}
