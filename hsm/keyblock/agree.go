// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"fmt"
	"strings"

	"tapswitch/hsm"
)

// agreement is one row of the table between usages of this HSM and headers. The
// first usage is what a new block says unless told otherwise, and the terminal's
// mode, else the first of the others: it says what the receiver may do.
type agreement struct {
	usage  hsm.Usage
	blocks string // usages of the header, two characters each
	under  string // algorithms of the header
	modes  string // modes that allow all that the usage does
	pinPad string // one more mode for the terminal's side, which does half of it
}

// agreements is the table of docs/reference/key-blocks.md, which a test compares.
// What is not here agrees with nothing: SM4 has no letter, and a key that protects
// card numbers or key blocks never travels.
var agreements = []agreement{
	{hsm.TMK, "K0", "TD", "BN", "D"},
	{hsm.ZMK, "K0", "T", "BN", ""},
	{hsm.TPK, "P0", "TA", "BDN", "E"},
	{hsm.ZPK, "P0", "TA", "BN", ""},
	{hsm.TAK, "M3M1M0M6", "TD", "CN", ""},
	{hsm.TAK, "M6", "A", "CN", ""},
	{hsm.ZAK, "M3M1M0M6", "TD", "CN", ""},
	{hsm.ZAK, "M6", "A", "CN", ""},
	{hsm.TDK, "D0", "TA", "BN", ""},
	{hsm.ZDK, "D0", "TA", "BN", ""},
	{hsm.PVK, "V2", "T", "CN", ""},
	{hsm.PVKOffset, "V1", "T", "CN", ""},
	{hsm.CVK, "C0", "T", "CN", ""},
	{hsm.IMKAC, "E0", "T", "XN", ""},
	{hsm.IMKSMC, "E1", "T", "XN", ""},
	{hsm.IMKSMI, "E2", "T", "XN", ""},
	{hsm.IMKCVC3, "E4E6", "T", "XN", ""},
	{hsm.BDK, "B0", "TA", "XN", ""},
	{hsm.IK, "B1", "TA", "XN", ""},
	{hsm.HMACKey, "M7", "H", "CN", ""},
}

// letter is the header's algorithm for keys of a.
func letter(a hsm.Algorithm) byte {
	switch {
	case a.IsTDES():
		return 'T'
	case a.IsAES():
		return 'A'
	case a == hsm.HMAC128 || a == hsm.HMAC192 || a == hsm.HMAC256:
		return 'H'
	}
	return 0
}

func (a *agreement) takesUsage(u string) bool {
	for i := 0; i+2 <= len(a.blocks); i += 2 {
		if a.blocks[i:i+2] == u {
			return true
		}
	}
	return false
}

// Agree refuses a header that does not allow what a key of want may do here, with
// hsm.ErrUsage and ErrAgree. pinPad is said by a module of the terminal's side,
// which enciphers PINs and data and does not decipher them.
func Agree(h *Header, want *hsm.WorkingKey, pinPad bool) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w: key %q, a %s of %s: %s", hsm.ErrUsage, ErrAgree, want.Name, want.Usage, want.Algorithm, fmt.Sprintf(format, args...))
	}
	if h.IsComponent() {
		return no("the block holds component %c of a key; only the sum of all is one", h.KeyVersion[1])
	}
	usage, algorithm := false, false
	for i := range agreements {
		row := &agreements[i]
		if row.usage != want.Usage || !row.takesUsage(h.Usage) {
			continue
		}
		usage = true
		if strings.IndexByte(row.under, h.Algorithm) < 0 {
			continue
		}
		algorithm = true
		if strings.IndexByte(row.modes, h.Mode) >= 0 || pinPad && strings.IndexByte(row.pinPad, h.Mode) >= 0 {
			return agreeLength(h, want, no)
		}
	}
	switch {
	case !usage:
		return no("the block's key usage is %s", h.Usage)
	case !algorithm:
		return no("the block's algorithm is %c", h.Algorithm)
	}
	return no("the block's mode of use %c does not allow all that the usage does", h.Mode)
}

