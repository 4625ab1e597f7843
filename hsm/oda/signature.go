// SPDX-License-Identifier: Apache-2.0

package oda

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"

	"tapswitch/iso8583/bertlv"
)

// Record is one record of a card's file that is part of offline data
// authentication by its application file locator (tag 94).
type Record struct {
	SFI  byte   // short file identifier, 1 to 30
	Data []byte // as READ RECORD answered, without the status word
}

// StaticData is the static data to be authenticated (EMV Book 3, 10.3): the
// records in the locator's order, of files 1 to 10 without the tag and length of
// template 70, then the interchange profile when tagList (9F4A) names tag 82. A
// list of any other tag is refused.
func StaticData(records []Record, tagList, aip []byte) ([]byte, error) {
	var out []byte
	for _, r := range records {
		if r.SFI < 1 || r.SFI > 30 {
			return nil, ErrStatic
		}
		w := bertlv.NewWalker(r.Data)
		if !w.Next() || w.Tag != 0x70 || len(w.Value)+w.HeaderLen() != len(r.Data) {
			return nil, ErrStatic
		}
		if r.SFI <= 10 {
			out = append(out, w.Value...)
		} else {
			out = append(out, r.Data...)
		}
	}
	switch {
	case len(tagList) == 0:
		return out, nil
	case bytes.Equal(tagList, []byte{0x82}) && len(aip) == 2:
		return append(out, aip...), nil
	}
	return nil, ErrStatic
}

// Static is what signed static application data (tag 93) says, recovered but
// not yet authenticated.
type Static struct {
	DAC       [2]byte // data authentication code (tag 9F45)
	recovered []byte
}

// RecoverStatic opens signed static application data with the issuer's key (EMV
// Book 2, 5.4) and checks all but the hash, which Authenticate does.
func RecoverStatic(issuer Key, ssad []byte) (Static, error) {
	const dacAt, padAt = 3, 5
	data, err := issuer.open(ssad, formatStatic)
	if err != nil {
		return Static{}, err
	}
	if data[2] != sha1RSA {
		return Static{}, ErrAlgorithm
	}
	if err := padded(data[padAt : len(data)-tailLen]); err != nil {
		return Static{}, err
	}
	return Static{DAC: [2]byte(data[dacAt:padAt]), recovered: data}, nil
}

// Authenticate checks the hash, which covers static (see StaticData).
func (s Static) Authenticate(static []byte) error {
	if len(s.recovered) == 0 {
		return ErrFormat
	}
	return sealed(s.recovered, static)
}

// SDA authenticates static data and returns the data authentication code.
func SDA(issuer Key, ssad, static []byte) (dac [2]byte, err error) {
	s, err := RecoverStatic(issuer, ssad)
	if err != nil {
		return dac, err
	}
	if err := s.Authenticate(static); err != nil {
		return dac, err
	}
	return s.DAC, nil
}

// dynamic opens signed dynamic application data (tag 9F4B) of one format, checks
// frame, hash over what the terminal added, lengths and padding, and returns the
// card's dynamic number (tag 9F4C) and the dynamic data behind it.
func dynamic(icc Key, format byte, sdad []byte, terminal ...[]byte) (number, behind []byte, err error) {
	const sizeAt, dataAt = 3, 4
	data, err := icc.open(sdad, format)
	if err != nil {
		return nil, nil, err
	}
	if data[2] != sha1RSA {
		return nil, nil, ErrAlgorithm
	}
	if err := sealed(data, terminal...); err != nil {
		return nil, nil, err
	}
	size, room := int(data[sizeAt]), data[dataAt:len(data)-tailLen]
	if size < 1 || size > len(room) {
		return nil, nil, ErrDynamic
	}
	if err := padded(room[size:]); err != nil {
		return nil, nil, err
	}
	n := int(room[0])
	if n < 2 || n > 8 {
		return nil, nil, ErrNumber
	}
	if 1+n > size {
		return nil, nil, ErrDynamic
	}
	return room[1 : 1+n], room[1+n : size], nil
}

