// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/terminal/reader"
)

// maxCommands bounds one tap: directory, every candidate's SELECT and GPO, and
// the records.
const maxCommands = 2 + 2*maxEntries + maxRecords

// Run takes the card through one transaction. An error means that the reader
// failed or the context ended; the outcome is then TryAgain. A card that left
// the field is no error.
func Run(ctx context.Context, card reader.Card, cfg Config, txn Transaction) (Outcome, error) {
	m, err := New(cfg, txn)
	if err != nil {
		return Outcome{Kind: EndApplication}, err
	}
	step := m.Start()
	for n := 0; step.Outcome == nil && n < maxCommands; n++ {
		answer, err := card.Transceive(ctx, step.APDU)
		switch {
		case errors.Is(err, reader.ErrCardGone):
			step = m.Lost()
		case err != nil:
			return Outcome{Kind: TryAgain, Reason: ReaderFailed}, fmt.Errorf("talk to the card: %w", err)
		default:
			step = m.Answer(answer)
			clear(answer) // it may hold track data
		}
	}
	if step.Outcome == nil {
		return Outcome{Kind: EndApplication, Reason: DataContradicts}, nil
	}
	return *step.Outcome, nil
}
