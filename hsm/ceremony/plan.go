// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Check is a payment check value of an AES key: the first five bytes of the
// AES-CMAC of a zero block (ANSI X9.24-1).
type Check [5]byte

// Identity is what keys wrapped under a local master key carry of it.
type Identity [8]byte

// String is the check value as custodians write it.
func (c Check) String() string { return fmt.Sprintf("%X", c[:]) }

// String is the identity as it is printed.
func (i Identity) String() string { return fmt.Sprintf("%X", i[:]) }

// MarshalText is String.
func (c Check) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalText is String.
func (i Identity) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Check) UnmarshalText(text []byte) error { return unhex(c[:], text, "check value") }

// UnmarshalText reads what MarshalText wrote.
func (i *Identity) UnmarshalText(text []byte) error { return unhex(i[:], text, "identity") }

func unhex(to, text []byte, what string) error {
	if n, err := hex.Decode(make([]byte, len(text)/2+1), text); err != nil || n != len(to) {
		return fmt.Errorf("ceremony: a %s is %d hex digits", what, 2*len(to))
	}
	_, err := hex.Decode(to, text)
	return err
}

// Purpose is what a ceremony is for.
type Purpose string

// The purposes in service.
const (
	Generate Purpose = "generate" // components are made at random and shown to their custodians
	Enter    Purpose = "enter"    // custodians bring components from elsewhere
	Restore  Purpose = "restore"  // custodians bring those of an earlier ceremony, whose check values are known
	Migrate  Purpose = "migrate"  // the same, to move stored keys to the next generation
)

// Bounds of a plan.
const (
	MinCustodians = 2
	MaxCustodians = 9
	maxName       = 32
)

// Plan is what a ceremony is about: the first line of its transcript.
type Plan struct {
	Purpose    Purpose  `json:"purpose"`
	Token      string   `json:"token"`      // label
	Generation uint32   `json:"generation"` // of the local master keys, 1 for the first
	Officer    string   `json:"officer"`    // leads, and says yes
	Witness    string   `json:"witness"`    // watches, and says yes
	Custodians []string `json:"custodians"` // in the order in which they come
	Checks     []Check  `json:"checks,omitempty"`
	Identity   Identity `json:"lmk,omitzero"` // what must come out; zero: not known beforehand
	Practice   bool     `json:"practice,omitempty"`
}

// ErrPlan is a plan that no ceremony can follow.
var ErrPlan = errors.New("ceremony: the plan cannot be followed")

// Check refuses a plan with ErrPlan. Officer, witness and custodians are as many
// persons: dual control and split knowledge need that nobody is two of them.
func (p *Plan) Check() error {
	known := p.Purpose == Restore || p.Purpose == Migrate
	switch {
	case !known && p.Purpose != Generate && p.Purpose != Enter:
		return fmt.Errorf("%w: purpose %q: generate, enter, restore or migrate", ErrPlan, p.Purpose)
	case p.Token == "" || len(p.Token) > maxName:
		return fmt.Errorf("%w: a token label has 1 to %d bytes", ErrPlan, maxName)
	case p.Generation == 0:
		return fmt.Errorf("%w: generations are counted from 1", ErrPlan)
	case len(p.Custodians) < MinCustodians || len(p.Custodians) > MaxCustodians:
		return fmt.Errorf("%w: %d custodians, want %d to %d", ErrPlan, len(p.Custodians), MinCustodians, MaxCustodians)
	case known && (len(p.Checks) != len(p.Custodians) || p.Identity == Identity{}):
		return fmt.Errorf("%w: to %s, the check value of every component and the identity must be known", ErrPlan, p.Purpose)
	case !known && p.Purpose == Generate && len(p.Checks) != 0, len(p.Checks) != 0 && len(p.Checks) != len(p.Custodians):
		return fmt.Errorf("%w: check values are given for all components that are entered, or for none", ErrPlan)
	}
	for i, c := range p.Checks {
		if c == zeroCheck || slices.Contains(p.Checks[:i], c) {
			return fmt.Errorf("%w: component %d is zero or another's: it hides nothing", ErrPlan, i+1)
		}
	}
	people := append([]string{p.Officer, p.Witness}, p.Custodians...)
	for i, name := range people {
		if err := checkName(name); err != nil {
			return err
		}
		if slices.ContainsFunc(people[:i], func(other string) bool { return strings.EqualFold(other, name) }) {
			return fmt.Errorf("%w: %q is two of officer, witness and custodians; each must be a person of its own", ErrPlan, name)
		}
	}
	return nil
}

// checkName keeps names to one printable word, so that they can be typed and
// cannot be mistaken for a command or a line of the transcript.
func checkName(name string) error {
	ok := name != "" && len(name) <= maxName && !strings.EqualFold(name, abortWord)
	for _, r := range name {
		ok = ok && r > ' ' && r != 0x7F && r != '=' && r != '"' && r != '\\' && r != '<' && r != '>' && r != '&' && r != 0xFFFD
	}
	if !ok {
		return fmt.Errorf("%w: %q is no name: one word of 1 to %d bytes", ErrPlan, name, maxName)
	}
	return nil
}

// abortWord ends a ceremony wherever it is typed.
const abortWord = "abort"
