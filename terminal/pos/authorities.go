// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tapswitch/hsm/oda"
	"tapswitch/terminal/kernel"
)

// authorities is the file of scheme public keys: public data, so it may lie
// beside the configuration in clear.
type authorities struct {
	Keys    []authority `json:"keys"`
	Revoked []struct {
		RID    string `json:"rid"`
		Index  string `json:"index"`
		Serial string `json:"serial"`
	} `json:"revoked_issuer_certificates"`
}

// authority is one key of the file; numbers are hex.
type authority struct {
	RID      string `json:"rid"`
	Index    string `json:"index"`
	Modulus  string `json:"modulus"`
	Exponent string `json:"exponent"`
	Checksum string `json:"checksum"`
	Expires  string `json:"expires"` // YYYY-MM-DD, the last day
	Revoked  bool   `json:"revoked"`
}

// maxAuthorities bounds the file.
const maxAuthorities = 1 << 20

// authorities reads the file of scheme keys and checks it as the kernel will.
func (c *loading) authorities(name string) error {
	if name == "" {
		return errors.New("must name a file, or be left out")
	}
	raw, err := c.from.ReadFile(c.path(name))
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if len(raw) > maxAuthorities {
		return fmt.Errorf("must not be longer than %d bytes", maxAuthorities)
	}
	var file authorities
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&file); err != nil {
		return fmt.Errorf("is not the JSON that is wanted: %w", err)
	}
	if _, err := strict.Token(); !errors.Is(err, io.EOF) {
		return errors.New("must hold one JSON object and nothing behind it")
	}
	if len(file.Keys) == 0 {
		return errors.New("has no keys: leave it out for a terminal that authenticates no card offline")
	}
	for i, a := range file.Keys {
		k, err := a.read()
		if err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		c.CAKeys = append(c.CAKeys, k)
	}
	for i, r := range file.Revoked {
		var out kernel.RevokedCertificate
		var index [1]byte
		if fixedHex(out.RID[:], r.RID) != nil || fixedHex(index[:], r.Index) != nil || fixedHex(out.Serial[:], r.Serial) != nil {
			return fmt.Errorf("revoked certificate %d: rid, index and serial must be 10, 2 and 6 hex digits", i+1)
		}
		out.Index = index[0]
		c.Revoked = append(c.Revoked, out)
	}
	probe := kernel.DefaultConfig()
	probe.AuthenticateOffline(c.CAKeys, c.Revoked)
	return probe.Validate()
}

// read turns a key of the file into the kernel's.
func (a *authority) read() (k kernel.CAKey, err error) {
	var index [1]byte
	for _, f := range []struct {
		name, text string
		to         []byte
	}{{"rid", a.RID, k.RID[:]}, {"index", a.Index, index[:]}, {"checksum", a.Checksum, k.Checksum[:]}} {
		if err := fixedHex(f.to, f.text); err != nil {
			return k, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	k.Index, k.Revoked = index[0], a.Revoked
	modulus, err1 := hex.DecodeString(a.Modulus)
	exponent, err2 := hex.DecodeString(a.Exponent)
	if err1 != nil || err2 != nil {
		return k, errors.New("modulus and exponent must be hex")
	}
	k.Key = oda.Key{Modulus: modulus, Exponent: exponent}
	if k.Expires, err = time.Parse(time.DateOnly, a.Expires); err != nil {
		return k, errors.New("expires must be a day, YYYY-MM-DD")
	}
	return k, nil
}
