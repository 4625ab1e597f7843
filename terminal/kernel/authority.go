// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"slices"
	"time"

	"tapswitch/hsm/oda"
)

// MaxCAKeys and MaxRevoked bound the terminal's table of scheme keys and its list
// of revoked issuer certificates.
const (
	MaxCAKeys  = 64
	MaxRevoked = 1024
)

// CAKey is one row of the terminal's table of scheme public keys.
type CAKey struct {
	oda.CAPK
	Expires time.Time // the last day of its use; its date counts, not its hour
	Revoked bool      // withdrawn by the scheme before that day
}

// RevokedCertificate names an issuer certificate that its scheme withdrew (EMV
// Book 2, 5.1.2).
type RevokedCertificate struct {
	RID    [5]byte
	Index  byte // of the scheme's key
	Serial [3]byte
}

// AuthenticateOffline takes scheme keys into use: applications of a scheme that
// has a key ask their cards for offline data authentication with online
// authorisations, by their TTQ.
func (c *Config) AuthenticateOffline(keys []CAKey, revoked []RevokedCertificate) {
	c.CAKeys, c.Revoked = keys, revoked
	c.Applications = slices.Clone(c.Applications)
	for i := range c.Applications {
		a := &c.Applications[i]
		if !c.hasKeyOf(a.AID) {
			continue
		}
		a.TTQ[0] |= ttq1ODA
		if a.Kernel == Visa {
			a.TTQ[3] |= ttq4FDDA
		}
	}
}

// hasKeyOf says that the table has a key of the scheme of an application's name.
func (c *Config) hasKeyOf(name []byte) bool {
	return len(name) >= minAID && slices.ContainsFunc(c.CAKeys, func(k CAKey) bool { return k.RID == [5]byte(name) })
}

// validateKeys names the first mistake of the table.
func (c *Config) validateKeys() error {
	if len(c.CAKeys) > MaxCAKeys || len(c.Revoked) > MaxRevoked {
		return fmt.Errorf("%w: give at most %d CA keys and %d revoked certificates", ErrConfig, MaxCAKeys, MaxRevoked)
	}
	for i, k := range c.CAKeys {
		if err := k.Check(); err != nil {
			return fmt.Errorf("%w: CA key %d (%X, index %02X): %w", ErrConfig, i+1, k.RID, k.Index, err)
		}
		if k.Expires.IsZero() {
			return fmt.Errorf("%w: CA key %d (%X, index %02X): its last day must be given", ErrConfig, i+1, k.RID, k.Index)
		}
		if slices.ContainsFunc(c.CAKeys[:i], func(o CAKey) bool { return o.RID == k.RID && o.Index == k.Index }) {
			return fmt.Errorf("%w: CA key %d (%X, index %02X) comes twice", ErrConfig, i+1, k.RID, k.Index)
		}
	}
	for i, a := range c.Applications {
		if a.TTQ[0]&ttq1ODA != 0 && !c.hasKeyOf(a.AID) {
			return fmt.Errorf("%w: application %d (%X): ttq asks for offline data authentication (byte 1, bit 01), so give a CA key of its scheme", ErrConfig, i+1, a.AID)
		}
	}
	return nil
}

// authority is the scheme's key for a card, at a day.
func (c *Config) authority(rid [5]byte, index byte, at time.Time) (oda.Key, Reason) {
	i := slices.IndexFunc(c.CAKeys, func(k CAKey) bool { return k.RID == rid && k.Index == index })
	if i < 0 {
		return oda.Key{}, ODAKeyUnknown
	}
	switch k := c.CAKeys[i]; {
	case k.Revoked:
		return oda.Key{}, ODAKeyRevoked
	case date(at) > date(k.Expires):
		return oda.Key{}, ODAKeyExpired
	default:
		return k.Key, ""
	}
}

// date is a day as a number that grows.
func date(t time.Time) int {
	y, m, d := t.Date()
	return y*10000 + int(m)*100 + d
}
