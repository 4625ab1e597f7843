// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
)

// wish is what a key that comes in or leaves shall be.
type wish struct {
	usage, algorithm, owner, until string
	rule                           ruleFlags
	next                           bool
}

func (w *wish) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&w.usage, "usage", "", "what the new key is for, its only purpose; with --next that of the key before it")
	f.StringVar(&w.algorithm, "algorithm", "", "cipher and length; the usual one of the usage when left out")
	f.StringVar(&w.owner, "owner", "", "terminal, link or issuer that the key belongs to; what the name tells when left out")
	f.StringVar(&w.until, "not-after", "", "last day of validity, YYYY-MM-DD, UTC")
	f.BoolVar(&w.next, "next", false, "the key follows one of this name")
	w.rule.add(c)
}

// spec is the specification of a new key or, with next, of the successor of one that
// is there. Keys of a set have one version, so that a successor does not fall behind.
func (w *wish) spec(keys []hsm.Key, name string) (hsm.Spec, error) {
	old, err := newest(keys, name)
	switch {
	case !w.next && err == nil:
		return hsm.Spec{}, fmt.Errorf("key %q is there already, as version %d: give --next when this is its successor", name, old.Version)
	case !w.next && w.usage == "":
		return hsm.Spec{}, usageError{errors.New("--usage: what is the key for? as ZPK, BDK, IMK-AC")}
	case !w.next:
		return wanted(name, w.usage, w.algorithm, w.owner, w.until, w.rule)
	case err != nil:
		return hsm.Spec{}, err
	}
	spec := old.Spec()
	spec.Version++
	if set, ok := setOf(name); ok {
		for _, k := range keys {
			if other, ok := setOf(k.Name); ok && other == set {
				spec.Version = max(spec.Version, k.Version)
			}
		}
	}
	if w.usage != "" && !strings.EqualFold(w.usage, old.Usage.String()) || w.algorithm != "" && !strings.EqualFold(w.algorithm, old.Algorithm.String()) ||
		w.owner != "" && w.owner != old.Owner || w.rule.table != "" {
		return spec, fmt.Errorf("key %q is a %s of %s of %q: its successor is the same; leave out --usage, --algorithm, --owner and --decimalisation-table", name, old.Usage, old.Algorithm, old.Owner)
	}
	if err := keepsCards(old); err != nil {
		return spec, err
	}
	spec.NotAfter, err = lifetime(w.until)
	return spec, err
}

// keepsCards refuses a successor to a key of card numbers: the keystore keeps two
// versions of a name, the journal numbers under any.
func keepsCards(old hsm.Key) error {
	switch old.Usage {
	case hsm.PANSeal:
		return fmt.Errorf("key %q is under card numbers that are stored: refused; make another (tapswitch hsm key generate --usage PAN-seal NAME), name it in pan.seal, and leave this one where it is", old.Name)
	case hsm.PANToken:
		return fmt.Errorf("key %q is under the tokens of cards that are stored: they would not be found under its successor; refused", old.Name)
	}
	return nil
}
