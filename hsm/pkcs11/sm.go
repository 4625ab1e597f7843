// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

var (
	_ hsm.SM4Translator = (*Module)(nil)
	_ hsm.SM3Hasher     = (*Module)(nil)
)

// noSM refuses a function of the SM series. The standard has no mechanism for
// it, so a module can only have numbers of its vendor's.
func noSM(what string) error {
	return fmt.Errorf("%w: %s: PKCS#11 has no standard mechanism for SM3 and SM4, and those of vendors are not built", hsm.ErrUnsupported, what)
}

// TranslateSM4PIN is refused with ErrUnsupported.
func (m *Module) TranslateSM4PIN(context.Context, secret.PINBlock, hsm.SM4Shape, *hsm.Key, *hsm.Key, hsm.Account12) (secret.PINBlock, error) {
	return secret.PINBlock{}, noSM("translate an SM4 PIN block")
}

// SM3 is refused with ErrUnsupported.
func (m *Module) SM3(context.Context, []byte) ([32]byte, error) { return [32]byte{}, noSM("SM3") }
