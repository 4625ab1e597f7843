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

// Labels of the two local master keys on the token.
const (
	LMKLabel     = "tapswitch-lmk"         // wraps working keys
	BindingLabel = "tapswitch-lmk-binding" // binds what belongs to a working key
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

// FormLMK makes the two local master keys on a token that has none. They are
// random, AES-256, sensitive and not extractable; what the first one unwraps is
// sensitive and not extractable too, by its template. The module must not be
// open in this process.
func FormLMK(modulePath, label string, userPIN secret.Key) error {
	ctx, _, err := start(modulePath)
	if err != nil {
		return err
	}
	defer stop(ctx)
	session, err := openToken(ctx, label, userPIN)
	if err != nil {
		return err
	}
	for _, name := range []string{LMKLabel, BindingLabel} {
		found, err := findKeys(ctx, session, name)
		if err != nil {
			return err
		}
		if len(found) != 0 {
			return fmt.Errorf("pkcs11: token %q has a key %q already; every stored key depends on it, so it is not replaced", label, name)
		}
	}
	if err := generateLMK(ctx, session, LMKLabel); err != nil {
		return err
	}
	return generateLMK(ctx, session, BindingLabel)
}

// generateLMK makes one of the two local master keys.
func generateLMK(ctx *p11.Ctx, session p11.SessionHandle, label string) error {
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32), p11.NewAttribute(p11.CKA_LABEL, label),
		p11.NewAttribute(p11.CKA_ENCRYPT, false), p11.NewAttribute(p11.CKA_DECRYPT, false),
	}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	if label == LMKLabel {
		template = append(template, p11.NewAttribute(p11.CKA_WRAP, true), p11.NewAttribute(p11.CKA_UNWRAP, true),
			p11.NewAttribute(p11.CKA_SIGN, false), p11.NewAttribute(p11.CKA_UNWRAP_TEMPLATE, unwrapTemplate(&pinned)))
	} else {
		template = append(template, p11.NewAttribute(p11.CKA_SIGN, true))
	}
	mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}
	if _, err := ctx.GenerateKey(session, mechanism, template); err != nil {
		return fmt.Errorf("pkcs11: make local master key %q: %w", label, err)
	}
	return nil
}

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

// errPIN marks a refused user PIN: trying again would lock the token.
var errPIN = errors.New("pkcs11: user PIN refused")

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
	case errors.As(err, &code) && (code == p11.CKR_PIN_INCORRECT || code == p11.CKR_PIN_LOCKED || code == p11.CKR_PIN_LEN_RANGE || code == p11.CKR_PIN_INVALID):
		return 0, fmt.Errorf("%w by token %q: %w; correct it in the configuration (it is not tried again: tokens lock after a few wrong tries)", errPIN, label, err)
	}
	return 0, fmt.Errorf("pkcs11: log in to token %q: %w", label, err)
}

// findKeys returns the secret keys on the token that have label.
func findKeys(ctx *p11.Ctx, session p11.SessionHandle, label string) ([]p11.ObjectHandle, error) {
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_LABEL, label)}
	if err := ctx.FindObjectsInit(session, template); err != nil {
		return nil, fmt.Errorf("pkcs11: look for key %q: %w", label, err)
	}
	found, _, err := ctx.FindObjects(session, 2)
	if end := ctx.FindObjectsFinal(session); err == nil {
		err = end
	}
	if err != nil {
		return nil, fmt.Errorf("pkcs11: look for key %q: %w", label, err)
	}
	return found, nil
}

// findLMK returns the one key with label, checked to be what FormLMK makes.
func findLMK(ctx *p11.Ctx, session p11.SessionHandle, label string) (p11.ObjectHandle, error) {
	found, err := findKeys(ctx, session, label)
	if err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("pkcs11: the token has no local master key %q: form the local master keys on it once, before the first start", label)
	case 1:
	default:
		return 0, fmt.Errorf("pkcs11: the token has more than one key %q: remove the wrong one by the vendor's means", label)
	}
	got, err := ctx.GetAttributeValue(session, found[0], []*p11.Attribute{p11.NewAttribute(p11.CKA_SENSITIVE, nil), p11.NewAttribute(p11.CKA_EXTRACTABLE, nil)})
	if err != nil {
		return 0, fmt.Errorf("pkcs11: read attributes of key %q: %w", label, err)
	}
	if len(got) != 2 || len(got[0].Value) != 1 || got[0].Value[0] != 1 || len(got[1].Value) != 1 || got[1].Value[0] != 0 {
		return 0, fmt.Errorf("pkcs11: local master key %q is not sensitive and unextractable: it may have been read; form new ones", label)
	}
	return found[0], nil
}