// agreeLength compares algorithm letters; 'D' is a single DES key.
func agreeLength(h *Header, want *hsm.WorkingKey, no func(string, ...any) error) error {
	if h.Algorithm == letter(want.Algorithm) || h.Algorithm == 'D' && want.Single {
		return nil
	}
	return no("the block's algorithm is %c", h.Algorithm)
}

// FitsLength refuses a key value of a length that want does not have.
func FitsLength(want *hsm.WorkingKey, size int) error {
	if size == want.Algorithm.Size() || size == 8 && want.Single {
		return nil
	}
	return fmt.Errorf("%w: %w: key %q: the key has %d bytes, %s has %d", hsm.ErrUsage, ErrAgree, want.Name, size, want.Algorithm, want.Algorithm.Size())
}

// HeaderFor is the header of a block that a new key leaves in, under the protection
// key. Errors: hsm.ErrUsage when the usage does not travel, hsm.ErrInput for a choice
// that the standard, the table or the protection key does not have.
func HeaderFor(want *hsm.WorkingKey, under *hsm.Key) (Header, error) {
	f := want.Form
	h := Header{
		Version: f.Version, Usage: f.Usage, Algorithm: letter(want.Algorithm), Mode: f.Mode,
		KeyVersion: f.KeyVersion, Exportability: f.Exportability, Context: f.Context,
	}
	if !hsm.OpTravelsInKeyBlock.Allows(want.Usage) {
		return h, fmt.Errorf("%w: a %s cannot %s", hsm.ErrUsage, want.Usage, hsm.OpTravelsInKeyBlock)
	}
	for i := range agreements {
		if row := &agreements[i]; row.usage == want.Usage && strings.IndexByte(row.under, h.Algorithm) >= 0 {
			h.defaults(row)
			break
		}
	}
	if h.Version == 0 {
		h.Version = versionUnder(under)
	}
	for _, o := range f.Options {
		h.Options = append(h.Options, Option(o))
	}
	if _, ok := h.Option("HM"); h.Algorithm == 'H' && !ok {
		h.Options = append([]Option{{"HM", "21"}}, h.Options...) // HMAC-SHA-256
	}
	if err := h.checkMade(want); err != nil {
		return h, err
	}
	return h, Named(want.Name, CheckProtection(h.Version, under.Algorithm.IsAES(), under.Algorithm.Size()))
}

// versionUnder is the version of new blocks under a protection key.
func versionUnder(kbpk *hsm.Key) byte {
	if kbpk.Algorithm.IsAES() {
		return 'D'
	}
	return 'B'
}

// defaults fills in what the maker left open.
func (h *Header) defaults(row *agreement) {
	if h.Usage == "" {
		h.Usage = row.blocks[:2]
	}
	if h.Mode == 0 {
		h.Mode = (row.pinPad + row.modes)[0]
	}
	if h.KeyVersion == "" {
		h.KeyVersion = "00"
	}
	if h.Exportability == 0 {
		h.Exportability = 'N'
	}
	if h.Context == 0 {
		h.Context = '0'
	}
}

// checkMade holds a header that is to be made to the standard and to the table.
func (h *Header) checkMade(want *hsm.WorkingKey) error {
	if h.Version == 'A' || h.Version == 'C' {
		return fmt.Errorf("%w: key %q: version %c is withdrawn for new use; make B, or D under an AES key", hsm.ErrInput, want.Name, h.Version)
	}
	if h.Usage == "" {
		return fmt.Errorf("%w: key %q: a %s of %s has no form in a key block", hsm.ErrUsage, want.Name, want.Usage, want.Algorithm)
	}
	if _, err := h.append(); err != nil {
		return fmt.Errorf("%w: key %q: %w", hsm.ErrInput, want.Name, err)
	}
	return Agree(h, want, true)
}

// Travels refuses a header that agrees with no usage that may be in a key block: what
// cannot be brought in is not passed on either.
func Travels(h *Header) error {
	for i := range agreements {
		row := &agreements[i]
		if hsm.OpTravelsInKeyBlock.Allows(row.usage) && row.takesUsage(h.Usage) && strings.IndexByte(row.under, h.Algorithm) >= 0 && !h.IsComponent() {
			return nil
		}
	}
	return fmt.Errorf("%w: %w: a block of key usage %s and algorithm %c holds no key of this HSM", hsm.ErrUsage, ErrAgree, h.Usage, h.Algorithm)
}

