// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"errors"

	"tapswitch/internal/secret"
)

// The errors of keys that come in; each is an ErrInput too.
var (
	ErrWeakKey = errors.New("hsm: key is one that DES must not have") // weak or semi-weak, or equal parts where the usage forbids them
	ErrParity  = errors.New("hsm: key has not odd parity")            // only when odd parity was asked for
)

// WorkingKey says what one key of a set shall be and how it travels.
type WorkingKey struct {
	Spec
	// Single lets 8 bytes travel for a TDES2 key, which is kept as K‖K: for the
	// TAK, ZAK and TMK of hosts and terminals of the single DES era alone
	// (profile legacy-ecb). Without it equal parts are ErrWeakKey.
	Single bool
	// OddParity refuses an arriving DES key with ErrParity unless each of its bytes
	// has odd parity. Without it parity is not looked at: many terminals and hosts
	// do not set it, and no cipher reads it.
	OddParity bool
	// Check is how many bytes of the check value of a raw cryptogram count: 3 or 4;
	// 0 is 4.
	Check int
	Form  KeyBlockForm // under a KBPK only
}

// KeyBlockForm is what the maker of a key block may choose of its header (X9.143
// section 6.2). The zero value is the default for the key's usage, written down in
// docs/reference/key-blocks.md. Versions A and C are read, never made.
type KeyBlockForm struct {
	Version       byte   // 'B', 'D' or 'E'; 0: B under DES, D under AES
	Usage         string // "M6" in place of "M3" and the like; "" the usage's first
	Mode          byte   // mode of use; 0: the usage's first
	KeyVersion    string // two letters or digits; "": "00"
	Exportability byte   // 'N', 'E' or 'S'; 0: 'N', who receives it passes it on to nobody
	Context       byte   // '0', '1' or '2'; 0: '0'
	Options       []KeyBlockOption
}

// KeyBlockOption is one optional block: "KS" with a key serial number, "LB" with a
// label. Its length, and the padding block, are the driver's to write.
type KeyBlockOption struct{ ID, Data string }

// Exported is a key as it travels: a raw cryptogram under a TMK or ZMK (ECB, profile
// legacy-ecb: PCI PIN 18-3 wants key blocks), or a key block under a KBPK.
type Exported struct {
	Cryptogram []byte  // 8, 16 or 24 bytes, nil under a KBPK
	Block      string  // under a KBPK, else ""
	KCV        [4]byte // first four bytes of the check value: DES cipher, or AES-CMAC, of zeros
}

// KeyMaker makes working keys that leave as they are born. A key at rest never
// leaves: it opens only into an object that cannot be read.
type KeyMaker interface {
	// GenerateSet makes one random key for each of set, kept under the LMK, and
	// exports it under a TMK (TPK, TAK, TDK), a ZMK (ZPK, ZAK, ZDK) or a KBPK
	// (whatever may travel in a key block); all of them or none. The keys have odd
	// parity, no weak part and no two equal parts.
	GenerateSet(ctx context.Context, under *Key, set ...WorkingKey) ([]Key, []Exported, error)
}

// SetLoader takes in what a KeyMaker of another side made; all of it or nothing.
// ErrInput: the check value of a cryptogram is wrong, or a length; ErrBinding: a key
// block was altered or is under another key; ErrWeakKey, ErrParity.
type SetLoader interface {
	// LoadSet takes one Exported for each of set.
	LoadSet(ctx context.Context, under *Key, set []WorkingKey, in []Exported) ([]Key, error)
}

// ComponentLoader takes in the xor of what custodians bring. It holds the key to all
// that a key that travels is held to (ErrWeakKey, ErrParity), which LoadClear, for
// test keys, does not.
type ComponentLoader interface {
	LoadComponents(ctx context.Context, want WorkingKey, components ...secret.Key) (Key, error)
}

// KeyBlocks brings keys in and passes them on in key blocks (ANSI X9.143, TR-31,
// ISO 20038).
type KeyBlocks interface {
	// ImportKeyBlock takes in the key of a block, version A to E, under a KBPK. The
	// header's usage, algorithm, mode of use and length must agree with want, else
	// ErrUsage; a malformed block is ErrInput, an altered one ErrBinding. The check
	// values of KC and KP blocks are compared.
	ImportKeyBlock(ctx context.Context, kbpk *Key, want WorkingKey, block string) (Key, error)
	// TranslateKeyBlock protects the key of a block under another KBPK; usage and
	// algorithm stay, exportability and mode of use may only become narrower. A
	// block that says it is not exportable is ErrUsage.
	TranslateKeyBlock(ctx context.Context, from, to *Key, block string, form KeyBlockForm) (string, error)
}
