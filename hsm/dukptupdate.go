// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"fmt"
)

// DUKPTUpdater makes the key under which an AES DUKPT device gets its next
// initial key (ANSI X9.24-3, update of the initial key).
type DUKPTUpdater interface {
	// DUKPTUpdateKey derives the key-encryption key of counter FFFFFFFF from base, a
	// BDK or the device's IK, for the device that ksn names by any of its
	// transactions, and keeps it as spec says: a KBPK of AES, not stronger than
	// base. Under it the host makes and sends the next IK in a key block
	// (GenerateSet), and the device takes it in (ImportKeyBlock). ErrInput: of TDES
	// DUKPT, or another usage or algorithm.
	DUKPTUpdateKey(ctx context.Context, base *Key, ksn KSN, spec Spec) (Key, error)
}

// CheckUpdate refuses a key that is not one for the update of d's device.
func (d DUKPTKey) CheckUpdate(spec Spec) error {
	if err := d.Check(); err != nil {
		return err
	}
	if spec.Usage != KBPK || !spec.Algorithm.IsAES() {
		return fmt.Errorf("%w: key %q: the next initial key travels under a %s of AES, not under a %s of %s", ErrInput, spec.Name, KBPK, spec.Usage, spec.Algorithm)
	}
	return spec.Check()
}
