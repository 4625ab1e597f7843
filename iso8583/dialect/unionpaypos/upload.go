// SPDX-License-Identifier: Apache-2.0

package unionpaypos

import "errors"

// UploadItem is one payment of field 48 of a batch upload (0320, network code
// 201). Open sources have the sizes from the field's length alone: a count of two
// digits and up to eight times forty.
type UploadItem struct {
	Organization [2]byte // of the card: 00 of the country, as far as known
	Trace        uint32  // of the payment, n6
	PAN          []byte  // digits, without the zeros that fill it to twenty on the left
	Minor        uint64  // n12
}

// The bounds of a batch upload.
const (
	UploadMaxItems = 8    // of one message
	UploadMaxCount = 9999 // of one batch: the count at its end has four digits

	uploadItem  = 40
	uploadPAN   = 20
	uploadCount = 2
	endCount    = 4
)

// Errors of the two forms.
var (
	ErrUpload    = errors.New("unionpaypos: field 48 of a batch upload must be a count of 2 digits, 1 to 8, and 40 digits for each: organization 2, trace 6, card number 20, amount 12")
	ErrUploadEnd = errors.New("unionpaypos: field 48 of the end of a batch must be the count of all items, 4 digits")
)

// ParseUpload takes the text of field 48 apart; the card numbers alias it.
func ParseUpload(text []byte) ([]UploadItem, error) {
	if len(text) < uploadCount+uploadItem || !allDigits(text) {
		return nil, ErrUpload
	}
	n := value(text[:uploadCount])
	if n < 1 || n > UploadMaxItems || len(text) != uploadCount+int(n)*uploadItem {
		return nil, ErrUpload
	}
	items := make([]UploadItem, 0, n)
	for b := text[uploadCount:]; len(b) > 0; b = b[uploadItem:] {
		pan := b[8 : 8+uploadPAN : 8+uploadPAN]
		for len(pan) > 0 && pan[0] == '0' {
			pan = pan[1:]
		}
		items = append(items, UploadItem{Organization: [2]byte(b[:2]), Trace: uint32(value(b[2:8])), PAN: pan, Minor: value(b[28:uploadItem])})
	}
	return items, nil
}

// AppendUpload appends field 48 for up to eight items.
func AppendUpload(dst []byte, items []UploadItem) ([]byte, error) {
	if len(items) < 1 || len(items) > UploadMaxItems {
		return dst, ErrUpload
	}
	out := appendNumber(dst, uint64(len(items)), uploadCount)
	for _, i := range items {
		if len(i.PAN) > uploadPAN || !allDigits(i.PAN) || !allDigits(i.Organization[:]) || i.Minor > TotalsMaxMinor || i.Trace > 999_999 {
			return dst, ErrUpload
		}
		out = append(out, i.Organization[:]...)
		out = appendNumber(out, uint64(i.Trace), 6)
		out = appendNumber(out, 0, uploadPAN-len(i.PAN))
		out = append(out, i.PAN...)
		out = appendNumber(out, i.Minor, 12)
	}
	return out, nil
}

// ParseUploadEnd reads field 48 of the end of a batch: how many items were uploaded.
func ParseUploadEnd(text []byte) (count int, err error) {
	if len(text) != endCount || !allDigits(text) {
		return 0, ErrUploadEnd
	}
	return int(value(text)), nil
}

// AppendUploadEnd appends field 48 of the end of a batch.
func AppendUploadEnd(dst []byte, count int) []byte {
	return appendNumber(dst, uint64(min(max(count, 0), UploadMaxCount)), endCount)
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
