// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"fmt"
	"sort"
	"strings"

	"tapswitch/internal/secret"
)

// chipOf finds the issuer by the longest prefix and prepares the check; false
// when this host is not the issuer.
func (l *ledger) chipOf(m *message, a *account) (chip, bool) {
	pan := a.PAN.Reveal(secret.ForTest)
	issuers := append([]Issuer(nil), l.cfg.Issuers...)
	sort.Slice(issuers, func(i, j int) bool { return len(issuers[i].Prefix) > len(issuers[j].Prefix) })
	for _, s := range issuers {
		if !strings.HasPrefix(string(pan), s.Prefix) {
			continue
		}
		tags, err := parseTLV([]byte(m.fields[55]))
		if err != nil {
			tags = nil // the check names the first missing tag
		}
		psn := "00"
		if v := tags["5f34"]; len(v) == 1 && v[0]>>4 <= 9 && v[0]&0x0F <= 9 {
			psn = fmt.Sprintf("%02x", v[0])
		}
		if f := m.fields[23]; f != "" {
			psn = f[1:]
		}
		r, _ := s.Profile.rules() // validated with the configuration
		return chip{r, cardKey(s.IMK.raw(), pan, psn, s.MKOption == "b"), tags}, true
	}
	return chip{}, false
}

// checkChip verifies the cryptogram where this host is the issuer; an empty
// reason means go on.
func (l *ledger) checkChip(m *message, a *account, e *Entry) (reason string) {
	c, issuer := l.chipOf(m, a)
	if !issuer {
		return ""
	}
	if m.fields[55] == "" {
		if chipRead(m.fields[22]) {
			e.ARQC = StateBad
			return "arqc_missing"
		}
		return ""
	}
	if err := c.check(); err != nil {
		e.ARQC = StateBad
		return err.Error()
	}
	e.ARQC = StateOK
	return ""
}

// chipRead reports whether field 22 says that a chip was read (05 contact, 07
// contactless).
func chipRead(f22 string) bool {
	return strings.HasPrefix(f22, "05") || strings.HasPrefix(f22, "07")
}
