// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
	"tapswitch/internal/secret"
)

// Way is how a driver comes from the issuer master key to the key of one
// cryptogram.
type Way struct {
	Card    [16]byte // the issuer master key enciphers it to the card key
	Derived bool     // false: the card key itself
	Data    [16]byte // the card key enciphers it to the session key
	Tree    hsm.Tree // Height above 0: the session key is Tree's, of ATC
	ATC     [2]byte
}

// Input is a cryptogram made ready: no tag of field 55 but what the profile
// lists is kept.
type Input struct {
	AC     [8]byte // as the card sent it
	Key    Way     // of the cryptogram
	Answer Way     // of its answer
	padded []byte
	n      int // bytes before padding
}

// Covered is what the cryptogram covers, before padding.
func (in *Input) Covered() []byte { return in.padded[:in.n] }

// Padded is the cryptogram's input, padded to whole blocks of 8.
func (in *Input) Padded() []byte { return in.padded }

// element is one entry of a profile's data list.
type element struct {
	tag  uint16
	size int
}

// list is shared by all contact profiles; the issuer application data follows
// it, whole or in part. Its sizes sum up to 33.
var list = []element{
	{0x9F02, 6}, {0x9F03, 6}, {0x9F1A, 2}, {0x95, 5}, {0x5F2A, 2}, {0x9A, 3},
	{0x9C, 1}, {0x9F37, 4}, {0x82, 2}, {0x9F36, 2},
}

// fastList is what Visa's contactless CVN 17 covers (VCPS, annex D).
var fastList = []element{{0x9F02, 6}, {0x9F37, 4}, {0x9F36, 2}}

// part is what of the issuer application data is covered: from to to, 0 for its end.
type part struct{ from, to int }

// rules are what distinguishes a profile.
type rules struct {
	list     []element
	iad      [2]int // fewest and most bytes of 9F10
	parts    []part
	padding  hsm.Padding
	session  hsm.Session
	answer   hsm.Session
	whatsIAD string // said when 9F10 has another length
}

// Parts of issuer application data. Visa's and UnionPay's: length, key index,
// CVN, CVR of 4. Mastercard's: key index, CVN, CVR of 6, DAC or dynamic number
// of 2, counters of 8.
var (
	visaCVR   = []part{{3, 7}}
	visaByte5 = []part{{4, 5}}
	whole     = []part{{0, 0}}
	mchipCVR  = []part{{2, 8}}
	mchipBoth = []part{{2, 8}, {10, 18}}
)

// rulesOf returns a profile's rules. Sources: VIS 1.5 and 1.6 annex D (CVN 10,
// 18, 22), VCPS (17), M/Chip 4 and Advance (16, 17, 20, 21), EMV Book 3 annex C7
// (CCD), JR/T 0025.7 (UnionPay); layouts as far as published vectors show them.
func rulesOf(p hsm.Profile) (rules, bool) {
	visa, mchip := [2]int{7, 32}, [2]int{18, 32}
	const none, common, skd = hsm.SessionNone, hsm.SessionCommon, hsm.SessionMChip
	switch p {
	case hsm.VisaCVN10:
		return rules{list, visa, visaCVR, hsm.Padding1, none, none, "7 to 32 bytes"}, true
	case hsm.VisaCVN17:
		return rules{fastList, visa, visaByte5, hsm.Padding1, none, none, "7 to 32 bytes"}, true
	case hsm.VisaCVN18, hsm.VisaCVN22:
		return rules{list, visa, whole, hsm.Padding2, common, common, "7 to 32 bytes"}, true
	case hsm.UnionPayCVN01:
		return rules{list, visa, visaCVR, hsm.Padding2, common, common, "7 to 32 bytes"}, true
	case hsm.UnionPayPBOC:
		return rules{list, visa, visaCVR, hsm.Padding2, hsm.SessionPBOC, hsm.SessionPBOC, "7 to 32 bytes"}, true
	case hsm.MChipCVN16:
		return rules{list, mchip, mchipCVR, hsm.Padding2, skd, none, "18 to 32 bytes"}, true
	case hsm.MChipCVN17:
		return rules{list, [2]int{18, 18}, mchipBoth, hsm.Padding2, skd, none, "18 bytes: longer counters are not built"}, true
	case hsm.MChipCVN20:
		return rules{list, mchip, mchipCVR, hsm.Padding2, common, common, "18 to 32 bytes"}, true
	case hsm.MChipCVN21:
		return rules{list, [2]int{18, 18}, mchipBoth, hsm.Padding2, common, common, "18 bytes: longer counters are not built"}, true
	case hsm.CCD:
		return rules{list, [2]int{32, 32}, whole, hsm.Padding2, common, common, "32 bytes"}, true
	case hsm.InteracCVN133:
		return rules{list, visa, whole, hsm.Padding2, skd, skd, "7 to 32 bytes"}, true
	}
	return rules{}, false
}

