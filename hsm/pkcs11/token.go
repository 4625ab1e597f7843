// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/internal/secret"
)

// InitToken initialises a free slot as a token with label, security officer PIN
// and user PIN. It is for tests and the demo: a real HSM is initialised by its
// vendor's means. The module must not be open in this process.
func InitToken(modulePath, label string, soPIN, userPIN secret.Key) error {
	ctx, _, err := start(modulePath)
	if err != nil {
		return err
	}
	defer stop(ctx)
	slots, err := ctx.GetSlotList(false)
	if err != nil {
		return fmt.Errorf("pkcs11: list slots: %w", err)
	}
	if _, err := findToken(ctx, label); err == nil {
		return fmt.Errorf("pkcs11: a token %q is initialised already: its keys would be lost; choose another label, or remove it by the vendor's means", label)
	}
	so, user := reveal(soPIN), reveal(userPIN)
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		if err != nil || info.Flags&p11.CKF_TOKEN_INITIALIZED != 0 {
			continue
		}
		if err := ctx.InitToken(slot, so, label); err != nil {
			return fmt.Errorf("pkcs11: initialise token %q: %w", label, err)
		}
		return setUserPIN(ctx, label, so, user)
	}
	return errors.New("pkcs11: no slot without a token: nothing can be initialised")
}

// setUserPIN finds the new token (its slot may have moved) and sets its PIN.
func setUserPIN(ctx *p11.Ctx, label, so, user string) error {
	slot, err := findToken(ctx, label)
	if err != nil {
		return err
	}
	session, err := ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("pkcs11: open a session on token %q: %w", label, err)
	}
	if err := ctx.Login(session, p11.CKU_SO, so); err != nil {
		return fmt.Errorf("pkcs11: log in to token %q as security officer: %w", label, err)
	}
	if err := ctx.InitPIN(session, user); err != nil {
		return fmt.Errorf("pkcs11: set the user PIN of token %q: %w", label, err)
	}
	return nil
}

// FormLMK makes local master keys of the first generation on a token that has
// none, in the module and at random: nobody can form them again, so they die
// with the token. They are AES-256, sensitive, not extractable, and cannot be
// changed or copied; what the first one unwraps is sensitive and not extractable
// too, by its template. The module must not be open in this process.
func FormLMK(modulePath, label string, userPIN secret.Key) error {
	ctx, fused, err := start(modulePath)
	if err != nil {
		return err
	}
	defer stop(ctx)
	session, err := openToken(ctx, label, userPIN)
	if err != nil {
		return err
	}
	there, err := scan(ctx, fused, session)
	if err != nil {
		return err
	}
	if len(there) != 0 {
		return fmt.Errorf("pkcs11: token %q has local master keys already; every stored key depends on them, so they are not replaced", label)
	}
	if err := generateLMK(ctx, session, BindingLabel); err != nil {
		return err
	}
	return generateLMK(ctx, session, LMKLabel)
}

// generateLMK makes one of the two local master keys. A key that could be
// changed could be given the right to decipher, and then every blob be read.
func generateLMK(ctx *p11.Ctx, session p11.SessionHandle, label string) error {
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_MODIFIABLE, false), p11.NewAttribute(ckaCopyable, false),
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32), p11.NewAttribute(p11.CKA_LABEL, label), p11.NewAttribute(p11.CKA_ID, []byte(FromModule)),
		p11.NewAttribute(p11.CKA_ENCRYPT, false), p11.NewAttribute(p11.CKA_DECRYPT, false), p11.NewAttribute(p11.CKA_DERIVE, false),
	}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	if label == LMKLabel {
		template = append(template, p11.NewAttribute(p11.CKA_WRAP, true), p11.NewAttribute(p11.CKA_UNWRAP, true),
			p11.NewAttribute(p11.CKA_SIGN, false), p11.NewAttribute(p11.CKA_UNWRAP_TEMPLATE, unwrapTemplate(&pinned)))
	} else {
		template = append(template, p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_WRAP, false), p11.NewAttribute(p11.CKA_UNWRAP, false))
	}
	mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}
	if _, err := ctx.GenerateKey(session, mechanism, template); err != nil {
		return fmt.Errorf("pkcs11: make local master key %q: %w", label, err)
	}
	return nil
}

// ckaCopyable is CKA_COPYABLE of PKCS#11 2.40.
const ckaCopyable = 0x171

