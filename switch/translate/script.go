// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
	"tapswitch/switch/txn"
)

// networkScript is field 60.3 of the result of an issuer's script.
const networkScript = "951"

// The tags of an issuer script's results: EMV's (Book 3 annex A), and the one that
// UnionPay's terminals have for the same content.
const (
	tagResults   bertlv.Tag = 0x9F5B
	tagResultsUP bertlv.Tag = 0xDF31
	tagTVR       bertlv.Tag = 0x95
)

// A result has five bytes a script: what became of it and at which command, and the
// script's identifier (EMV Book 4, annex A5).
const (
	resultSize = 5
	maxResults = 4 // scripts of one answer; issuers send one or two
)

// scriptTag is a tag of field 55 that is passed on with a script's results, and its
// length.
type scriptTag struct {
	tag      bertlv.Tag
	min, max int
}

// scriptTags is all that is passed on, in this order: by what the issuer knows the
// tap again. None of it is card data.
func scriptTags() []scriptTag {
	return []scriptTag{
		{tagTVR, 5, 5},  // terminal verification results
		{0x9F26, 8, 8},  // the cryptogram that the request had
		{0x9F10, 1, 32}, // issuer application data
		{0x9F36, 2, 2},  // transaction counter
		{0x9F37, 4, 4},  // unpredictable number
		{0x82, 2, 2},    // application interchange profile
		{0x9F1A, 2, 2},  // terminal country
		{0x9A, 3, 3},    // date
		{0x9F33, 3, 3},  // terminal capabilities
		{0x9F1E, 8, 8},  // device serial number
	}
}

// scriptResult reads what a script's result is about, as of a void, and of field 55
// what is passed on.
func scriptResult(r *txn.Request, v *iso8583.View) error {
	if err := original(r, v); err != nil {
		return err
	}
	copy(r.OfAuth[:], v.Raw(38))
	data := r.Card.ICC.AppendTo(make([]byte, 0, 1024), secret.ForChip)
	defer clear(data[:cap(data)])
	if err := bertlv.Check(data); err != nil {
		return txn.DeclineScript.Why(fmt.Errorf("field 55: %w", err))
	}
	results, ok := bertlv.Find(data, tagResultsUP)
	other, both := bertlv.Find(data, tagResults)
	switch {
	case ok && both:
		return txn.DeclineScript.Why(fmt.Errorf("field 55 has both tags %s and %s", tagResultsUP, tagResults))
	case both:
		results = other
	}
	if n := len(results); n == 0 || n%resultSize != 0 || n > maxResults*resultSize {
		return txn.DeclineScript.Why(fmt.Errorf("field 55: tag %s is not 1 to %d results of %d bytes", tagResultsUP, maxResults, resultSize))
	}
	if _, ok := bertlv.Find(data, tagTVR); !ok {
		return txn.DeclineScript.Why(fmt.Errorf("field 55: tag %s is missing", tagTVR))
	}
	r.Script = bertlv.Append(nil, tagResults, results)
	for _, t := range scriptTags() {
		value, ok := bertlv.Find(data, t.tag)
		if !ok {
			continue
		}
		if len(value) < t.min || len(value) > t.max {
			return txn.DeclineScript.Why(fmt.Errorf("field 55: tag %s has %d bytes", t.tag, len(value)))
		}
		r.Script = bertlv.Append(r.Script, t.tag, value)
	}
	return nil
}

// procedure is field 3 of what is told or asked of p: of a script's result it is
// that of what the script came with.
func procedure(p *txn.Payment) string {
	c := p.Key.Class
	if c == txn.ScriptResult {
		c = p.Original.Class
	}
	as, _ := asks(c)
	return as.procedure
}
