// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
)

// giving says how new keys leave for the other side.
type giving struct {
	under        string
	legacy, data bool
}

func (g *giving) flags(c *cobra.Command) {
	c.Flags().StringVar(&g.under, "under", "", "TMK, ZMK or KBPK that enciphers what leaves")
	c.Flags().BoolVar(&g.legacy, "legacy-ecb", false, "under a TMK or ZMK: a raw ECB cryptogram leaves, not compliant with PCI PIN 18-3")
	c.Flags().BoolVar(&g.data, "data", false, "with --set: a data key (TDK, ZDK) too, also when the set before had none")
}

// carrier is the key that enciphers what leaves. Raw cryptograms are asked for by name.
func (g *giving) carrier(keys []hsm.Key) (*hsm.Key, error) {
	under, err := carrier(keys, g.under, "--under", hsm.TMK, hsm.ZMK, hsm.KBPK)
	switch {
	case err != nil:
		return nil, err
	case under.Usage != hsm.KBPK && !g.legacy:
		return nil, usageError{fmt.Errorf("key %q is a %s: what leaves under it is a raw ECB cryptogram, not compliant with PCI PIN 18-3; say --legacy-ecb, or name a KBPK for a key block", under.Name, under.Usage)}
	case under.Usage == hsm.KBPK && g.legacy:
		return nil, usageError{fmt.Errorf("key %q is a KBPK, under which a key block leaves: leave out --legacy-ecb", under.Name)}
	}
	return under, nil
}

// membersOf is the keys of a set and who owns them, by the name terminal/ID or link/NAME.
func membersOf(set string) (members []keystore.Member, owner string, err error) {
	kind, owner, _ := strings.Cut(set, "/")
	if owner != "" && !strings.Contains(owner, "/") {
		switch kind {
		case "terminal":
			return keystore.Terminal(owner), owner, nil
		case "link":
			return keystore.Zone(owner), owner, nil
		}
	}
	return nil, "", usageError{errors.New("--set: want terminal/ID or link/NAME")}
}

// setOf is the set that a key name belongs to.
func setOf(name string) (set string, ok bool) {
	set = inFront(name)
	members, _, err := membersOf(set)
	if err != nil {
		return "", false
	}
	for _, m := range members {
		ok = ok || m.Name == name
	}
	return set, ok
}

// set makes the next keys of an owner, stores them as one, and then prints them: a
// set that was handed out and not kept would strand the other side.
func (g *giving) set(c *cobra.Command, t *token, set string, ends int64, first bool, format string) error {
	if _, err := checkFormat(format); err != nil {
		return err
	}
	members, owner, err := membersOf(set)
	if err != nil {
		return err
	}
	if g.under == "" {
		return usageError{errors.New("--under: which TMK, ZMK or KBPK enciphers the keys for the other side?")}
	}
	var lines []exportLine
	err = t.change(func(m *pkcs11.Module, store *keystore.Store) error {
		under, err := g.carrier(store.List())
		if err != nil {
			return err
		}
		rotation, err := keystore.Load(store, members)
		if err != nil {
			return err
		}
		current, _ := rotation.Sets()
		if current != nil {
			owner = current.Keys[0].Owner
		}
		if under.Usage != hsm.KBPK && under.Owner != owner {
			return fmt.Errorf("--under: %s %q belongs to %q, and carries nothing of %s", under.Usage, under.Name, under.Owner, set)
		}
		switch {
		case first && current != nil:
			return fmt.Errorf("%s has keys already, version %d: the next ones are made by tapswitch hsm key rotate --set %s --under %s", set, current.Version, set, g.under)
		case !first && current == nil:
			return fmt.Errorf("%s has no whole set of keys yet: its first one is made by tapswitch hsm key export --set %s --under %s", set, set, g.under)
		}
		want, err := g.wanted(rotation, members, owner, ends)
		if err != nil {
			return err
		}
		lines, err = install(c.Context(), m, rotation, under, want)
		return err
	})
	if err != nil {
		return err
	}
	return showExports(c, format, lines)
}

// wanted is the keys of the next set: those of the set before, or PIN and MAC key of
// a first one.
func (g *giving) wanted(rotation *keystore.Rotation, members []keystore.Member, owner string, ends int64) ([]hsm.WorkingKey, error) {
	version, err := rotation.NextVersion()
	if err != nil {
		return nil, err
	}
	current, _ := rotation.Sets()
	var want []hsm.WorkingKey
	for _, m := range members {
		algorithm := m.Usage.Algorithms()[0]
		data := m.Usage == hsm.TDK || m.Usage == hsm.ZDK
		if current != nil {
			if old := current.Key(m.Usage); old != nil {
				algorithm = old.Algorithm
			} else if !data || !g.data {
				continue
			}
		} else if data && !g.data {
			continue
		}
		want = append(want, hsm.WorkingKey{Spec: hsm.Spec{Name: m.Name, Usage: m.Usage, Algorithm: algorithm, Owner: owner, Version: version, NotAfter: ends}})
	}
	return want, nil
}

// install makes the keys and keeps them.
func install(ctx context.Context, m *pkcs11.Module, rotation *keystore.Rotation, under *hsm.Key, want []hsm.WorkingKey) ([]exportLine, error) {
	keys, out, err := m.GenerateSet(ctx, under, want...)
	if err != nil {
		return nil, err
	}
	if err := rotation.Install(keys...); err != nil {
		return nil, err
	}
	lines := make([]exportLine, len(keys))
	for i := range keys {
		lines[i] = describeExport(keys[i], out[i], under)
	}
	return lines, nil
}
