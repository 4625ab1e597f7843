// SPDX-License-Identifier: Apache-2.0

package hsm

import "context"

// KeyChecker says whether a key at rest can be used: it is this module's
// (ErrBinding otherwise), it unwraps, and its check value is the one computed
// now (ErrBinding). Usage and validity do not matter: it computes a check value
// and nothing else.
type KeyChecker interface {
	CheckKey(ctx context.Context, key *Key) error
}
