// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"encoding/hex"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
)

// after is what a sale leaves to be done with its card.
type after struct {
	tap    Tap
	answer secret.ICC // field 55
	trace  uint32
	amount money.MinorUnits
}

// carryOut has the card carry out the scripts that came with the approval, when it can be taken
// a second time, and makes durable what came of them. A card that does not come, or
// an error of the disk, leaves what the approval made durable: none was performed.
func (t *Till) carryOut(ctx context.Context, a after) {
	defer a.answer.Wipe()
	ids, err := host.Scripts(a.answer)
	if err != nil || len(ids) == 0 || !a.tap.Update {
		return
	}
	t.say.emit(Event{Event: EventAgain, AmountMinor: a.amount})
	results, err := t.tapper.Update(ctx, a.tap, a.answer)
	if err != nil {
		t.fail("script_not_carried_out", err)
	}
	if len(results) != len(ids) {
		return
	}
	if err := t.host.ScriptsDone(context.WithoutCancel(ctx), a.trace, results); err != nil {
		t.fail(string(host.ReasonMemory), err)
	}
}

// Update implements Tapper.
func (c *contactless) Update(ctx context.Context, t Tap, answer secret.ICC) ([]host.ScriptResult, error) {
	aid, err := hex.DecodeString(t.AID)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	_, card, err := c.reader.Poll(waiting)
	if err != nil {
		return nil, err
	}
	done, err := kernel.RunScripts(waiting, card, aid, answer)
	_ = c.reader.Release(context.WithoutCancel(ctx)) // what fails here is found by the next poll
	var results []host.ScriptResult
	for _, s := range done {
		r := host.ScriptResult{ID: s.ID, Done: host.Performed, Command: byte(s.Refused)}
		switch {
		case !s.Begun:
			r.Done = host.NotPerformed
		case s.Refused > 0:
			r.Done = host.Failed
		}
		results = append(results, r)
	}
	return results, err
}