// DDA checks a dynamic signature (EMV Book 2, 6.5.2) over ddol, the values the
// terminal sent with INTERNAL AUTHENTICATE, and returns the dynamic number.
func DDA(icc Key, sdad, ddol []byte) (number []byte, err error) {
	number, _, err = dynamic(icc, formatDynamic, sdad, ddol)
	return number, err
}

// Combined is what a combined signature (CDA) says.
type Combined struct {
	Number     []byte // ICC dynamic number
	CID        byte   // cryptogram information data
	Cryptogram [8]byte
}

// CDA checks a combined signature (EMV Book 2, 6.6.2). response is the content
// of template 77 that GENERATE AC answered with; un is the unpredictable number
// in its data; terminal is the values of PDOL, CDOL1 and, at the second GENERATE
// AC, CDOL2, one behind the other.
func CDA(icc Key, response []byte, un [4]byte, terminal []byte) (Combined, error) {
	r, err := readResponse(response)
	if err != nil {
		return Combined{}, err
	}
	number, behind, err := dynamic(icc, formatDynamic, r.sdad, un[:])
	if err != nil {
		return Combined{}, err
	}
	if len(behind) < 1+8+sha1.Size {
		return Combined{}, ErrDynamic
	}
	out := Combined{Number: number, CID: behind[0], Cryptogram: [8]byte(behind[1:])}
	switch {
	case out.CID != r.cid:
		return Combined{}, ErrCID
	case r.ac != nil && !bytes.Equal(r.ac, out.Cryptogram[:]):
		return Combined{}, ErrCryptogram
	}
	sum := hash(terminal, r.signed)
	if subtle.ConstantTimeCompare(sum[:], behind[9:9+sha1.Size]) != 1 {
		return Combined{}, ErrTransaction
	}
	return out, nil
}

// answer is a card's answer to GENERATE AC, cut.
type answer struct {
	sdad, ac []byte
	cid      byte
	signed   []byte // every element but the signature, as it came
}

func readResponse(response []byte) (a answer, err error) {
	cids := 0
	w := bertlv.NewWalker(response)
	for w.Next() {
		switch {
		case w.Tag == 0x9F4B && a.sdad != nil, w.Tag == 0x9F26 && (a.ac != nil || len(w.Value) != 8), w.Tag == 0x9F27 && len(w.Value) != 1:
			return answer{}, ErrResponse
		case w.Tag == 0x9F4B:
			a.sdad = w.Value
			continue
		case w.Tag == 0x9F27:
			a.cid = w.Value[0]
			cids++
		case w.Tag == 0x9F26:
			a.ac = w.Value
		}
		a.signed = append(a.signed, response[w.Offset:w.Offset+w.HeaderLen()+len(w.Value)]...)
	}
	if w.Err() != nil || cids != 1 || a.sdad == nil {
		return answer{}, ErrResponse
	}
	return a, nil
}

// Fast is what the terminal and the card say around a contactless signature.
type Fast struct {
	UN         [4]byte // 9F37
	Amount     [6]byte // 9F02, packed digits
	Currency   [2]byte // 5F2A
	Card       []byte  // 9F69: version, the card's unpredictable number, its qualifiers
	Qualifiers []byte  // 9F6C as the card sent it, nil when it did not
	Online     bool    // the signature goes with an online cryptogram, not an offline approval
}

// FDDA checks a contactless dynamic signature of Visa's fDDA version 01 (VCPS;
// EMV Contactless C-3): the signature covers UN, amount, currency and the card
// authentication related data. Version 00 is refused by ErrVersion. The signature
// of an online authorisation has format 95, that of an offline approval 05: the
// one in place of the other is refused by ErrFormat.
func FDDA(icc Key, sdad []byte, f Fast) (number []byte, err error) {
	if len(f.Card) < 7 || len(f.Card) > 16 {
		return nil, ErrCardData
	}
	if f.Card[0] != 0x01 {
		return nil, ErrVersion
	}
	if f.Qualifiers != nil && !bytes.Equal(f.Qualifiers, f.Card[5:7]) {
		return nil, ErrQualifiers
	}
	format := byte(formatDynamic)
	if f.Online {
		format = formatOnline
	}
	number, _, err = dynamic(icc, format, sdad, f.UN[:], f.Amount[:], f.Currency[:], f.Card)
	return number, err
}
