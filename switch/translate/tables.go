// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso2003bin"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/iso87bin"
	"tapswitch/iso8583/dialect/iso93ascii"
	"tapswitch/iso8583/dialect/iso93bin"
	"tapswitch/iso8583/dialect/unionpayinterchange"
	"tapswitch/iso8583/dialect/unionpaypos"
)

// Dialects are the names that messages can be translated from and to.
func Dialects() []string {
	return []string{unionpaypos.Name, unionpayinterchange.Name, iso87ascii.Name, iso87bin.Name, iso93ascii.Name, iso93bin.Name, iso2003bin.Name}
}

// AcquirerDialects are the names that a link to an acquirer can speak.
func AcquirerDialects() []string {
	return []string{iso87ascii.Name, iso87bin.Name, iso93ascii.Name, iso93bin.Name, unionpayinterchange.Name}
}

// tableOf compiles a dialect and its table; nil for a dialect without one.
func tableOf(name string) *table {
	switch name {
	case unionpaypos.Name:
		return tablePOS(unionpaypos.New())
	case unionpayinterchange.Name:
		return tableInterchange(unionpayinterchange.New())
	case iso87ascii.Name:
		return table87(name, iso87ascii.New())
	case iso87bin.Name:
		return table87(name, iso87bin.New())
	case iso93ascii.Name:
		return table93(name, iso93ascii.New())
	case iso93bin.Name:
		return table93(name, iso93bin.New())
	case iso2003bin.Name:
		return table2003(iso2003bin.New())
	}
	return nil
}

// rows87 are the rows of a dialect whose fields mean what they do in 1987.
func rows87(l *iso8583.Layout) (rows []row) {
	for n := 2; n < 128; n++ {
		if !l.Defines(n) || n == 64 {
			continue
		}
		r := row{n, item(n), formPlain}
		switch {
		case n == 3:
			r.form = formProcedure
		case n >= 28 && n <= 31 || n == 97:
			r.form = formSigned
		case n == 39:
			r.form = formCode
		case n == 90:
			r.item, r.form = itemOriginalMTI, formOriginal87
		case n >= 46 && n <= 48 || n >= 56 && n <= 63 || n == 65 || n == 96 || n >= 104:
			r.form = formPrivate
		}
		rows = append(rows, r)
	}
	return rows
}

func table87(name string, l *iso8583.Layout) *table {
	return &table{
		name: name, family: family87, layout: l, rows: rows87(l), macs: []int{64, 128},
		key: []keyPart{{7, 10}, {11, 6}}, answers: []int{3, 4, 7, 11, 41, 42, 49}, reversal: 0x0400, network: 0x0800,
	}
}

// tableInterchange: a balance inquiry is 30 there; reversals are advices.
func tableInterchange(l *iso8583.Layout) *table {
	return &table{
		name: unionpayinterchange.Name, family: familyInterchange, layout: l, rows: rows87(l), macs: []int{128},
		procs: []pair{{"31", "30"}},
		key:   []keyPart{{7, 10}, {11, 6}, {32, 11}, {33, 11}}, answers: []int{3, 4, 7, 11, 41, 42, 49}, reversal: 0x0420, network: 0x0820,
	}
}

// tablePOS has no private fields: 46 to 48 and 56 to 63 are between terminal and
// centre.
func tablePOS(l *iso8583.Layout) *table {
	t := &table{name: unionpaypos.Name, family: familyPOS, layout: l, macs: []int{64},
		key: []keyPart{{41, 8}, {42, 15}, {11, 6}}, answers: []int{3, 4, 11, 41, 42, 49}, reversal: 0x0400, network: 0x0820}
	for _, r := range rows87(l) {
		if r.form != formPrivate {
			t.rows = append(t.rows, r)
		}
	}
	t.rows = append(t.rows, row{61, itemOriginalBatch, formOriginalPOS})
	return t
}

// same are the fields that the later editions left as they were.
func same() []int {
	return []int{2, 7, 9, 10, 11, 14, 16, 17, 19, 20, 23, 32, 33, 35, 36, 37, 38, 40, 41, 42, 45, 52, 54, 55, 98, 99, 100, 101, 102, 103}
}

func plain(fields ...int) (rows []row) {
	for _, n := range fields {
		rows = append(rows, row{n, item(n), formPlain})
	}
	return rows
}

// private are a dialect's own fields: they cross within its family alone.
func private(l *iso8583.Layout, known []row) []row {
	has := [iso8583.MaxField + 1]bool{64: true, 65: true, 128: true}
	for _, r := range known {
		has[r.field] = true
	}
	for n := 2; n < 128; n++ {
		if l.Defines(n) && !has[n] {
			known = append(known, row{n, item(n), formPrivate})
		}
	}
	return known
}

func table93(name string, l *iso8583.Layout) *table {
	t := &table{
		name: name, family: family93, layout: l, edition: 0x1000, codes: codes93(), macs: []int{64, 128},
		key: []keyPart{{11, 6}, {12, 12}, {32, 11}}, answers: []int{3, 4, 11, 12, 41, 42, 49}, reversal: 0x1420, network: 0x1804,
	}
	rows := append(plain(same()...), plain(4, 5, 6, 8, 21, 34, 43, 44, 49, 50, 51, 73, 74, 75, 76, 77, 78, 79, 80, 81, 86, 87, 88, 89)...)
	rows = append(rows, []row{
		{3, itemProcedure, formProcedure}, {12, itemLocalTime, formLocal93}, {15, itemSettleDate, formSettle93}, {22, itemEntry, formEntry93},
		{24, itemNetwork, formFunction}, {26, itemMCC, formPlain}, {39, itemCode, formCode}, {56, itemOriginalMTI, formOriginal93}, {97, 97, formSigned},
	}...)
	t.rows = private(l, rows)
	return t
}

func table2003(l *iso8583.Layout) *table {
	t := &table{
		name: iso2003bin.Name, family: family2003, layout: l, edition: 0x2000, codes: codes2003(), macs: []int{64, 128},
		key: []keyPart{{11, 12}, {12, 14}, {32, 11}}, answers: []int{3, 4, 11, 12, 41, 42}, reversal: 0x2420, network: 0x2804,
	}
	rows := append(plain(same()...), []row{
		{3, itemProcedure, formProcedure}, {4, itemAmount, formMoney2003}, {12, itemLocalTime, formLocal2003}, {15, itemSettleDate, formSettle2003},
		{22, itemEntry, formEntry2003}, {24, itemNetwork, formFunction}, {26, itemMCC, formPlain}, {39, itemCode, formCode}, {56, itemOriginalMTI, formOriginal2003},
	}...)
	t.rows = private(l, rows)
	return t
}
