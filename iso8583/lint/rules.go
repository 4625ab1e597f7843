// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tapswitch/iso8583/bertlv"
	"tapswitch/iso8583/describe"
)

// Rules are all rules, in the order in which they are checked.
func Rules() []Rule {
	return slices.Concat(presence(), entryRules(), chipRules(), cardRules(), valueRules())
}

// presence: the fields that the type of a message asks for.
func presence() []Rule {
	return []Rule{
		{"ISO-L01", Fault, "the message type means something", "use a type of ISO 8583: version, class, function, origin", checkType},
		{"ISO-L02", Fault, "a request for money has processing code, amount, trace number, entry mode, terminal and merchant",
			"add the field: hosts answer 30 (format error) without it", checkRequest},
		{"ISO-L03", Fault, "a request has a card: field 2, or a track", "add field 2, 35 or 36, or the chip data that has the card", checkCard},
		{"ISO-L04", Fault, "an answer has trace number and response code", "add the field: the terminal cannot match or judge the answer without it", checkAnswer},
		{"ISO-L05", Fault, "a request has no response code", "take field 39 out: only answers and reversals of UnionPay POS have it", func(m *message, found func(int, string)) {
			if m.request() && m.has(39) {
				found(39, "field 39 in a request")
			}
		}},
		{"ISO-L06", Warning, "an approval has an authorization code", "the receipt and the clearing need field 38", func(m *message, found func(int, string)) {
			if m.response && (m.class == 1 || m.class == 2) && m.money() && m.approved() && !m.has(38) {
				found(38, "approved, but field 38 is missing")
			}
		}},
		{"ISO-L07", Fault, "an amount has a currency", "add field 49; in 2003 it is part of the amount", func(m *message, found func(int, string)) {
			if m.payment() && m.has(4) && !m.has(49) && !m.response && m.edition != 2 {
				found(49, "field 4 without field 49")
			}
		}},
		{"ISO-L08", Fault, "a reversal names its original", "add field 90 (1987) or 56 (1993, 2003) with type, trace number, date and acquirer of the original", checkReversal},
		{"ISO-L09", Fault, "a network message says what it is for", "add field 70 (1987), 24 (1993, 2003) or 60 (UnionPay POS)", checkNetwork},
	}
}

func checkType(m *message, found func(int, string)) {
	class := int(m.v.MTI() >> 8 & 0xF)
	if describe.MTI(m.v.MTI()) == "" && !(m.pos && class == 9) {
		found(0, "the message type has no meaning")
	}
}

func checkRequest(m *message, found func(int, string)) {
	if !m.request() {
		return
	}
	need := []int{3, 11, 22, 41, 42}
	if m.money() {
		need = append(need, 4)
	}
	if m.edition > 0 {
		need = append(need, 12, 24)
	} else if !m.pos {
		need = append(need, 7)
	}
	slices.Sort(need)
	for _, n := range need {
		if m.v.Layout().Defines(n) && !m.has(n) {
			found(n, fmt.Sprintf("field %d is missing", n))
		}
	}
}

func checkCard(m *message, found func(int, string)) {
	_, chip := m.tag(bertlv.Track2Equivalent)
	_, pan := m.tag(bertlv.CardNumber)
	if m.request() && !m.has(2) && !m.has(35) && !m.has(36) && !m.has(45) && !chip && !pan && m.entry != entryOther {
		found(2, "no field has the card")
	}
}

func checkAnswer(m *message, found func(int, string)) {
	if !m.response {
		return
	}
	for _, n := range []int{11, 39} {
		if !m.has(n) {
			found(n, fmt.Sprintf("field %d is missing", n))
		}
	}
}

func checkReversal(m *message, found func(int, string)) {
	if m.class != 4 || m.response {
		return
	}
	n := 90
	switch {
	case m.pos:
		n = 11 // the reversal has the trace number and batch of its original
	case m.edition > 0:
		n = 56
	}
	if !m.has(n) {
		found(n, fmt.Sprintf("field %d is missing", n))
	}
}