// Prepare reads field 55 and lays out the cryptogram input of the profile.
func Prepare(c hsm.Cryptogram) (in Input, err error) {
	r, ok := rulesOf(c.Profile)
	if !ok {
		return Input{}, fmt.Errorf("%w: cryptogram profile %d is not built", hsm.ErrInput, c.Profile)
	}
	icc := c.Data.AppendTo(nil, secret.ForHSM)
	defer clear(icc)
	data, err := r.data(icc)
	if err != nil {
		return Input{}, err
	}
	in.padded, in.n = pad(data, r.padding), len(data)
	ac, err := fixed(icc, 0x9F26, 8)
	if err != nil {
		return Input{}, err
	}
	copy(in.AC[:], ac)
	g := hsm.Given{Option: c.Option, PAN: c.PAN, PSN: c.PSN}
	atc, err := fixed(icc, 0x9F36, 2)
	if err != nil {
		return Input{}, err
	}
	un, err := fixed(icc, 0x9F37, 4)
	if err != nil {
		return Input{}, err
	}
	copy(g.ATC[:], atc)
	copy(g.UN[:], un)
	g.Session, g.Answer = r.session, r.answer
	return in, in.ways(g)
}

// data is the list's values and the covered parts of the issuer application data.
func (r rules) data(icc []byte) ([]byte, error) {
	data := make([]byte, 0, 80)
	for _, e := range r.list {
		value, err := fixed(icc, e.tag, e.size)
		if err != nil {
			return nil, err
		}
		data = append(data, value...)
	}
	iad, ok, err := Find(icc, 0x9F10)
	if err != nil {
		return nil, err
	}
	if !ok || len(iad) < r.iad[0] || len(iad) > r.iad[1] {
		return nil, fmt.Errorf("%w: field 55 tag 9F10 must be there with %s", hsm.ErrInput, r.whatsIAD)
	}
	for _, p := range r.parts {
		if p.to == 0 {
			p.to = len(iad)
		}
		data = append(data, iad[p.from:p.to]...)
	}
	return data, nil
}

// pad pads data that is known to need it the way it says.
func pad(data []byte, padding hsm.Padding) []byte {
	out := make([]byte, 0, len(data)+8)
	switch padding {
	case hsm.Padding1:
		return mac.AppendPad1(out, data)
	case hsm.Padding2:
		return mac.AppendPad2(out, data)
	}
	return append(out, data...)
}

// maxGiven bounds what a caller lays out: a CDOL's values and issuer data.
const maxGiven = 1024

// PrepareGiven does for data of the caller what Prepare does for field 55.
func PrepareGiven(g hsm.Given) (in Input, err error) {
	switch {
	case len(g.Data) == 0 || len(g.Data) > maxGiven:
		return Input{}, fmt.Errorf("%w: a cryptogram covers 1 to %d bytes", hsm.ErrInput, maxGiven)
	case g.Padding < hsm.PaddingNone || g.Padding > hsm.Padding2:
		return Input{}, fmt.Errorf("%w: padding %d of a cryptogram is not built", hsm.ErrInput, g.Padding)
	case g.Padding == hsm.PaddingNone && len(g.Data)%8 != 0:
		return Input{}, fmt.Errorf("%w: data without padding is not whole blocks of 8", hsm.ErrInput)
	}
	in.padded, in.n, in.AC = pad(g.Data, g.Padding), len(g.Data), g.AC
	return in, in.ways(g)
}

// ways lays out both keys.
func (in *Input) ways(g hsm.Given) (err error) {
	if in.Key, err = way(g, g.Session); err != nil {
		return err
	}
	in.Answer, err = way(g, g.Answer)
	return err
}

// way lays out the derivation of one key.
func way(g hsm.Given, session hsm.Session) (w Way, err error) {
	if w.Card, err = CardData(g.Option, g.PAN.Reveal(secret.ForHSM), g.PSN); err != nil {
		return Way{}, err
	}
	w.Derived = session != hsm.SessionNone
	switch session {
	case hsm.SessionNone:
	case hsm.SessionCommon:
		w.Data = SessionKeyData(CommonR(g.ATC))
	case hsm.SessionMChip:
		w.Data = SessionKeyData(MChipR(g.ATC, g.UN))
	case hsm.SessionR:
		w.Data = SessionKeyData(g.R)
	case hsm.SessionPBOC:
		w.Data = PBOCData(g.ATC)
	case hsm.SessionEMV2000:
		w.Tree, w.ATC = g.Tree, g.ATC
		err = checkTree(g.Tree)
	default:
		err = fmt.Errorf("%w: session key derivation %d is not built", hsm.ErrInput, session)
	}
	return w, err
}

// fixed finds a tag that must be there with one length.
func fixed(icc []byte, tag uint16, size int) ([]byte, error) {
	value, ok, err := Find(icc, tag)
	if err != nil {
		return nil, err
	}
	if !ok || len(value) != size {
		return nil, fmt.Errorf("%w: field 55 tag %X must be there with %d bytes", hsm.ErrInput, tag, size)
	}
	return value, nil
}
