// SPDX-License-Identifier: Apache-2.0

// Package clear is the only code that touches clear PIN and key bytes.
//
// Promise: a Room made by New is one page that is never swapped out and not
// part of a core dump; its content is wiped after each use; nothing clear is
// returned, only results of checks, and views of the Room for the module call
// that fills or reads it.
//
// How: the page comes from mmap, so the garbage collector never copies it, and
// is held by mlock. When the system refuses (RLIMIT_MEMLOCK), New fails and says
// what to raise; there is no silent fall back to ordinary memory. Unlocked is
// for hsm/soft, which holds clear keys in its process by nature.
//
// Imported by: hsm/pkcs11, hsm/soft, hsm/ceremony, cmd. Imports: hsm,
// hsm/pinblock, hsm/pinoffset, hsm/emvkey, hsm/dukpt, hsm/keyblock, internal/secret,
// golang.org/x/sys/unix.
package clear

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// ErrLock says that memory for clear PINs could not be locked.
var ErrLock = errors.New("clear: memory for PINs and keys cannot be locked")

// The places in a Room.
const (
	blockAt     = 0
	pinAt       = 16
	pinLenAt    = 28
	fieldAt     = 32 // a PAN field, a natural PIN
	keyAt       = 64
	companionAt = 96
	scratchAt   = 256 // of a TDES DUKPT derivation; see dukpt.go
	scheduleAt  = scratchAt + dukpt.ScratchLen
	used        = scheduleAt + scheduleLen
	pageSize    = 4096 // a multiple or divisor of every page size in service
)

// Room is memory for one operation at a time on clear bytes. It is not safe for
// concurrent use: each worker of a driver has its own.
type Room struct {
	mem    []byte
	locked bool
	worked bool // the memory for key blocks was handed out (keyblock.go)
	lot    int  // bytes of Lot handed out since the last Wipe
}

// New maps and locks one page. The error says what to raise.
func New() (*Room, error) {
	mem, err := lockedPage()
	if err != nil {
		return nil, err
	}
	return &Room{mem: mem, locked: true}, nil
}

// lockedPage maps one page that is not swapped out and not dumped.
func lockedPage() ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("%w: mmap of %d bytes: %w", ErrLock, pageSize, err)
	}
	if err := unix.Mlock(mem); err != nil {
		_ = unix.Munmap(mem) // nothing was written to it
		return nil, fmt.Errorf("%w: mlock of %d bytes: %w; raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK= of the unit) to one page per HSM session, or grant CAP_IPC_LOCK", ErrLock, pageSize, err)
	}
	// Not every kernel knows the advice; the page is locked and wiped all the same.
	_ = unix.Madvise(mem, unix.MADV_DONTDUMP)
	return mem, nil
}

// Unlocked makes a Room in ordinary memory, for hsm/soft alone.
func Unlocked() *Room { return &Room{mem: make([]byte, used)} }

// Close wipes the Room and gives its page back.
func (r *Room) Close() error {
	r.Wipe()
	if !r.locked {
		return nil
	}
	mem := r.mem
	r.mem, r.locked = nil, false
	return unmap(mem)
}

func unmap(page []byte) error { return unix.Munmap(page) }

// Wipe overwrites everything a Room can hold.
func (r *Room) Wipe() {
	if len(r.mem) >= used {
		clear(r.mem[:used])
	}
	if r.worked {
		r.wipeWork()
	}
	if r.lot > 0 {
		clear(r.mem[:r.lot])
		r.lot = 0
	}
}

// Lot is the first n bytes of the page, at most a page, for blocks of several
// operations in one module call. A Room that is used so is used for nothing else.
func (r *Room) Lot(n int) []byte {
	r.lot = max(r.lot, n)
	return r.mem[:n:n]
}

// Block is where the module puts a deciphered PIN block, or takes one or a TSP from.
func (r *Room) Block() *[8]byte { return (*[8]byte)(r.mem[blockAt:]) }

func (r *Room) pin() *[pinblock.MaxPIN]byte { return (*[pinblock.MaxPIN]byte)(r.mem[pinAt:]) }

// Key is where n clear key bytes are while a key is brought in or sent out.
func (r *Room) Key(n int) []byte { return r.mem[keyAt : keyAt+n : keyAt+n] }

// Doubled writes K1‖K1 of the double-length key in Key beside it and returns it:
// the companion under which the CBC part of algorithm 3 is single DES.
func (r *Room) Doubled() []byte {
	left := r.Key(8)
	out := r.mem[companionAt : companionAt+16 : companionAt+16]
	copy(out, left)
	copy(out[8:], left)
	return out
}

// OddParity sets the parity of the n key bytes in Key.
func (r *Room) OddParity(n int) { emvkey.OddParity(r.Key(n)) }

// Combine xors components of size bytes into Key. An 8-byte DES key becomes K‖K.
func (r *Room) Combine(components []secret.Key, size int) error {
	if len(components) == 0 {
		return fmt.Errorf("%w: a key needs at least one component", hsm.ErrInput)
	}
	single := size == 16 && components[0].Len() == 8
	want := size
	if single {
		want = 8
	}
	key := r.Key(size)
	clear(key)
	for i, c := range components {
		if c.Len() != want {
			return fmt.Errorf("%w: key component %d has %d bytes, want %d", hsm.ErrInput, i+1, c.Len(), want)
		}
		part := c.AppendTo(r.mem[companionAt:companionAt], secret.ForHSM)
		subtle.XORBytes(key[:want], key[:want], part)
		clear(part)
	}
	if single {
		copy(key[8:], key[:8])
	}
	return nil
}
