// SPDX-License-Identifier: Apache-2.0

package kernel

import "tapswitch/internal/secret"

// Kind is what the terminal does next.
type Kind uint8

// The outcomes. None of them is an approval: that is the host's word.
const (
	OnlineRequest  Kind = iota + 1 // send the authorization
	Declined                       // the payment is refused
	EndApplication                 // this card cannot pay here
	TryAnother                     // not contactless: insert, swipe, or another card
	TryAgain                       // present the card again
	SeePhone                       // the holder must confirm on the phone, then tap again
)

// String names the outcome.
func (k Kind) String() string {
	names := [...]string{"unknown", "online request", "declined", "end application", "try another interface", "try again", "see phone"}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// CVM is how the holder is verified.
type CVM uint8

// The methods.
const (
	NoCVM CVM = iota + 1
	OnlinePIN
	Signature
	DeviceCVM // done on the phone itself
)

// String names the method.
func (c CVM) String() string {
	names := [...]string{"undecided", "no CVM", "online PIN", "signature", "device"}
	if int(c) < len(names) {
		return names[c]
	}
	return names[0]
}

// ID is the number of a kernel (EMV book B, table of default kernels).
type ID uint8

// The kernels built.
const (
	Visa     ID = 3
	UnionPay ID = 7
)

// Reason says why, for logs and counting; a closed set.
type Reason string

// The reasons.
const (
	AmountAboveLimit     Reason = "amount_above_contactless_limit"
	ZeroAmount           Reason = "zero_amount_not_allowed"
	NoDirectory          Reason = "card_has_no_contactless_directory"
	DirectoryMalformed   Reason = "card_directory_malformed"
	NoCommonApplication  Reason = "no_application_in_common"
	KernelNotBuilt       Reason = "kernel_not_built"
	SelectRefused        Reason = "card_refused_select"
	FCIMalformed         Reason = "card_fci_malformed"
	PDOLMissing          Reason = "card_asks_for_no_ttq"
	PDOLMalformed        Reason = "card_pdol_malformed"
	ConditionsNotMet     Reason = "card_conditions_not_satisfied"
	OtherInterfaceWanted Reason = "card_wants_other_interface"
	ConfirmOnPhone       Reason = "holder_must_confirm_on_phone"
	GPORefused           Reason = "card_refused_gpo"
	GPOMalformed         Reason = "card_gpo_answer_malformed"
	RecordRefused        Reason = "card_refused_record"
	RecordMalformed      Reason = "card_record_malformed"
	FileLocatorMalformed Reason = "card_afl_malformed"
	DataContradicts      Reason = "card_data_contradicts_itself"
	DataMissing          Reason = "card_mandatory_data_missing"
	DataMalformed        Reason = "card_mandatory_data_malformed"
	CardDeclined         Reason = "card_declined"
	OfflineNotBuilt      Reason = "offline_approval_not_built"
	CryptogramUnknown    Reason = "card_cryptogram_type_unknown"
	CVMNotPossible       Reason = "cvm_required_none_possible"
	CardRemoved          Reason = "card_removed"
	ReaderFailed         Reason = "reader_failed"
)

// Outcome is the end of one tap. Card data is there for an OnlineRequest only.
type Outcome struct {
	Kind   Kind
	Reason Reason // empty for an OnlineRequest
	Kernel ID
	AID    []byte // the card's name of the application
	Label  string // what to print on the slip

	// Authentication is there for an OnlineRequest and for what it refused.
	Authentication Authentication

	// Update says that terminal and card can meet a second time for what the issuer
	// sends: RunScripts.
	Update bool

	CVM         CVM
	PAN         secret.PAN
	PSN         string // two digits, empty when the card has none
	Expiry      string // YYMM
	Track2      secret.Track2
	ICC         secret.ICC // field 55 of the request
	ReversalICC secret.ICC // field 55 of a reversal
}
