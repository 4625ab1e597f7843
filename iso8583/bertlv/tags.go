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

// Mark says how a value is shown and stored.
type Mark uint8

// The marks. Plain data is shown; a card number is masked; sensitive data is
// never shown and never stored after authorization.
const (
	Plain     Mark = iota
	PAN            // card number: first six, last four
	Personal       // name of the cardholder: hidden in what people see
	Sensitive      // track data and what equals it: hidden everywhere, kept nowhere
)

// Info is what the dictionary knows about a tag.
type Info struct {
	Tag  Tag
	Name string
	Mark Mark
}

// Lookup finds a tag in the EMV dictionary. A tag the kernels define
// differently has a name that says so.
func Lookup(tag Tag) (Info, bool) {
	low, high := 0, len(dictionary)
	for low < high {
		if mid := (low + high) / 2; dictionary[mid].Tag < tag {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(dictionary) && dictionary[low].Tag == tag {
		return dictionary[low], true
	}
	return Info{Tag: tag}, false
}

// dictionary is sorted by tag; a test says so.
var dictionary = [...]Info{
	{0x42, "issuer identification number", Plain},
	{0x4F, "application identifier (card)", Plain},
	{0x50, "application label", Plain},
	{0x56, "track 1 data", Sensitive},
	{0x57, "track 2 equivalent data", Sensitive},
	{0x5A, "application PAN", PAN},
	{0x61, "application template", Plain},
	{0x6F, "FCI template", Plain},
	{0x70, "record template", Plain},
	{0x71, "issuer script template 1", Plain},
	{0x72, "issuer script template 2", Plain},
	{0x77, "response template format 2", Plain},
	{0x80, "response template format 1", Plain},
	{0x82, "application interchange profile", Plain},
	{0x84, "dedicated file name", Plain},
	{0x86, "issuer script command", Plain},
	{0x87, "application priority indicator", Plain},
	{0x8A, "authorisation response code", Plain},
	{0x8C, "CDOL1", Plain},
	{0x8D, "CDOL2", Plain},
	{0x8E, "CVM list", Plain},
	{0x8F, "CA public key index", Plain},
	{0x90, "issuer public key certificate", Plain},
	{0x91, "issuer authentication data", Plain},
	{0x92, "issuer public key remainder", Plain},
	{0x94, "application file locator", Plain},
	{0x95, "terminal verification results", Plain},
	{0x9A, "transaction date", Plain},
	{0x9B, "transaction status information", Plain},
	{0x9C, "transaction type", Plain},
	{0x9F, "certificate digest", Plain},
	{0xA5, "FCI proprietary template", Plain},
	{0x5F20, "cardholder name", Personal},
	{0x5F24, "application expiration date", Plain},
	{0x5F25, "application effective date", Plain},
	{0x5F28, "issuer country code", Plain},
	{0x5F2A, "transaction currency code", Plain},
	{0x5F2D, "language preference", Plain},
	{0x5F30, "service code", Plain},
	{0x5F34, "PAN sequence number", Plain},
	{0x9F02, "amount, authorised", Plain},
	{0x9F03, "amount, other", Plain},
	{0x9F06, "application identifier (terminal)", Plain},
	{0x9F07, "application usage control", Plain},
	{0x9F08, "application version number (card)", Plain},
	{0x9F09, "application version number (terminal)", Plain},
	{0x9F0B, "cardholder name extended", Personal},
	{0x9F0D, "issuer action code default", Plain},
	{0x9F0E, "issuer action code denial", Plain},
	{0x9F0F, "issuer action code online", Plain},
	{0x9F10, "issuer application data", Plain},
	{0x9F11, "issuer code table index", Plain},
	{0x9F12, "application preferred name", Plain},
	{0x9F15, "merchant category code", Plain},
	{0x9F16, "merchant identifier", Plain},
	{0x9F1A, "terminal country code", Plain},
	{0x9F1B, "terminal floor limit", Plain},
	{0x9F1C, "terminal identification", Plain},
	{0x9F1E, "interface device serial number", Plain},
	{0x9F1F, "track 1 discretionary data", Sensitive},
	{0x9F20, "track 2 discretionary data", Sensitive},
	{0x9F21, "transaction time", Plain},
	{0x9F26, "application cryptogram", Plain},
	{0x9F27, "cryptogram information data", Plain},
	{0x9F29, "extended selection", Plain},
	{0x9F2A, "kernel identifier", Plain},
	{0x9F32, "issuer public key exponent", Plain},
	{0x9F33, "terminal capabilities", Plain},
	{0x9F34, "CVM results", Plain},
	{0x9F35, "terminal type", Plain},
	{0x9F36, "application transaction counter", Plain},
	{0x9F37, "unpredictable number", Plain},
	{0x9F38, "PDOL", Plain},
	{0x9F40, "additional terminal capabilities", Plain},
	{0x9F41, "transaction sequence counter", Plain},
	{0x9F42, "application currency code", Plain},
	{0x9F46, "ICC public key certificate", Plain},
	{0x9F47, "ICC public key exponent", Plain},
	{0x9F48, "ICC public key remainder", Plain},
	{0x9F4B, "signed dynamic application data", Plain},
	{0x9F4D, "log entry", Plain},
	{0x9F4E, "merchant name and location", Plain},
	{0x9F53, "transaction category code", Plain},
	{0x9F5D, "available offline spending amount", Plain},
	{0x9F63, "product identification (kernel 7) / PUNATC track 1 (kernel 2)", Plain},
	{0x9F66, "terminal transaction qualifiers / PUNATC track 2 (kernel 2)", Plain},
	{0x9F69, "card authentication related data", Plain},
	{0x9F6B, "track 2 data (kernel 2) / card CVM limit (kernel 7)", Sensitive},
	{0x9F6C, "card transaction qualifiers", Plain},
	{0x9F6E, "form factor indicator (kernel 3) / third party data (kernel 2)", Plain},
	{0x9F74, "electronic cash issuer authorisation code", Plain},
	{0x9F7A, "electronic cash terminal support", Plain},
	{0x9F7C, "customer exclusive data (kernel 3) / merchant custom data (kernel 2)", Plain},
	{0xBF0C, "FCI issuer discretionary data", Plain},
	{0xDF31, "issuer script results", Plain},
	{0xDF4D, "log format", Plain},
	{0xDF69, "SM algorithm support indicator", Plain},
}
