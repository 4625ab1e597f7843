// SPDX-License-Identifier: Apache-2.0

package translate

import "tapswitch/iso8583"

// item is one thing that a message can say, whatever its dialect writes it like.
// Items 2 to 127 are the fields of ISO 8583:1987 with their meaning there; those
// above are parts that other editions put together otherwise.
type item uint8

// The items with a field of their own in the 1987 edition that the code names.
const (
	itemPAN        item = 2
	itemProcedure  item = 3 // six digits: what is asked, account types
	itemAmount     item = 4
	itemSent       item = 7 // MMDDhhmmss, UTC
	itemTrace      item = 11
	itemLocalTime  item = 12
	itemLocalDate  item = 13 // MMDD
	itemSettleDate item = 15 // MMDD
	itemMCC        item = 18
	itemEntry      item = 22
	itemAcquirer   item = 32
	itemTrack2     item = 35
	itemCode       item = 39
	itemTerminal   item = 41
	itemMerchant   item = 42
	itemCurrency   item = 49
	itemPIN        item = 52
	itemAmounts    item = 54 // parts of 20 characters
	itemChip       item = 55
	itemNetwork    item = 70
)

// The parts.
const (
	itemOriginalMTI       item = iota + 130 // four digits, first one 0
	itemOriginalTrace                       // six digits
	itemOriginalSent                        // MMDDhhmmss, UTC
	itemOriginalLocal                       // YYMMDDhhmmss
	itemOriginalAcquirer                    // digits without the zeros in front
	itemOriginalForwarder                   // the same
	itemOriginalBatch                       // six digits, of a terminal
	itemOriginalDate                        // MMDD, of a terminal
	numItems
)

// form is how a dialect's field holds its items.
type form uint8

// The forms. Those after formPlain change the text.
const (
	formPlain        form = iota
	formPrivate           // as it is, between dialects of one family only
	formProcedure         // first two digits by the dialect's table
	formSigned            // a letter C or D and digits; packed, a byte and nibbles
	formCode              // response code by the dialect's table
	formLaterCode         // the same between 1993 and 2003, which share their codes: three digits of 1993
	formEntry93           // twelve characters of point of service data
	formEntry2003         // sixteen bytes of bits
	formLocal93           // YYMMDDhhmmss
	formLocal2003         // YYYYMMDDhhmmss
	formSettle93          // YYMMDD
	formSettle2003        // YYYYMMDD
	formMoney2003         // currency 3, decimals 1, amount 12
	formFunction          // function code: of network messages, else by the type
	formOriginal87        // field 90
	formOriginal93        // type 4, trace 6, local 12, LL acquirer
	formOriginal2003      // type 4, trace 12, local 14, acquirer: what is left
	formOriginalPOS       // batch 6, trace 6, date 4 or nothing
)

// row says that a field of a dialect holds an item, or several beginning with it.
type row struct {
	field int
	item  item
	form  form
}

// family groups dialects that differ in writing only: between them even private
// fields cross. Fields 46 to 48, 56 to 63 and 104 to 127 hold each host's own
// content, which another kind of host would read as something else.
type family uint8

const (
	familyPOS family = iota + 1
	familyInterchange
	family87
	family93
	family2003
)

// table is a dialect as translation sees it.
type table struct {
	name    string
	family  family
	layout  *iso8583.Layout
	edition iso8583.MTI // first digit of message types: 0, 0x1000, 0x2000
	rows    []row
	procs   []pair // of field 3, first two digits: 1987, here
	codes   []pair // of field 39: 1987, here
	macs    []int  // fields that hold a MAC; never cross
	key     []keyPart
	answers []int // fields that an answer repeats

	reversal iso8583.MTI // the type of our reversals; its repeat is one more
	network  iso8583.MTI // the type of our network messages
}

// pair is one line of a map between the 1987 edition's value and a dialect's.
type pair struct{ iso, here string }

// keyPart is a field of the in-flight key, written in width characters.
type keyPart struct{ field, width int }
