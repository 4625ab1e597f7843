// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"

	"tapswitch/internal/secret"
)

// Profile is the issuer's way to make cryptograms: data list, padding, session
// key, and the key that answers. It is chosen by BIN, never by the CVN byte of
// the card: byte 11 (hex) is Visa's CVN 17 and Mastercard's CVN 17, under
// different keys. CVN numbers here are decimal; Mastercard's papers write 16 and
// 17 as "10" and "11", and 20 and 21 as "14" and "15". For UnionPay's profiles no
// independent vectors exist; of UnionPayPBOC one worked example is public.
type Profile uint8

// The profiles in service. "List" is 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36.
const (
	VisaCVN10     Profile = iota + 1 // card key itself; list, CVR of the IAD; padding 1; ARPC 1 under the card key
	VisaCVN18                        // EMV common session key; list, whole IAD; padding 2; ARPC 2 under the session key
	UnionPayCVN01                    // EMV common session key; list, CVR; padding 2; ARPC 1 under the session key
	VisaCVN17                        // contactless: card key itself; 9F02 9F37 9F36, fifth byte of the IAD; padding 1; ARPC 1 under the card key
	VisaCVN22                        // cryptograms as CVN 18; its scripts differ
	MChipCVN16                       // Mastercard SKD (ATC‖0000‖UN); list, CVR of 6; padding 2; ARPC 1 under the card key
	MChipCVN17                       // as 16 with the 8 counter bytes behind the CVR
	MChipCVN20                       // EMV common session key; list, CVR of 6; padding 2; ARPC 1 under the session key
	MChipCVN21                       // as 20 with the 8 counter bytes behind the CVR
	CCD                              // EMV common core definitions: common session key; list, whole IAD of 32; padding 2; ARPC 2 under the session key
	UnionPayPBOC                     // as UnionPayCVN01 under the session key of JR/T 0025.7 (zeros‖ATC, zeros‖~ATC)
	InteracCVN133                    // Mastercard SKD; list, whole IAD; padding 2; ARPC 1 under the session key
)

// AnsweredByCSU reports whether the profile's cards are answered by method 2.
func (p Profile) AnsweredByCSU() bool { return p == VisaCVN18 || p == VisaCVN22 || p == CCD }

// MKOption is the issuer's way to derive a card's key from its master key (EMV
// Book 2, A1.4). Option C (AES) is not built.
type MKOption uint8

// The options in service; the zero value is option A.
const (
	OptionA MKOption = iota // 16 rightmost digits of PAN‖PSN
	OptionB                 // above 16 PAN digits: decimalised SHA-1 of PAN‖PSN; else option A
)

// Cryptogram is all that a cryptogram check needs of one transaction.
type Cryptogram struct {
	Profile Profile
	Option  MKOption // of the issuer, for the card key
	PAN     secret.PAN
	PSN     [2]byte    // card sequence number, two ASCII digits, "00" when the card has none
	Data    secret.ICC // field 55 BER-TLV as received: 9F26 and the tags the profile lists
}

// CryptogramVerifier checks an ARQC and answers it (EMV Book 2, 8.1 and 8.2).
// imk has usage IMKAC. ErrCryptogram: wrong; ErrInput: a tag is missing.
type CryptogramVerifier interface {
	VerifyARQC(ctx context.Context, imk *Key, c Cryptogram) error
	// ARPC returns tag 91's content by method 1, ARPC(8)‖ARC(2): the cipher of
	// ARQC xor (ARC‖zeros) under the key the profile answers with. ARC is two
	// bytes as the card wants them: "00" is 3030, M/Chip's codes are binary.
	ARPC(ctx context.Context, imk *Key, c Cryptogram, arc [2]byte) ([10]byte, error)
}

// CSUAnswerer answers a cryptogram by method 2 (EMV Book 2, 8.2.2).
type CSUAnswerer interface {
	// ARPC2 returns tag 91's content, ARPC(4)‖CSU(4)‖proprietary(0 to 8): the
	// first four bytes of the algorithm 3 MAC, padding 2, of ARQC‖CSU‖proprietary.
	ARPC2(ctx context.Context, imk *Key, c Cryptogram, csu CSU) ([]byte, error)
}

// CSU is what an issuer tells a card that is answered by method 2.
type CSU struct {
	Status      [4]byte // card status update (EMV CCD, annex C)
	Proprietary []byte  // proprietary authentication data, 0 to 8 bytes
}

// Session is the way from the card key to the key of a cryptogram.
type Session uint8

// The ways in service.
const (
	SessionNone    Session = iota + 1 // the card key itself
	SessionCommon                     // EMV common session key (Book 2, A1.3.1) with R = ATC‖zeros
	SessionMChip                      // the same with R = ATC‖0000‖UN
	SessionR                          // the same with R as given
	SessionPBOC                       // JR/T 0025.7: zeros‖ATC, zeros‖~ATC
	SessionEMV2000                    // tree of EMV 2000 (Book 2, A1.3); withdrawn by EMVCo, alive in old cards
)

// Tree is the shape of an EMV 2000 key tree.
type Tree struct {
	Height, Branch int      // 8 and 4, or 16 and 2: Branch to the power of Height is 65536
	IV             [16]byte // parent of the card key
}

// Given is a cryptogram whose data the caller laid out: for issuers whose list
// is no profile of this package.
type Given struct {
	Option  MKOption
	PAN     secret.PAN
	PSN     [2]byte
	Session Session // key of the cryptogram
	Answer  Session // key of its answer
	ATC     [2]byte // SessionCommon, SessionMChip, SessionPBOC, SessionEMV2000
	UN      [4]byte // SessionMChip
	R       [8]byte // SessionR
	Tree    Tree    // SessionEMV2000
	Padding Padding
	Data    []byte // 1 to 1024 bytes, not padded
	AC      [8]byte
}

// Padding is a method of ISO 9797-1.
type Padding uint8

// The methods in service for cryptograms.
const (
	PaddingNone Padding = iota + 1 // data is whole blocks already
	Padding1                       // zeros where needed
	Padding2                       // 80, and zeros where needed
)

// GivenVerifier checks and answers cryptograms over data that the caller laid
// out. imk has usage IMKAC. ErrCryptogram: wrong; ErrInput: no such way.
type GivenVerifier interface {
	VerifyGiven(ctx context.Context, imk *Key, g Given) error
	// GivenARPC1 and GivenARPC2 return the cryptogram alone.
	GivenARPC1(ctx context.Context, imk *Key, g Given, arc [2]byte) ([8]byte, error)
	GivenARPC2(ctx context.Context, imk *Key, g Given, csu CSU) ([4]byte, error)
}