func checkNetwork(m *message, found func(int, string)) {
	if m.class != 8 {
		return
	}
	n := 70
	switch {
	case m.pos:
		n = 60
	case m.edition > 0:
		n = 24
	}
	if !m.has(n) && !m.response {
		found(n, fmt.Sprintf("field %d is missing", n))
	}
}

// entryRules: the fields that the entry mode asks for.
func entryRules() []Rule {
	return []Rule{
		{"ISO-L10", Fault, "chip entry has chip data", "add field 55, or say in field 22 how the card was really read", func(m *message, found func(int, string)) {
			if m.request() && m.entry == entryChip && !m.has(55) {
				found(55, "field 55 is missing for a chip entry mode")
			}
		}},
		{"ISO-L11", Fault, "stripe entry has a track", "add field 35 or 36, or say in field 22 how the card was really read", func(m *message, found func(int, string)) {
			if m.request() && m.entry == entryStripe && !m.has(35) && !m.has(36) && !m.has(45) {
				found(35, "no track for a stripe entry mode")
			}
		}},
		{"ISO-L12", Fault, "manual entry has card number and expiry", "add field 2 and field 14", func(m *message, found func(int, string)) {
			for _, n := range []int{2, 14} {
				if m.request() && m.entry == entryManual && !m.has(n) {
					found(n, fmt.Sprintf("field %d is missing for a manual entry mode", n))
				}
			}
		}},
		{"ISO-L13", Warning, "chip data comes with a chip entry mode", "say in field 22 that the chip was read", func(m *message, found func(int, string)) {
			if m.request() && m.has(55) && m.entry != entryChip && m.entry != entryUnknown {
				found(22, "field 55 is there, the entry mode is none of a chip")
			}
		}},
		{"ISO-L14", Warning, "chip entry has a card sequence number", "add field 23 from tag 5F34; issuers derive the card's keys with it", func(m *message, found func(int, string)) {
			if m.request() && m.entry == entryChip && !m.has(23) {
				found(23, "field 23 is missing for a chip entry mode")
			}
		}},
		{"ISO-L15", Warning, "a PIN block says how it is formed", "add field 53 (UnionPay) or agree on the form with the peer, and field 26", func(m *message, found func(int, string)) {
			if m.has(52) && !m.has(53) && m.pos {
				found(53, "field 52 without field 53")
			}
		}},
		{"ISO-L16", Fault, "a PIN block is in requests only", "take field 52 out: a PIN must not travel where nobody checks it", func(m *message, found func(int, string)) {
			if m.has(52) && !m.request() {
				found(52, "field 52 in a message that asks for no money")
			}
		}},
		{"ISO-L17", Warning, "a PIN block comes from a terminal that can take a PIN", "correct the last digit of field 22", func(m *message, found func(int, string)) {
			if t := m.text(22); m.has(52) && m.edition == 0 && len(t) >= 3 && t[len(t)-1] == '2' {
				found(22, "field 52 is there, field 22 says that the terminal cannot take a PIN")
			}
		}},
	}
}

// chipRules: what is inside field 55.
func chipRules() []Rule {
	return []Rule{
		{"ISO-L20", Fault, "chip data is TLV throughout", "look at the object that begins at that byte of the field: its length does not fit", checkTLV},
		{"ISO-L21", Fault, "a cryptogram comes with all that it was computed over", "add the tags: the issuer cannot check the cryptogram without them", checkTags},
		{"ISO-L22", Warning, "the chip signed the amount that is asked for", "field 4 and tag 9F02 must be the same, or the issuer's check fails", func(m *message, found func(int, string)) {
			if p, ok := m.tag(bertlv.AmountAuthorised); ok && m.request() && m.has(4) && hex.EncodeToString(p) != m.amount() {
				found(55, "tag 9F02 and field 4 differ")
			}
		}},
		{"ISO-L23", Warning, "the chip signed the currency that is asked for", "field 49 and tag 5F2A must be the same", func(m *message, found func(int, string)) {
			p, ok := m.tag(bertlv.TransactionMoney)
			if currency := m.currency(); ok && m.request() && len(currency) == 3 && strings.TrimPrefix(hex.EncodeToString(p), "0") != currency {
				found(55, "tag 5F2A and field 49 differ")
			}
		}},
	}
}

