// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"

	"tapswitch/switch/admin"
	"tapswitch/switch/settle"
	"tapswitch/switch/txn"
)

// CloseUpload implements admin.Desk.
func (d desk) CloseUpload(of admin.Upload, a txn.Act) ([]admin.Case, error) {
	id, items, err := d.batches.CloseCases(of.ID(), txn.STAN(of.Trace), a)
	var cases []admin.Case
	for _, u := range items {
		c := admin.Case{Upload: admin.Upload{Terminal: id.Terminal.String(), Merchant: id.Merchant.String(), Batch: id.Batch, Trace: uint32(u.Trace)},
			Why: string(u.Verdict.Reason()), Card: u.Masked, Amount: int64(u.Minor)}
		cases = append(cases, c)
		d.observer.Log().Info("operator", "act", a.What.String(), "by", a.By, "why", a.Why, "terminal", c.Terminal, "merchant", c.Merchant,
			"batch", c.Batch, "trace", c.Trace, "class", txn.Upload.String(), "case", c.Why, "card", c.Card, "amount_minor", c.Amount)
	}
	if err != nil {
		return nil, uploadRefusal(of, len(cases), err)
	}
	return cases, nil
}

// uploadRefusal names why cases of an upload were not closed.
func uploadRefusal(of admin.Upload, closed int, err error) error {
	no := func(word, format string, args ...any) error {
		return &admin.Refusal{Word: word, Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.Is(err, settle.ErrNoCase):
		return no(admin.NoCase, "no case of an upload is open of terminal %s batch %06d trace %06d: compare with tapswitch txn cases", of.Terminal, of.Batch, of.Trace)
	case errors.Is(err, settle.ErrMany):
		return no(admin.BadRequest, "more than one merchant has had terminal %s and has such a case in its batch %06d: name the merchant", of.Terminal, of.Batch)
	case txn.AsDecline(err).Reason == txn.DeclineJournalFull.Reason:
		return no(admin.NoRoom, "the journal has no room for it now; %d cases were closed before, the others are open still", closed)
	}
	return fmt.Errorf("close of the cases of terminal %s batch %06d trace %06d: %w", of.Terminal, of.Batch, of.Trace, err)
}
