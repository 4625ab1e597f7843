// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"strconv"
	"strings"

	"tapswitch/iso8583"
)

// MTI says what a message type means, "" when its digits mean nothing.
func MTI(m iso8583.MTI) string {
	class := [...]string{1: "authorization", 2: "financial", 3: "file action", 4: "reversal", 5: "reconciliation",
		6: "administrative", 7: "fee collection", 8: "network management"}
	function := [...]string{"request", "response", "advice", "advice response", "notification", "notification acknowledgement",
		"instruction", "instruction acknowledgement"}
	origin := [...]string{"", ", repeated", "", ", repeated", "", ", repeated"}
	c, f, o := int(m>>8&0xF), int(m>>4&0xF), int(m&0xF)
	if m>>12 > 2 || c >= len(class) || class[c] == "" || f >= len(function) || o >= len(origin) {
		return ""
	}
	from := ""
	switch o / 2 {
	case 1:
		from = " by the issuer"
	case 2:
		from = " by another party"
	}
	return class[c] + " " + function[f] + from + origin[o]
}

// meaning gives the words for a code, "" when it has none or nobody agreed on
// any. What differs between editions is told apart by its length.
func meaning(v *iso8583.View, n int, text []byte) string {
	t := string(text)
	switch n {
	case 3:
		return processing(t)
	case 4, 5, 6:
		return amount(v, n, t)
	case 7, 12, 13, 15, 16, 17:
		return stamp(t, StampForm(n, len(t)))
	case 22:
		return entryMode(t)
	case 25:
		return map[string]string{"00": "normal", "06": "pre-authorization", "08": "mail or telephone order", "01": "customer not present", "59": "electronic commerce"}[t]
	case 38:
		return ""
	case 39:
		return responseCode(t)
	case 49, 50, 51:
		return currency(t).name
	case 70:
		return networkCode(strings.TrimPrefix(t, "0"), t)
	}
	return ""
}

func processing(t string) string {
	if len(t) != 6 {
		return ""
	}
	what := map[string]string{"00": "purchase", "01": "cash withdrawal", "02": "debit adjustment", "09": "purchase with cash back",
		"20": "refund, or void of a purchase", "21": "deposit", "22": "credit adjustment", "03": "pre-authorization", "30": "available funds inquiry",
		"31": "balance inquiry", "40": "account transfer", "90": "PIN change"}[t[:2]]
	if what == "" {
		return ""
	}
	for i, side := range []string{" from ", " to "} {
		account := map[string]string{"10": "savings", "20": "checking", "30": "credit", "40": "universal"}[t[2+2*i:4+2*i]]
		if account != "" {
			what += side + account
		}
	}
	return what
}

type money struct {
	name   string
	digits int
}

// currency knows the currencies of the samples and the large ones; another one
// is shown as its number.
func currency(t string) money {
	if len(t) == 4 {
		t = strings.TrimPrefix(t, "0") // some dialects carry four digits
	}
	m, ok := map[string]money{"036": {"AUD", 2}, "124": {"CAD", 2}, "156": {"CNY", 2}, "208": {"DKK", 2}, "344": {"HKD", 2}, "356": {"INR", 2},
		"360": {"IDR", 2}, "392": {"JPY", 0}, "410": {"KRW", 0}, "446": {"MOP", 2}, "458": {"MYR", 2}, "554": {"NZD", 2}, "578": {"NOK", 2},
		"643": {"RUB", 2}, "702": {"SGD", 2}, "704": {"VND", 0}, "710": {"ZAR", 2}, "752": {"SEK", 2}, "756": {"CHF", 2}, "764": {"THB", 2},
		"784": {"AED", 2}, "826": {"GBP", 2}, "840": {"USD", 2}, "901": {"TWD", 2}, "949": {"TRY", 2}, "978": {"EUR", 2}, "985": {"PLN", 2},
		"986": {"BRL", 2}, "048": {"BHD", 3}, "414": {"KWD", 3}}[t]
	if !ok {
		return money{"", -1}
	}
	return m
}

// Currency says whether digits are the number of a currency known here.
func Currency(t string) bool { return currency(t).digits >= 0 }

// amount writes minor units as people do, when the currency is known. 2003 has
// the currency and the count of decimals in front of the amount.
func amount(v *iso8583.View, n int, t string) string {
	m := money{"", -1}
	if len(t) == 16 && v.MTI()>>12 == 2 {
		m, t = currency(t[:3]), t[4:]
	} else {
		m = currency(string(v.AppendText(nil, n+45))) // 49, 50 and 51 belong to 4, 5 and 6
	}
	u, err := strconv.ParseUint(t, 10, 64)
	if m.digits < 0 || err != nil {
		return ""
	}
	s := strconv.FormatUint(u, 10)
	for len(s) <= m.digits {
		s = "0" + s
	}
	if m.digits == 0 {
		return s + " " + m.name
	}
	return s[:len(s)-m.digits] + "." + s[len(s)-m.digits:] + " " + m.name
}

