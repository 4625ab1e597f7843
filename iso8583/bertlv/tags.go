// SPDX-License-Identifier: Apache-2.0

package bertlv

// The tags this module names in code (EMV book 3 annex A, book C-3, C-7).
const (
	AppTemplate       Tag = 0x61
	FCITemplate       Tag = 0x6F
	RecordTemplate    Tag = 0x70
	ResponseFormat1   Tag = 0x80
	ResponseFormat2   Tag = 0x77
	ADFName           Tag = 0x4F
	AppLabel          Tag = 0x50
	Track2Equivalent  Tag = 0x57
	CardNumber        Tag = 0x5A
	CardholderName    Tag = 0x5F20
	ExpirationDate    Tag = 0x5F24
	TransactionMoney  Tag = 0x5F2A
	SequenceNumber    Tag = 0x5F34
	AIP               Tag = 0x82
	DFName            Tag = 0x84
	AppPriority       Tag = 0x87
	AFL               Tag = 0x94
	IssuerAuth        Tag = 0x91
	TVR               Tag = 0x95
	TransactionDate   Tag = 0x9A
	TransactionType   Tag = 0x9C
	FCIProprietary    Tag = 0xA5
	FCIDiscretionary  Tag = 0xBF0C
	AmountAuthorised  Tag = 0x9F02
	AmountOther       Tag = 0x9F03
	TerminalVersion   Tag = 0x9F09
	IssuerAppData     Tag = 0x9F10
	TerminalCountry   Tag = 0x9F1A
	InterfaceSerial   Tag = 0x9F1E
	Cryptogram        Tag = 0x9F26
	CryptogramInfo    Tag = 0x9F27
	ExtendedSelection Tag = 0x9F29
	KernelIdentifier  Tag = 0x9F2A
	TerminalCaps      Tag = 0x9F33
	CVMResults        Tag = 0x9F34
	TerminalType      Tag = 0x9F35
	ATC               Tag = 0x9F36
	Unpredictable     Tag = 0x9F37
	PDOL              Tag = 0x9F38
	SequenceCounter   Tag = 0x9F41
	TTQ               Tag = 0x9F66
	CTQ               Tag = 0x9F6C
	FormFactor        Tag = 0x9F6E
	SMSupport         Tag = 0xDF69
)

// ReadTag reads one tag at the start of data, of a list of tags for example, and
// says how many bytes it has.
func ReadTag(data []byte) (tag Tag, n int, ok bool) {
	if len(data) == 0 {
		return 0, 0, false
	}
	tag, n, reason := readTag(data)
	return tag, n, reason == ""
}
