// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
)

// maxICC is what field 55 of the terminal's dialect carries.
const maxICC = 255

const productID = 0x9F63

// requestTags is field 55 of a sale, in the order hosts expect.
var requestTags = [...]bertlv.Tag{
	bertlv.Cryptogram, bertlv.CryptogramInfo, bertlv.IssuerAppData, bertlv.Unpredictable, bertlv.ATC,
	bertlv.TVR, bertlv.TransactionDate, bertlv.TransactionType, bertlv.AmountAuthorised,
	bertlv.TransactionMoney, bertlv.AIP, bertlv.TerminalCountry, bertlv.AmountOther, bertlv.TerminalCaps,
	bertlv.CVMResults, bertlv.TerminalType, bertlv.InterfaceSerial, bertlv.DFName,
	bertlv.TerminalVersion, bertlv.SequenceCounter, productID,
}

// reversalTags is field 55 of a reversal.
var reversalTags = [...]bertlv.Tag{bertlv.TVR, bertlv.InterfaceSerial, bertlv.IssuerAppData, bertlv.ATC}

// fillICC builds the two lists of field 55.
func (m *Machine) fillICC(o *Outcome) Reason {
	var err error
	request := m.list55(requestTags[:], o.CVM)
	defer clear(request)
	if len(request) > maxICC {
		return DataMalformed
	}
	if o.ICC, err = secret.NewICC(request); err != nil {
		return DataMalformed
	}
	if o.ReversalICC, err = secret.NewICC(m.list55(reversalTags[:], o.CVM)); err != nil {
		return DataMalformed
	}
	return ""
}

func (m *Machine) list55(tags []bertlv.Tag, cvm CVM) []byte {
	var out []byte
	for _, tag := range tags {
		if value, ok := m.value55(tag, cvm); ok {
			out = bertlv.Append(out, tag, value)
		}
	}
	return out
}

func (m *Machine) value55(tag bertlv.Tag, cvm CVM) ([]byte, bool) {
	switch tag {
	case bertlv.CryptogramInfo: // UnionPay cards may leave it to the terminal
		return []byte{cidARQC}, true
	case bertlv.CVMResults:
		return cvmResults(cvm), true
	case bertlv.DFName:
		return m.chosen.name, true
	case bertlv.Cryptogram, bertlv.IssuerAppData, bertlv.ATC, bertlv.AIP, productID:
		return m.data.find(tag)
	}
	value, _ := m.terminalValue(tag)
	return value, true
}

// cvmResults is 9F34, which in these kernels the terminal builds: method,
// condition "always", and result: 00 not known here, 02 successful.
func cvmResults(cvm CVM) []byte {
	switch cvm {
	case OnlinePIN:
		return []byte{0x02, 0x00, 0x00}
	case Signature:
		return []byte{0x1E, 0x00, 0x00}
	case DeviceCVM:
		return []byte{0x01, 0x00, 0x02}
	}
	return []byte{0x1F, 0x00, 0x02}
}