// narrower lists, by mode of use, the modes that allow less.
var narrower = map[byte]string{'B': "DE", 'C': "GV", 'N': "BCDEGVX"}

// order of exportability, the narrowest first.
const order = "NES"

// Translated is the header under another protection key: what form leaves open stays.
// hsm.ErrUsage: the block is not exportable, or form widens it.
func Translated(h *Header, form *hsm.KeyBlockForm, to *hsm.Key) (Header, error) {
	out := *h
	out.Options = nil
	no := func(what string) (Header, error) {
		return Header{}, fmt.Errorf("%w: %w: %s", hsm.ErrUsage, ErrAgree, what)
	}
	if h.Exportability == 'N' {
		return no("the block says that its key is not exportable")
	}
	if form.Usage != "" && form.Usage != h.Usage || form.KeyVersion != "" && form.KeyVersion != h.KeyVersion {
		return no("a translated block keeps its key usage and key version")
	}
	if m := form.Mode; m != 0 && m != h.Mode && strings.IndexByte(narrower[h.Mode], m) < 0 {
		return no("the mode of use would allow more than before")
	}
	if e := form.Exportability; e != 0 {
		if strings.IndexByte(order, e) > strings.IndexByte(order, h.Exportability) {
			return no("the exportability would be wider than before")
		}
		out.Exportability = e
	}
	if out.Version = form.Version; out.Version == 0 {
		out.Version = versionUnder(to)
	}
	if out.Version == 'A' || out.Version == 'C' {
		return Header{}, fmt.Errorf("%w: version %c is withdrawn for new use", hsm.ErrInput, out.Version)
	}
	if form.Mode != 0 {
		out.Mode = form.Mode
	}
	if form.Context != 0 {
		out.Context = form.Context
	}
	return out.withOptions(h, form)
}

// withOptions keeps the optional blocks but those of the old protection key, and lets
// form replace and add.
func (h Header) withOptions(old *Header, form *hsm.KeyBlockForm) (Header, error) {
	for _, o := range form.Options {
		h.Options = append(h.Options, Option(o))
	}
	for _, o := range old.Options {
		if _, replaced := h.Option(o.ID); !replaced && o.ID != padID && o.ID != "KP" && o.ID != "PK" {
			h.Options = append(h.Options, o)
		}
	}
	if _, err := h.append(); err != nil {
		return Header{}, fmt.Errorf("%w: %w", hsm.ErrInput, err)
	}
	return h, nil
}

// CheckValue compares an optional block KC or KP of h with a check value of three
// bytes, where it was computed the same way: cipher of zeros for DES, CMAC for AES.
func CheckValue(h *Header, id string, algorithm hsm.Algorithm, kcv [3]byte) error {
	data, ok := h.Option(id)
	if !ok || len(data) < 6 {
		return nil
	}
	raw, ok := unhex(data)
	if !ok || raw[0] == 0 != algorithm.IsTDES() || raw[0] == 1 != algorithm.IsAES() {
		return nil // another way to compute it: the MAC vouches for the block
	}
	n := min(3, len(raw)-1)
	if string(raw[1:1+n]) != string(kcv[:n]) {
		return fmt.Errorf("%w: %w: the check value in %s is another key's", hsm.ErrInput, ErrAgree, id)
	}
	return nil
}

// Passes reads a block that is to be passed on under the protection key to, and gives
// the header it will have there.
func Passes(block string, form *hsm.KeyBlockForm, to *hsm.Key) (*Block, Header, error) {
	b, err := Parse(block)
	if err != nil {
		return nil, Header{}, Named(to.Name, err)
	}
	if err := Travels(&b.Header); err != nil {
		return nil, Header{}, err
	}
	h, err := Translated(&b.Header, form, to)
	if err != nil {
		return nil, Header{}, err
	}
	return b, h, Named(to.Name, CheckProtection(h.Version, to.Algorithm.IsAES(), to.Algorithm.Size()))
}