// unwrapTemplate is the image of two CK_ATTRIBUTE {type, pointer, length}:
// sensitive and not extractable. The values it points to are pinned, because
// the image is copied by its bytes and no collector knows the addresses in it.
func unwrapTemplate(pinned *runtime.Pinner) []byte {
	image := make([]byte, 0, 48)
	for _, a := range []struct {
		kind  uint64
		value byte
	}{{p11.CKA_SENSITIVE, 1}, {p11.CKA_EXTRACTABLE, 0}} {
		value := &a.value
		pinned.Pin(value)
		image = binary.NativeEndian.AppendUint64(image, a.kind)
		image = binary.NativeEndian.AppendUint64(image, uint64(uintptr(unsafe.Pointer(value))))
		image = binary.NativeEndian.AppendUint64(image, 1)
	}
	return image
}

// reveal is a PIN as the library wants it.
func reveal(pin secret.Key) string { return string(pin.AppendTo(nil, secret.ForHSM)) }

// start loads and initialises the module.
func start(path string) (*p11.Ctx, functions, error) {
	fused, err := load(path)
	if err != nil {
		return nil, functions{}, fmt.Errorf("pkcs11: module %q cannot be loaded: %w; install it (Debian: softhsm2) or correct the path in the configuration", path, err)
	}
	ctx := p11.New(path)
	if ctx == nil {
		return nil, functions{}, fmt.Errorf("pkcs11: module %q cannot be loaded", path)
	}
	if err := initialize(ctx); err != nil {
		ctx.Destroy()
		return nil, functions{}, err
	}
	return ctx, fused, nil
}

// initialize is C_Initialize with what to do when it fails.
func initialize(ctx *p11.Ctx) error {
	err := ctx.Initialize()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)):
		return fmt.Errorf("pkcs11: the module is in use in this process already: %w", err)
	}
	return fmt.Errorf("pkcs11: the module does not start: %w; for SoftHSM see that SOFTHSM2_CONF names a readable file and that its directories.tokendir exists", err)
}

// stop ends the use of the module; nothing can be done about its refusal.
func stop(ctx *p11.Ctx) {
	_ = ctx.Finalize()
	ctx.Destroy()
}

// findToken returns the slot whose token has label.
func findToken(ctx *p11.Ctx, label string) (uint, error) {
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("pkcs11: list slots: %w", err)
	}
	var there []string
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		if err != nil || info.Flags&p11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		if name := strings.TrimRight(info.Label, " \x00"); name == label {
			return slot, nil
		} else {
			there = append(there, fmt.Sprintf("%q", name))
		}
	}
	if len(there) == 0 {
		return 0, fmt.Errorf("pkcs11: no token %q: the module shows no initialised token; initialise one, and for SoftHSM see that SOFTHSM2_CONF points to its configuration", label)
	}
	return 0, fmt.Errorf("pkcs11: no token %q; the module shows %s: correct the label in the configuration", label, strings.Join(there, ", "))
}

var (
	// errPIN marks a refused user PIN: trying again would lock the token.
	errPIN = errors.New("pkcs11: user PIN refused")
	// errPINLocked marks a token that takes no user PIN: looking again is harmless.
	errPINLocked = errors.New("pkcs11: user PIN locked")
)

// openToken opens a session on the token and logs the user in.
func openToken(ctx *p11.Ctx, label string, userPIN secret.Key) (p11.SessionHandle, error) {
	slot, err := findToken(ctx, label)
	if err != nil {
		return 0, err
	}
	session, err := ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		return 0, fmt.Errorf("pkcs11: open a session on token %q: %w", label, err)
	}
	err = ctx.Login(session, p11.CKU_USER, reveal(userPIN))
	var code p11.Error
	switch {
	case err == nil || errors.Is(err, p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN)):
		return session, nil
	case errors.Is(err, p11.Error(p11.CKR_PIN_LOCKED)):
		return 0, fmt.Errorf("%w by token %q: %w; too many wrong PINs were tried: let its security officer set the user PIN anew", errPINLocked, label, err)
	case errors.As(err, &code) && (code == p11.CKR_PIN_INCORRECT || code == p11.CKR_PIN_LEN_RANGE || code == p11.CKR_PIN_INVALID):
		return 0, fmt.Errorf("%w by token %q: %w; correct it in the configuration (it is not tried again: tokens lock after a few wrong tries)", errPIN, label, err)
	}
	return 0, fmt.Errorf("pkcs11: log in to token %q: %w", label, err)
}