// StampForm is the form of a date or time by field and length, "" when field n
// is none. Editions differ, and the length tells them apart.
func StampForm(n, length int) string {
	switch n {
	case 7:
		return map[int]string{10: "MMDDhhmmss"}[length]
	case 12:
		return map[int]string{6: "hhmmss", 12: "YYMMDDhhmmss", 14: "YYYYMMDDhhmmss"}[length]
	case 14:
		return map[int]string{4: "YYMM"}[length]
	case 13, 15, 16, 17:
		return map[int]string{4: "MMDD", 6: "YYMMDD", 8: "YYYYMMDD"}[length]
	}
	return ""
}

// ResponseCode says what a code of field 39 means, "" when nobody agreed on it.
func ResponseCode(t string) string { return responseCode(t) }

// stamp says that a date or time cannot be one; a right one speaks for itself.
func stamp(t, form string) string {
	if form == "" || len(t) != len(form) {
		return ""
	}
	if bad := BadStamp(t, form); bad != "" {
		return "is no " + form + ": the " + bad + " cannot be"
	}
	return ""
}

// BadStamp names the part of a date or time that cannot be, "" when all can.
// The form is made of YYYY, YY, MM, DD, hh, mm and ss; zeros alone are taken as
// "not given".
func BadStamp(t, form string) string {
	if len(t) != len(form) {
		return "length"
	}
	if strings.Trim(t, "0") == "" {
		return ""
	}
	for i := 0; i+1 < len(form); i += 2 {
		x, err := strconv.Atoi(t[i : i+2])
		low, high, name := 0, 99, "year"
		switch form[i : i+2] {
		case "MM":
			low, high, name = 1, 12, "month"
		case "DD":
			low, high, name = 1, 31, "day"
		case "hh":
			high, name = 23, "hour"
		case "mm":
			high, name = 59, "minute"
		case "ss":
			high, name = 59, "second"
		}
		if err != nil || x < low || x > high {
			return name
		}
	}
	return ""
}

func entryMode(t string) string {
	if len(t) == 4 {
		t = strings.TrimPrefix(t, "0")
	}
	if len(t) != 3 {
		return ""
	}
	how := map[string]string{"00": "unknown", "01": "manual", "02": "magnetic stripe", "03": "scanned code", "04": "scanned code or OCR", "05": "chip, contact",
		"07": "chip, contactless", "10": "card on file", "79": "manual after a failed chip", "80": "magnetic stripe after a failed chip", "81": "electronic commerce",
		"90": "magnetic stripe, whole track", "91": "magnetic stripe data, contactless", "92": "phone", "95": "chip, contact, data unreliable", "96": "mobile", "98": "contactless, full chip transaction"}[t[:2]]
	if how == "" {
		return ""
	}
	switch t[2] {
	case '1':
		how += ", terminal can take a PIN"
	case '2':
		how += ", terminal cannot take a PIN"
	}
	return how
}

func networkCode(short, t string) string {
	names := map[string]string{"001": "sign on", "002": "sign off", "003": "target system unavailable", "101": "key change", "102": "key change",
		"161": "key exchange", "162": "key exchange", "201": "cut-over begins", "202": "cut-over ends", "301": "echo"}
	if s := names[t]; s != "" {
		return s
	}
	return names[short]
}

func responseCode(t string) string {
	if len(t) == 4 && t[1] == '0' { // 2003 puts a zero behind the first digit of 1993
		t = t[:1] + t[2:]
	}
	if len(t) == 3 {
		return map[string]string{"000": "approved", "100": "do not honour", "101": "expired card", "106": "PIN tries exceeded", "109": "invalid merchant",
			"110": "invalid amount", "111": "invalid card number", "116": "not sufficient funds", "117": "incorrect PIN", "119": "not permitted to cardholder",
			"121": "amount limit exceeded", "200": "pick up", "400": "accepted", "800": "accepted", "904": "format error", "907": "issuer inoperative",
			"908": "destination not found", "909": "system malfunction", "911": "issuer timed out", "913": "duplicate transmission", "914": "original not found"}[t]
	}
	return map[string]string{"00": "approved", "01": "refer to issuer", "02": "refer to issuer", "03": "invalid merchant", "04": "pick up",
		"05": "do not honour", "06": "error", "07": "pick up, special", "10": "approved in part", "11": "approved, VIP", "12": "invalid transaction",
		"13": "invalid amount", "14": "invalid card number", "15": "no such issuer", "19": "try again", "21": "no action taken", "22": "suspected malfunction", "25": "original not found",
		"30": "format error", "34": "suspected fraud", "38": "PIN tries exceeded", "40": "function not supported", "41": "lost card", "43": "stolen card",
		"45": "fallback not allowed", "51": "not sufficient funds", "54": "expired card", "55": "incorrect PIN", "57": "not permitted to cardholder", "58": "not permitted to terminal",
		"59": "card check failed", "61": "amount limit exceeded", "62": "restricted card", "64": "original amount incorrect", "65": "count limit exceeded", "68": "answer too late",
		"75": "PIN tries exceeded", "77": "batch differs, sign on again", "79": "offline upload differs", "90": "cut-over in progress", "91": "issuer inoperative", "92": "no route to issuer", "94": "duplicate transmission",
		"96": "system malfunction", "97": "unknown terminal", "98": "no answer from issuer", "99": "PIN format error, sign on again", "A0": "MAC wrong, sign on again",
		"A2": "approved, with a defect", "A4": "approved, with a defect", "A5": "approved, with a defect", "A6": "approved, with a defect", "A7": "security module failed"}[t]
}