func checkTLV(m *message, found func(int, string)) {
	if err := bertlv.Check(m.v.Raw(55)); err != nil {
		found(55, strings.TrimPrefix(err.Error(), "bertlv: ")+" of field 55")
	}
}

func checkTags(m *message, found func(int, string)) {
	_, cryptogram := m.tag(bertlv.Cryptogram)
	if !m.request() || !cryptogram && m.entry != entryChip || !m.has(55) {
		return
	}
	var missing []string
	for _, t := range []bertlv.Tag{bertlv.Cryptogram, bertlv.CryptogramInfo, bertlv.IssuerAppData, bertlv.Unpredictable, bertlv.ATC, bertlv.TVR,
		bertlv.TransactionDate, bertlv.TransactionType, bertlv.AmountAuthorised, bertlv.TransactionMoney, bertlv.AIP, bertlv.TerminalCountry} {
		if _, ok := m.tag(t); !ok {
			missing = append(missing, t.String())
		}
	}
	if len(missing) > 0 {
		found(55, "missing: "+strings.Join(missing, " "))
	}
}

// cardRules: the card is the same wherever it stands. No text says how.
func cardRules() []Rule {
	return []Rule{
		{"ISO-L30", Warning, "the card number has a right check digit", "compare field 2 with the card; test cards may be wrong on purpose", func(m *message, found func(int, string)) {
			if p := m.text(2); m.has(2) && !describe.Luhn([]byte(p)) {
				found(2, "the check digit is wrong")
			}
		}},
		{"ISO-L31", Fault, "field 2 and track 2 have the same card", "take both from the same reading of the card", func(m *message, found func(int, string)) {
			if pan, _ := m.track(); pan != "" && m.has(2) && pan != m.text(2) {
				found(35, "the card number in the track is not that of field 2")
			}
		}},
		{"ISO-L32", Fault, "field 14 and track 2 have the same expiry", "take both from the same reading of the card", func(m *message, found func(int, string)) {
			if _, expiry := m.track(); expiry != "" && m.has(14) && expiry != m.text(14) {
				found(14, "the expiry in the track is not that of field 14")
			}
		}},
		{"ISO-L33", Warning, "field 35 is a track", "an encrypted track is announced (field 53 of UnionPay POS); anything else is a mistake", func(m *message, found func(int, string)) {
			encrypted := m.pos && len(m.text(53)) > 2 && m.text(53)[2] == '1'
			if pan, _ := m.track(); m.has(35) && pan == "" && !encrypted {
				found(35, "no card number, separator and expiry in it")
			}
		}},
	}
}

// valueRules: values that cannot be.
func valueRules() []Rule {
	return []Rule{
		{"ISO-L40", Fault, "dates and times exist", "look at the clock and at the order of day and month", checkStamps},
		{"ISO-L41", Warning, "a purchase has an amount", "an amount of zero is asked for by account checks only", func(m *message, found func(int, string)) {
			if m.request() && m.what == "00" && m.has(4) && strings.Trim(m.amount(), "0") == "" {
				found(4, "the amount is zero")
			}
		}},
		{"ISO-L42", Warning, "the response code is known", "the peer's specification says what it means", func(m *message, found func(int, string)) {
			if m.response && m.has(39) && describe.ResponseCode(m.text(39)) == "" {
				found(39, "the response code is not among the common ones")
			}
		}},
		{"ISO-L50", Fault, "there is one MAC, in the last field", "field 128 when there is a second bitmap, else field 64", func(m *message, found func(int, string)) {
			second := m.v.Next(64) != 0
			switch {
			case m.has(64) && m.has(128):
				found(64, "both field 64 and field 128")
			case m.has(64) && second:
				found(64, "field 64 in a message with a second bitmap covers only half of it")
			}
		}},
	}
}

func checkStamps(m *message, found func(int, string)) {
	for n := 7; n <= 17; n++ {
		if form := describe.StampForm(n, m.v.Len(n)); m.has(n) && form != "" {
			if bad := describe.BadStamp(m.text(n), form); bad != "" {
				found(n, fmt.Sprintf("is no %s: the %s cannot be", form, bad))
			}
		}
	}
}
