// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net"
	"strings"

	moov "github.com/moov-io/iso8583"
)

// Settles queues moods for 0500 and 0320.
func (s *Switch) Settles(m ...Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle = append(s.settle, m...)
}

// settled answers a message about a batch. Totals are balanced as they come, unless
// the mood says that they differ: then a debit of 5 more is told.
func (s *Switch) settled(c net.Conn, head []byte, in *moov.Message, mti string, m Mood) bool {
	code := m.Code
	if code == "" {
		code = "00"
	}
	out := s.echoed(in, map[string]string{"0500": "0510", "0320": "0330"}[mti], code, 11, 41, 42, 49, 60)
	s.set(out, map[int]string{12: "120000", 13: "0203"})
	if m.Terminal != "" {
		s.set(out, map[int]string{41: m.Terminal})
	}
	if mti == "0500" && code == "00" {
		text := get(in, 48)
		told := text[:30] + "1" + text[31:61] + "1"
		if m.Differs {
			told = "000000000005001" + strings.Repeat("0", 15) + "2" + strings.Repeat("0", 30) + "2"
		}
		s.set(out, map[int]string{48: told})
	}
	return s.reply(c, head, out, m)
}
