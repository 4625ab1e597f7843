// SPDX-License-Identifier: Apache-2.0

// Package fleet knows who may speak to the switch: merchants, their terminals,
// their status and their working keys.
//
// Promise: a terminal that is unknown, blocked or at another merchant is
// refused by name; working keys are durable before a terminal hears of them;
// the keys of before a sign-on serve until the first valid MAC under the new
// ones, so that a lost answer to a sign-on strands nobody.
//
// How: the directory is immutable; each terminal has at most two key sets, whose life
// is hsm/keystore's Rotation (keys.go, signon.go). The PIN, MAC and data keys of a set
// share one version, and the set that verified a message's MAC is the one that
// decrypts its PIN.
//
// Imported by: flow's ports, node. Imports: hsm, hsm/keystore, internal/env.
//
// Non-obvious: a sign-on carries no MAC, so anybody can ask for one in a
// terminal's name. The set that is kept beside the newest is therefore the last
// one that verified a MAC, not the last but one: a forger who asks twice learns
// nothing (the keys travel under the terminal's master key) and locks nobody out.
package fleet

import (
	"errors"
	"fmt"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/internal/env"
)

// The forms of ISO 8583 fields 41 and 42.
const (
	TerminalIDLen = 8
	MerchantIDLen = 15
)

// MaxTerminals bounds the directory: about 1 KiB each with two key sets.
const MaxTerminals = 1 << 20

// Errors of Lookup, with the response code (field 39) that says so to a terminal.
var (
	ErrUnknownTerminal  = errors.New("fleet: terminal is not in the directory")      // 97
	ErrTerminalBlocked  = errors.New("fleet: terminal is blocked")                   // 97
	ErrMerchantMismatch = errors.New("fleet: terminal belongs to another merchant")  // 97
	ErrMerchantBlocked  = errors.New("fleet: merchant of the terminal is blocked")   // 97
	ErrDirectory        = errors.New("fleet: directory refused")                     // at start only
	ErrNoKeys           = errors.New("fleet: terminal has no working keys")          // 97: sign on first
	ErrSignOnBusy       = errors.New("fleet: another sign-on of this terminal runs") // 96
	ErrKeysNotStored    = errors.New("fleet: new working keys could not be kept")    // 96
	ErrVersions         = errors.New("fleet: version numbers of the keys used up")   // 96
	ErrStoredKeys       = keystore.ErrStored                                         // at start only
)

// Status says whether a merchant or a terminal is in service.
type Status uint8

// The states of service; zero is none of them, so that a forgotten one is refused.
const (
	Active Status = iota + 1
	Blocked
)

// Merchant is who takes the payments.
type Merchant struct {
	ID       string // field 42, 15 characters
	Name     string // for field 43 and receipts
	Category string // ISO 18245, field 18, 4 digits
	Status   Status
}

// Terminal is one point of sale. Values from Lookup are shared: read only.
type Terminal struct {
	ID          string // field 41, 8 characters
	Merchant    *Merchant
	Status      Status
	TMK         *hsm.Key // enciphers the working keys of a sign-on
	MACRequired bool     // whether requests without a MAC are refused
	DataKey     bool     // whether its sets have a data key

	keys *ring // set by New
}

// Config is what a Fleet works with.
type Config struct {
	Clock      env.Clock
	Waits      env.Waits
	Store      keystore.Keeper
	Maker      hsm.KeyMaker
	MACer      hsm.MACer
	SignOnWait time.Duration // for how long a sign-on waits for another of the same terminal
	// Trouble hears of a failure that refused nobody (a set was not retired). May be nil.
	Trouble func(terminal string, err error)
}

// Fleet is the directory and the key rings. Any number may use it.
type Fleet struct {
	cfg       Config
	terminals map[string]*Terminal
}

// New checks the directory, reports all its mistakes together, and loads the
// working keys that were kept.
func New(cfg Config, terminals []Terminal) (*Fleet, error) {
	if len(terminals) > MaxTerminals {
		return nil, fmt.Errorf("%w: %d terminals, at most %d", ErrDirectory, len(terminals), MaxTerminals)
	}
	f := &Fleet{cfg: cfg, terminals: make(map[string]*Terminal, len(terminals))}
	var mistakes []error
	for i, t := range terminals {
		if err := f.add(t); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%w: terminal %d (%q): %w", ErrDirectory, i+1, t.ID, err))
		}
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	for _, t := range terminals { // in the given order, so that a run can be repeated
		rotation, err := keystore.Load(cfg.Store, keystore.Terminal(t.ID))
		if err != nil {
			return nil, fmt.Errorf("terminal %s: %w", t.ID, err)
		}
		f.terminals[t.ID].keys = &ring{Rotation: rotation}
	}
	return f, nil
}

// add takes one terminal into the directory.
func (f *Fleet) add(t Terminal) error {
	if err := t.check(); err != nil {
		return err
	}
	if f.terminals[t.ID] != nil {
		return errors.New("stands twice")
	}
	f.terminals[t.ID] = &t
	return nil
}

// check is the ladder of rules for one terminal.
func (t *Terminal) check() error {
	if !plain(t.ID, TerminalIDLen) {
		return fmt.Errorf("id has %d printable characters", TerminalIDLen)
	}
	if t.Status != Active && t.Status != Blocked {
		return errors.New("status is neither active nor blocked")
	}
	if t.Merchant == nil {
		return errors.New("merchant is missing")
	}
	if !plain(t.Merchant.ID, MerchantIDLen) {
		return fmt.Errorf("merchant id has %d printable characters", MerchantIDLen)
	}
	if t.Merchant.Status != Active && t.Merchant.Status != Blocked {
		return errors.New("merchant's status is neither active nor blocked")
	}
	if t.TMK == nil {
		return errors.New("terminal master key is missing")
	}
	if t.TMK.Usage != hsm.TMK {
		return errors.New("key is not a terminal master key")
	}
	return nil
}

// plain reports n printable ASCII characters.
func plain(s string, n int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) == n
}

// Lookup finds a terminal by fields 41 and 42, and refuses one that may not
// trade. The rules in order: known, at this merchant, not blocked, merchant not
// blocked; so a wrong merchant learns nothing of a terminal's status.
func (f *Fleet) Lookup(id, merchant string) (*Terminal, error) {
	t := f.terminals[id]
	if t == nil {
		return nil, ErrUnknownTerminal
	}
	if t.Merchant.ID != merchant {
		return nil, ErrMerchantMismatch
	}
	if t.Status != Active {
		return nil, ErrTerminalBlocked
	}
	if t.Merchant.Status != Active {
		return nil, ErrMerchantBlocked
	}
	return t, nil
}

// Len is the number of terminals.
func (f *Fleet) Len() int { return len(f.terminals) }
