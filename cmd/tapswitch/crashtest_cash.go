// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"tapswitch/iso8583"
)

// cash pays out cash over the counter for the card of s, read from its stripe. The
// terminal program has none, and does not count it: only terminals whose batches
// differ anyway do so.
func (v *voice) cash(ctx context.Context, s *sale) error {
	if s.Link != linkA || !v.voiding { // the other card's issuer is the switch, and wants a chip
		return nil
	}
	batch, trace, amount := v.host.Batch(), v.next(), 1+v.chance.Int64N(2000)
	form := func(ctx context.Context, mti iso8583.MTI) ([]byte, error) {
		return v.build(ctx, mti, s, func(b *iso8583.Builder) {
			b.SetString(3, procedureCash)
			b.SetUint(4, uint64(amount))
			b.SetUint(11, uint64(trace))
			b.SetString(22, "022")
			if mti == 0x0400 {
				b.Unset(35)
				b.SetString(39, "98")
			} else {
				b.SetString(53, "0600000000000000")
			}
			b.SetString(60, "22"+batch+"00060")
		})
	}
	body, err := form(ctx, 0x0200)
	if body == nil || err != nil {
		return err
	}
	ask := v.protocol.askOf(body)
	v.owed = &owed{func(ctx context.Context) ([]byte, error) { return form(ctx, 0x0400) }} // before the first byte leaves
	answer := v.say(ctx, body, ask)
	if answer == nil {
		return nil
	}
	v.owed = nil
	if string(answer.AppendText(nil, 39)) == "00" {
		v.holds = append(v.holds, ask.Key)
	}
	return nil
}
